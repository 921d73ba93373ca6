// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "app/target_address.h"
#include "app/target_doctor.h"
#include "cli/commands.h"
#include "cli/simple_options.h"
#include "cli/target_options.h"

namespace kenning {
namespace {

class DoctorOptionsParser {
 public:
  DoctorOptionsParser() : app_("What works between this machine and a target, and how fast.") {
    app_.name("kenning doctor");
    app_.set_help_flag("-h,--help", "This text");
    app_.add_option("TARGET", target_,
                    "A known device's name, host:port, tls://host:port, or a serial line's path")
        ->required()
        ->type_name("");
    access_.AddAccess(app_);
    app_.add_option("--rounds", options_.rounds, "Exchanges whose times are taken")
        ->check(CLI::Range(1, 1000000).description(""))
        ->type_name("N")
        ->capture_default_str();
    app_.add_option("--timeout", options_.timeout_s, "Of connecting, and of each answer")
        ->check(CLI::Range(0.1, 3600.0).description(""))
        ->type_name("S")
        ->capture_default_str();
    app_.add_flag("--json", json_, "The same as JSON");
    app_.footer(
        "Each line is ok, a warning, or a problem with what to do. Exit code: 0, 1 with problems, "
        "4 where the\ntarget is not reachable.\n\n"
        "Examples:\n"
        "  kenning doctor board                          # of kenning devices\n"
        "  kenning doctor 10.0.0.7:12345 --token-file board.token\n"
        "  kenning doctor tls://board.example:12345 --tls-ca ca.pem --tls-certificate me.pem "
        "--tls-key me.key\n"
        "  kenning doctor /dev/ttyUSB0 --baudrate 921600\n"
        "  kenning doctor localhost:12345 --json");
    app_.get_formatter()->column_width(30);
  }

  CLI::App& app() { return app_; }
  const std::string& target() const { return target_; }
  const TargetOptions& access() const { return access_; }
  const DoctorOptions& options() const { return options_; }
  bool json() const { return json_; }

 private:
  CLI::App app_;
  std::string target_;
  TargetOptions access_;
  DoctorOptions options_;
  bool json_ = false;
};

}  // namespace

Result<int> DoctorCommand(const Words& words, CommandContext& context) {
  DoctorOptionsParser parser;
  KENNING_ASSIGN_OR_RETURN(const std::optional<int> ended, ParseWith(parser.app(), words));
  if (ended) return *ended;
  NullProgress progress;
  AppContext app{context.registry, progress, context.cancel};
  KENNING_ASSIGN_OR_RETURN(TargetAddress address, ParseTargetAddress(parser.target()));
  parser.access().Apply(address.parameters);
  KENNING_ASSIGN_OR_RETURN(const auto transport, MakeTransport(address, app));
  KENNING_ASSIGN_OR_RETURN(const DoctorReport report,
                           ExamineTarget(*transport, parser.options(), app));
  fmt::print("{}", parser.json() ? ReportToJson(report) : DescribeReport(report));
  return ExitCodeFor(report);
}

std::vector<std::string> DoctorFlags() {
  DoctorOptionsParser parser;
  return LongFlags(parser.app());
}

}  // namespace kenning
