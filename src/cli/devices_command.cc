// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "app/devices.h"
#include "cli/commands.h"
#include "cli/simple_options.h"
#include "cli/target_options.h"
#include "kenning/base/strings.h"

namespace kenning {
namespace {

const std::vector<std::string> kActions = {"list", "add", "remove", "show", "probe"};

class DevicesOptionsParser {
 public:
  DevicesOptionsParser() : app_("Known targets: what they are, and how to reach them.") {
    app_.name("kenning devices");
    app_.set_help_flag("-h,--help", "This text");
    app_.add_option("ACTION", action_, "list, add, remove, show or probe")
        ->check(CLI::IsMember(kActions).description(""))
        ->type_name("")
        ->capture_default_str();
    app_.add_option("NAME", names_, "Devices; probe without a name asks all")->type_name("");
    app_.add_option("--host", host_, "add: name or address of the target")->type_name("HOST");
    app_.add_option("--port", port_, "add: its TCP port")->type_name("N");
    app_.add_option("--uart", uart_, "add: path of a serial line instead")->type_name("DEVICE");
    access_.AddAccess(app_);
    app_.add_option("--note", note_, "add: a word for people")->type_name("TEXT");
    app_.add_flag("--replace", replace_, "add: in the place of the device of that name");
    app_.add_option("--timeout", timeout_s_, "probe: seconds to wait for each answer")
        ->check(CLI::Range(0.1, 600.0).description(""))
        ->type_name("S")
        ->capture_default_str();
    app_.add_flag("--json", json_, "list, show and probe: as JSON");
    app_.footer(
        "Kept in $XDG_CONFIG_HOME/kenning/devices.json (docs/formats/devices.md). A scenario's "
        "protocol may name\na device: {\"type\": \"NetworkProtocol\", \"parameters\": "
        "{\"device\": \"board\"}}.\n\n"
        "Examples:\n"
        "  kenning devices add board --host 10.0.0.7 --token-file board.token\n"
        "  kenning devices add mcu --uart /dev/ttyUSB0 --baudrate 921600 --note \"on the desk\"\n"
        "  kenning devices                   # all of them\n"
        "  kenning devices probe --json      # ask each what it is\n"
        "  kenning devices remove mcu");
    app_.get_formatter()->column_width(30);
  }

  CLI::App& app() { return app_; }

  Result<Device> NewDevice() const {
    if (names_.size() != 1) {
      return Fail(ErrorCode::kInvalidScenario, "kenning devices add needs one name; see --help");
    }
    if (host_.empty() == uart_.empty()) {
      return Fail(ErrorCode::kInvalidScenario,
                  "kenning devices add needs either --host or --uart; see --help");
    }
    Device device;
    device.name = names_[0];
    device.note = note_;
    std::map<std::string, ParamValue> parameters;
    access_.Apply(parameters);
    if (uart_.empty()) {
      device.protocol = "NetworkProtocol";
      parameters["host"] = host_;
      parameters["port"] = port_;
    } else {
      device.protocol = "UARTProtocol";
      parameters["port"] = uart_;
    }
    for (const auto& [name, value] : parameters) {
      if (const auto* text = std::get_if<std::string>(&value)) device.parameters[name] = *text;
      if (const auto* number = std::get_if<std::int64_t>(&value)) device.parameters[name] = *number;
    }
    return device;
  }

  std::string action_ = "list";
  std::vector<std::string> names_;
  bool replace_ = false;
  double timeout_s_ = 3;
  bool json_ = false;

 private:
  CLI::App app_;
  std::string host_;
  std::int64_t port_ = 12345;
  std::string uart_;
  std::string note_;
  TargetOptions access_;
};

/// Those of the names; all where there are none.
Result<std::vector<Device>> Chosen(const std::vector<std::string>& names) {
  if (names.empty()) return ReadDevices(DevicesFile());
  std::vector<Device> devices;
  for (const std::string& name : names) {
    KENNING_ASSIGN_OR_RETURN(Device device, FindDevice(name));
    devices.push_back(std::move(device));
  }
  return devices;
}

void SayNone() {
  fmt::print("No device is known; add one with: kenning devices add NAME --host HOST\n");
}

Result<int> Probe(const DevicesOptionsParser& parser, AppContext& app) {
  KENNING_ASSIGN_OR_RETURN(const std::vector<Device> devices, Chosen(parser.names_));
  const std::vector<DeviceProbe> probes = ProbeDevices(devices, parser.timeout_s_, app);
  if (app.cancel.cancelled()) return Fail(ErrorCode::kCancelled, "stopped");
  KENNING_RETURN_IF_ERROR(KeepSeen(probes));
  if (parser.json_) {
    fmt::print("{}", ProbesToJson(probes));
  } else if (devices.empty()) {
    SayNone();
  } else {
    fmt::print("{}", ProbesTable(probes));
  }
  const bool all = std::ranges::all_of(probes, &DeviceProbe::reachable);
  return all ? 0 : 4;
}

Result<int> Show(const DevicesOptionsParser& parser) {
  KENNING_ASSIGN_OR_RETURN(const std::vector<Device> devices, Chosen(parser.names_));
  const bool list = parser.action_ == "list";
  if (parser.json_) {
    fmt::print("{}", DevicesToJson(devices));
  } else if (devices.empty()) {
    SayNone();
  } else if (list) {
    fmt::print("{}", DevicesTable(devices));
  } else {
    for (const Device& device : devices) fmt::print("{}", DescribeDevice(device));
  }
  return 0;
}

}  // namespace

Result<int> DevicesCommand(const Words& words, CommandContext& context) {
  DevicesOptionsParser parser;
  KENNING_ASSIGN_OR_RETURN(const std::optional<int> ended, ParseWith(parser.app(), words));
  if (ended) return *ended;
  NullProgress progress;
  AppContext app{context.registry, progress, context.cancel};
  if (parser.action_ == "add") {
    KENNING_ASSIGN_OR_RETURN(const Device device, parser.NewDevice());
    KENNING_RETURN_IF_ERROR(AddDevice(device, parser.replace_, app));
    fmt::print("{}: {}\n", device.name, AddressOf(device));
    return 0;
  }
  if (parser.action_ == "remove") {
    if (parser.names_.empty()) {
      return Fail(ErrorCode::kInvalidScenario, "kenning devices remove needs a name; see --help");
    }
    for (const std::string& name : parser.names_) {
      KENNING_RETURN_IF_ERROR(RemoveDevice(name));
      fmt::print("{} removed\n", name);
    }
    return 0;
  }
  if (parser.action_ == "probe") return Probe(parser, app);
  return Show(parser);
}

std::vector<std::string> DevicesActions() { return kActions; }
std::vector<std::string> DevicesFlags() {
  DevicesOptionsParser parser;
  return LongFlags(parser.app());
}

}  // namespace kenning
