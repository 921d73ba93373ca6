// SPDX-License-Identifier: Apache-2.0
#include "agent_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "agent.h"
#include "agent_config.h"
#include "kenning/base/strings.h"

namespace kenning::target {
namespace {

constexpr const char* kFooter =
    "Without --cfg the agent runs models of every engine that is installed beside it.\n\n"
    "Examples:\n"
    "  kenning-agent                                  on 127.0.0.1:12345, for this machine alone\n"
    "  kenning-agent --listen 0.0.0.0:12345 --token-file token\n"
    "  kenning-agent --uart /dev/ttyS1 --baudrate 115200\n"
    "  kenning-agent --cfg server.json --once -v\n"
    "  kenning-agent --check                          what would be served; serves nothing\n";

/// "200M", "4G", "1024": bytes, in powers of 1024.
Result<std::uint64_t> ParseBytes(const std::string& text, const char* option) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, value);
  const std::string_view unit(last, static_cast<std::size_t>(end - last));
  constexpr std::string_view kUnits = "KMGT";
  std::size_t power = 0;
  if (!unit.empty()) {
    const std::size_t at = kUnits.find(unit[0]);
    if (at == std::string_view::npos || unit.size() > 1) power = 99;
    power = power == 99 ? 99 : at + 1;
  }
  if (error != std::errc() || power == 99 || value > (std::uint64_t{1} << 50)) {
    return Fail(
        ErrorCode::kInvalidScenario,
        fmt::format("{} {}: must be a number of bytes, or one with K, M, G or T", option, text));
  }
  for (; power > 0; --power) value *= 1024;
  return value;
}

class AgentParser {
 public:
  explicit AgentParser(const std::string& program)
      : app_("Runs models that a host sends, and measures them.") {
    app_.name(program);
    app_.set_help_flag("-h,--help", "This text");
    app_.set_version_flag("--version", std::string("kenning-agent ") + KENNING_VERSION);
    AddListening();
    AddLimits();
    AddRunning();
    app_.footer(kFooter);
    app_.get_formatter()->column_width(34);
  }
  CLI::App& app() { return app_; }

  /// Lays the command line over the preset and the scenario.
  Result<AgentOptions> Collect(AgentPreset preset, const Registry& registry) {
    if (!cfg_.empty()) {
      KENNING_ASSIGN_OR_RETURN(ServerScenario scenario, LoadServerScenario(cfg_, registry));
      preset.protocol = std::move(scenario.protocol);
      preset.runtime = std::move(scenario.runtime);
      preset.platform = std::move(scenario.platform);
    }
    AgentOptions options = std::move(options_);
    options.runtime = std::move(preset.runtime);
    options.platform = std::move(preset.platform);
    KENNING_ASSIGN_OR_RETURN(options.protocol, Protocol(std::move(preset.protocol), registry));
    KENNING_RETURN_IF_ERROR(CollectBytes(options));
    options.log_level = Level();
    options.state_folder = state_.empty() ? DefaultState() : std::filesystem::path(state_);
    std::error_code error;
    options.state_folder = std::filesystem::absolute(options.state_folder, error);
    options.wire.max_model_bytes = options.store.max_model_bytes;
    return options;
  }

 private:
  void AddListening() {
    app_.add_option("--cfg", cfg_, "Kenning's server scenario: protocol, runtime and platform")
        ->type_name("FILE");
    app_.add_option("--listen", listen_,
                    "Address and port; port 0: the system chooses. By default 127.0.0.1:12345")
        ->type_name("HOST:PORT");
    app_.add_option("--uart", uart_, "Serve a serial line instead of the network")
        ->type_name("DEVICE");
    app_.add_option("--baudrate", baudrate_, "Of the serial line")->type_name("N");
    app_.add_option("--token-file", token_file_,
                    "File with the secret that hosts must know; readable by its owner alone")
        ->type_name("FILE");
    app_.add_option("--tls-certificate", tls_certificate_, "Encrypt, with this certificate (PEM)")
        ->type_name("FILE");
    app_.add_option("--tls-key", tls_key_, "Its key; readable by its owner alone")
        ->type_name("FILE");
    app_.add_option("--tls-ca", tls_ca_, "Serve only clients whose certificate this one signed")
        ->type_name("FILE");
    app_.add_flag("--allow-unauthenticated", options_.allow_unauthenticated,
                  "Serve whoever reaches an address that others reach");
  }
  void AddLimits() {
    app_.add_option("--max-memory", max_memory_,
                    "Of a session; by default three quarters of the machine's")
        ->type_name("BYTES");
    app_.add_option("--load-timeout", options_.session.load_timeout_s,
                    "Seconds for loading a model")
        ->type_name("S")
        ->check(CLI::Range(0.001, 1e9).description(""))
        ->capture_default_str();
    app_.add_option("--invoke-timeout", options_.session.invoke_timeout_s,
                    "Seconds for any other request")
        ->type_name("S")
        ->check(CLI::Range(0.001, 1e9).description(""))
        ->capture_default_str();
    app_.add_option("--idle-timeout", options_.wire.idle_timeout_s,
                    "Seconds without a request, after which a client is left")
        ->type_name("S")
        ->check(CLI::Range(0.001, 1e9).description(""))
        ->capture_default_str();
    app_.add_option("--message-timeout", options_.wire.message_timeout_s,
                    "Seconds from a message's first byte to its last, plus one for each MiB")
        ->type_name("S")
        ->check(CLI::Range(0.001, 1e9).description(""))
        ->capture_default_str();
    app_.add_option("--max-model-size", max_model_, "Of one model; by default 2G")
        ->type_name("BYTES");
    app_.add_option("--store-size", store_size_,
                    "Of all models that are kept; the oldest go first; by default 8G")
        ->type_name("BYTES");
    app_.add_option("--state", state_,
                    "Folder for models; by default $KENNING_AGENT_STATE, else in the user's cache")
        ->type_name("FOLDER");
  }
  void AddRunning() {
    app_.add_option("--user", options_.user,
                    "Whom to become when started as root; by default kenning, else nobody")
        ->type_name("NAME");
    app_.add_flag("--allow-root", options_.allow_root, "Serve as root");
    app_.add_flag("--allow-optimizers", options_.sandbox.allow_optimizers,
                  "Optimise models here when a host asks; sessions may then start processes");
    app_.add_flag("!--no-sandbox", options_.sandbox.enabled,
                  "Sessions without Landlock and system-call filter, to find what an engine needs");
    app_.add_flag("--once", options_.once, "Serve one session, and exit with its result");
    app_.add_flag("--check", options_.check_only, "Check the configuration, list engines, exit");
    app_.add_option("--ready-fd", options_.ready_fd,
                    "Descriptor that gets the address once the agent listens")
        ->type_name("N");
    app_.add_flag("-v", verbose_, "More on standard error; twice: everything");
    app_.add_option("--verbosity", verbosity_, "DEBUG, INFO, WARNING or ERROR")
        ->type_name("LEVEL")
        ->check(CLI::IsMember({"DEBUG", "INFO", "WARNING", "ERROR"}).description(""));
  }

  std::filesystem::path DefaultState() const {
    // Root's cache is out of reach for whom it becomes.
    const bool leaves_root = ::geteuid() == 0 && !options_.allow_root;
    if (leaves_root && std::getenv("KENNING_AGENT_STATE") == nullptr) {
      return "/var/lib/kenning-agent";
    }
    return DefaultStateFolder();
  }

  LogLevel Level() const {
    if (verbosity_ == "DEBUG" || verbose_ > 1) return LogLevel::kDebug;
    if (verbosity_ == "INFO" || verbose_ == 1) return LogLevel::kInfo;
    return verbosity_ == "ERROR" ? LogLevel::kError : LogLevel::kWarning;
  }

  Result<> CollectBytes(AgentOptions& options) const {
    const auto set = [](const std::string& text, const char* option,
                        std::uint64_t& value) -> Result<> {
      if (text.empty()) return {};
      KENNING_ASSIGN_OR_RETURN(value, ParseBytes(text, option));
      return {};
    };
    KENNING_RETURN_IF_ERROR(set(max_memory_, "--max-memory", options.session.max_memory_bytes));
    KENNING_RETURN_IF_ERROR(set(max_model_, "--max-model-size", options.store.max_model_bytes));
    return set(store_size_, "--store-size", options.store.max_bytes);
  }

  Result<ConfiguredBlock> Protocol(std::optional<ConfiguredBlock> given,
                                   const Registry& registry) const {
    const char* type = uart_.empty() ? "NetworkProtocol" : "UARTProtocol";
    if (!given) {
      KENNING_ASSIGN_OR_RETURN(given, DefaultBlock(BlockCategory::kProtocol, type, registry));
    }
    auto values = given->params.values();
    const auto set = [&](const char* name, ParamValue value) -> Result<> {
      if (given->info->schema.Find(name) == nullptr) {
        return Fail(ErrorCode::kInvalidScenario,
                    fmt::format("{} has no {}; the options do not fit the protocol",
                                given->info->name, name));
      }
      values[name] = std::move(value);
      return {};
    };
    if (!uart_.empty()) KENNING_RETURN_IF_ERROR(set("port", ParamValue{uart_}));
    if (baudrate_ > 0) KENNING_RETURN_IF_ERROR(set("baudrate", ParamValue{baudrate_}));
    if (!listen_.empty()) {
      const std::size_t colon = listen_.rfind(':');
      std::int64_t port = -1;
      if (colon != std::string::npos) {
        const char* end = listen_.data() + listen_.size();
        const auto [last, error] = std::from_chars(listen_.data() + colon + 1, end, port);
        if (error != std::errc() || last != end || port > 65535) port = -1;
      }
      if (port < 0) {
        return Fail(ErrorCode::kInvalidScenario,
                    fmt::format("--listen {}: must be HOST:PORT, as 127.0.0.1:12345", listen_));
      }
      KENNING_RETURN_IF_ERROR(set("host", ParamValue{listen_.substr(0, colon)}));
      KENNING_RETURN_IF_ERROR(set("port", ParamValue{port}));
    }
    if (!token_file_.empty()) KENNING_RETURN_IF_ERROR(set("token_file", ParamValue{token_file_}));
    for (const auto& [name, file] : {std::pair("tls_certificate", &tls_certificate_),
                                     {"tls_key", &tls_key_},
                                     {"tls_ca", &tls_ca_}}) {
      if (file->empty()) continue;
      KENNING_RETURN_IF_ERROR(set(name, ParamValue{*file}));
      KENNING_RETURN_IF_ERROR(set("tls", ParamValue{std::string("on")}));
    }
    ConfiguredBlock block{given->info, Params(std::move(values))};
    MakePathsAbsolute(block);
    return block;
  }

  CLI::App app_;
  AgentOptions options_;
  std::string cfg_, listen_, uart_, token_file_, tls_certificate_, tls_key_, tls_ca_, state_;
  std::string verbosity_;
  std::string max_memory_, max_model_, store_size_;
  std::int64_t baudrate_ = 0;
  int verbose_ = 0;
};

int PrintCheck(const AgentOptions& options, const Registry& registry) {
  fmt::print("protocol  {}\n", options.protocol.info->name);
  if (options.runtime) fmt::print("runtime   {}\n", options.runtime->info->name);
  fmt::print("models    {}\n", options.state_folder.string());
  int available = 0;
  for (const BlockInfo* info : registry.List(BlockCategory::kRuntime)) {
    const Availability here = info->probe ? info->probe() : Availability{};
    available += here.available ? 1 : 0;
    fmt::print("engine    {:<12} {:<20} {}\n", info->engine, info->name,
               here.available ? Join(info->accepts) : "not installed");
  }
  if (available > 0) return 0;
  fmt::print("No engine is installed: no model can run here.\n");
  return ExitCodeFor(ErrorCode::kUnavailable);
}

}  // namespace

Result<std::optional<AgentOptions>> ParseAgentCommand(const std::vector<std::string>& words,
                                                      AgentPreset preset,
                                                      const Registry& registry) {
  AgentParser parser(preset.program);
  std::vector<std::string> reversed(words.rbegin(), words.rend());  // As CLI11 takes them.
  try {
    parser.app().parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", parser.app().help());
    return std::nullopt;
  } catch (const CLI::CallForVersion& version) {
    fmt::print("{}\n", version.what());
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    return Fail(ErrorCode::kInvalidScenario, fmt::format("{}; see --help", error.what()));
  }
  KENNING_ASSIGN_OR_RETURN(AgentOptions options, parser.Collect(std::move(preset), registry));
  return std::optional(std::move(options));
}

Result<int> AgentCommand(const std::vector<std::string>& words, AgentPreset preset,
                         const Registry& registry) {
  KENNING_ASSIGN_OR_RETURN(std::optional<AgentOptions> options,
                           ParseAgentCommand(words, std::move(preset), registry));
  if (!options) return 0;
  SetLogLevel(options->log_level);
  // Set by systemd for what it starts.
  if (std::getenv("JOURNAL_STREAM") != nullptr && ::isatty(STDERR_FILENO) == 0) {
    UseJournalPrefixes();
  }
  if (options->check_only) return PrintCheck(*options, registry);
  KENNING_ASSIGN_OR_RETURN(const auto agent, Agent::Open(*std::move(options), registry));
  return agent->Run();
}

std::vector<std::string> AgentFlags() {
  AgentParser parser("kenning server");
  std::vector<std::string> flags;
  for (const CLI::Option* option : parser.app().get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  }
  return flags;
}

}  // namespace kenning::target
