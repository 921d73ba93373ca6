// SPDX-License-Identifier: Apache-2.0
#include "app/target_doctor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kenning/base/strings.h"
#include "measure/statistics_json.h"

namespace kenning {
namespace {

constexpr std::uint64_t kLittleRoomBytes = std::uint64_t{256} << 20;
constexpr std::size_t kNetworkEchoes[] = {64U << 10, 4U << 20};
constexpr std::size_t kUartEchoes[] = {256, 4U << 10};
constexpr int kClockRounds = 64;
constexpr int kKenningRounds = 5;
constexpr int kMostEchoes = 200;
/// A link whose slow exchanges are this many times slower than the middle one is uneven.
constexpr std::int64_t kUneven = 20;
constexpr std::int64_t kUnevenNs = 2'000'000;
constexpr std::int64_t kVagueClockNs = 1'000'000;

std::int64_t At(std::vector<std::int64_t> values, double part) {
  const auto index = static_cast<std::size_t>(part * static_cast<double>(values.size() - 1) + 0.5);
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(index));
  return values[index];
}

std::string Duration(double seconds) {
  if (seconds < 1e-3) return fmt::format("{:.1f} us", seconds * 1e6);
  return seconds < 1 ? fmt::format("{:.2f} ms", seconds * 1e3) : fmt::format("{:.2f} s", seconds);
}
std::string DurationNs(std::int64_t ns) { return Duration(static_cast<double>(ns) * 1e-9); }

bool IsLocal(const std::string& name) {
  for (const char* local : {"://127.", "://localhost:", "://[::1]:"}) {
    if (name.find(local) != std::string::npos) return true;
  }
  return name.starts_with('/');
}

/// One examination, step by step. A step that fails for good ends it.
class Examination {
 public:
  Examination(Transport& transport, const DoctorOptions& options, AppContext& context)
      : transport_(transport), options_(options), context_(context) {
    report_.target = transport.name();
  }

  Result<DoctorReport> Run() {
    using Step = Result<> (Examination::*)();
    for (const Step step :
         {&Examination::Connect, &Examination::Speak, &Examination::RoundTrip, &Examination::Echo,
          &Examination::Clock, &Examination::Describe, &Examination::Sensors}) {
      if (context_.cancel.cancelled()) return Fail(ErrorCode::kCancelled, "stopped");
      if (const Result<> done = (this->*step)(); !done) {
        if (done.error().code() == ErrorCode::kCancelled) return Fail(done.error());
        break;
      }
    }
    if (client_ != nullptr) static_cast<void>(client_->Disconnect());
    return std::move(report_);
  }

 private:
  void Add(Finding finding, std::string topic, std::string text, std::string advice = "") {
    report_.lines.push_back({finding, std::move(topic), std::move(text), std::move(advice)});
  }
  /// A step that went wrong: a line, and the error again.
  Result<> Wrong(std::string topic, const Error& error, std::string advice = "") {
    Add(Finding::kProblem, std::move(topic), error.ToString(), std::move(advice));
    return Fail(error);
  }

  Result<> Connect() {
    const std::int64_t start = MonotonicNowNs();
    Result<std::unique_ptr<Channel>> channel =
        transport_.Connect(Deadline::After(options_.timeout_s));
    if (!channel) {
      return Wrong("connection", channel.error(),
                   "start kenning-agent there, and check address, port and firewall");
    }
    settings_ = transport_.settings();
    if (!settings_.timeout_s) settings_.timeout_s = options_.timeout_s;
    wire::ClientOptions options;
    options.cancel = &context_.cancel;
    Result<std::unique_ptr<wire::TargetClient>> client =
        wire::TargetClient::Connect(*std::move(channel), settings_, std::move(options));
    if (!client) return Refused(client.error());
    client_ = *std::move(client);
    report_.connect_s = static_cast<double>(MonotonicNowNs() - start) * 1e-9;
    return {};
  }

  /// The target was reached, but does not serve us; or what was reached is no target.
  Result<> Refused(const Error& error) {
    const bool busy = error.message().find("busy:") != std::string::npos;
    report_.reachable =
        busy || error.code() == ErrorCode::kUnavailable || error.code() == ErrorCode::kInvalidData;
    if (busy) return Wrong("connection", error, "wait until the other client is done");
    if (error.code() == ErrorCode::kUnavailable) {
      return Wrong("authentication", error, "give --token-file with the agent's token");
    }
    return Wrong("connection", error,
                 error.code() == ErrorCode::kInvalidData
                     ? "something else than a target listens there: check the port"
                     : "check that the agent runs and serves no other client");
  }

  Result<> Speak() {
    Result<bool> native = client_->Negotiate();
    if (!native) return Refused(native.error());
    report_.reachable = true;
    report_.native = *native;
    Add(Finding::kOk, "connection", fmt::format("made in {}", Duration(report_.connect_s)));
    if (!report_.native) {
      Add(Finding::kWarning, "protocol", "Kenning's protocol alone",
          settings_.native == NativeMode::kOff
              ? "the native mode is turned off here: remove native from the protocol's parameters"
              : "run kenning-agent there: it takes one round trip a sample instead of three, and "
                "tells times of its own");
      return {};
    }
    const Result<wire::TargetInfo> info = client_->Info();
    if (!info) return Wrong("protocol", info.error());
    report_.description = DescriptionFromHello(info->json);
    const std::string& version = report_.description.agent_version;
    Add(Finding::kOk, "protocol",
        fmt::format("native mode, agent {}", version.empty() ? "of an unknown version" : version));
    Authentication();
    return {};
  }

  void Authentication() {
    const bool tls = transport_.name().starts_with("tls://");
    const bool token = report_.description.authentication == "token";
    if (tls || token) {
      Add(Finding::kOk, "authentication",
          tls && token ? "TLS and a token"
          : tls        ? "TLS"
                       : "a token");
      if (!tls && !IsLocal(transport_.name())) {
        Add(Finding::kWarning, "encryption", "models and samples travel in the clear",
            "use TLS where others can listen");
      }
      return;
    }
    const bool local = IsLocal(transport_.name());
    Add(local ? Finding::kOk : Finding::kWarning, "authentication",
        local ? "none, and none is needed on this machine"
              : "none: who reaches the port may use it",
        local ? "" : "start the agent with a token or with TLS");
  }

  Result<> RoundTrip() {
    if (!report_.native) return KenningRoundTrip();
    for (int i = 0; i < options_.rounds; ++i) {
      const std::int64_t start = MonotonicNowNs();
      const Result<wire::ClockOffset> clock = client_->MeasureClock(1);
      const std::int64_t taken = MonotonicNowNs() - start;
      if (!clock) return Wrong("round trip", clock.error());
      report_.round_trips_ns.push_back(taken);
      // A slow line is not kept busy for minutes.
      if (i >= 9 && taken > 100'000'000) break;
    }
    RoundTripLine();
    return {};
  }

  Result<> KenningRoundTrip() {
    for (int i = 0; i < kKenningRounds; ++i) {
      const std::int64_t start = MonotonicNowNs();
      const Result<std::string> statistics = client_->Statistics();
      if (!statistics) return Wrong("round trip", statistics.error());
      report_.round_trips_ns.push_back(MonotonicNowNs() - start);
    }
    RoundTripLine();
    return {};
  }

  void RoundTripLine() {
    const std::int64_t median = At(report_.round_trips_ns, 0.5);
    const std::int64_t p99 = At(report_.round_trips_ns, 0.99);
    const bool uneven = p99 > kUneven * median && p99 > kUnevenNs;
    Add(uneven ? Finding::kWarning : Finding::kOk, "round trip",
        fmt::format("median {}, p99 {} ({} exchanges)", DurationNs(median), DurationNs(p99),
                    report_.round_trips_ns.size()),
        uneven ? "the link is uneven: prefer a cable, and stop what else uses it; times taken on "
                 "the target are not touched"
               : "");
  }

  Result<> Echo() {
    if (!report_.native) return {};
    const bool uart = settings_.dialect == WireDialect::kUart;
    for (const std::size_t bytes : uart ? kUartEchoes : kNetworkEchoes) {
      std::vector<std::int64_t> times;
      const Deadline until = Deadline::After(options_.echo_s);
      while (times.empty() || (!until.expired() && times.size() < kMostEchoes)) {
        const Result<std::int64_t> taken = client_->Echo(bytes);
        if (!taken && taken.error().code() == ErrorCode::kInvalidArgument) return {};  // Too large.
        if (!taken) return Wrong("throughput", taken.error());
        times.push_back(*taken);
      }
      EchoRate rate;
      rate.bytes = bytes;
      rate.seconds = std::max(1e-9, static_cast<double>(At(times, 0.5)) * 1e-9);
      rate.bytes_per_second = 2 * static_cast<double>(bytes) / rate.seconds;
      report_.echoes.push_back(rate);
      Add(Finding::kOk, "throughput",
          fmt::format("{} there and back in {}: {}/s",
                      bytes >= 1U << 20 ? fmt::format("{} MiB", bytes >> 20U)
                      : bytes >= 1024   ? fmt::format("{} KiB", bytes >> 10U)
                                        : fmt::format("{} B", bytes),
                      Duration(rate.seconds),
                      HumanBytes(static_cast<std::uint64_t>(rate.bytes_per_second))));
    }
    return {};
  }

  Result<> Clock() {
    if (!report_.native) return {};
    const Result<wire::ClockOffset> clock = client_->MeasureClock(kClockRounds);
    if (!clock) return Wrong("clock", clock.error());
    report_.clock = *clock;
    const bool vague = clock->uncertainty_ns > kVagueClockNs;
    Add(vague ? Finding::kWarning : Finding::kOk, "clock",
        fmt::format("target minus host {}{}, within {}", clock->offset_ns < 0 ? "-" : "",
                    Duration(std::abs(static_cast<double>(clock->offset_ns)) * 1e-9),
                    DurationNs(clock->uncertainty_ns)),
        vague ? "times of host and target line up no better than that; durations are not touched"
              : "");
    return {};
  }

  Result<> Describe() {
    if (!report_.native) return {};
    const TargetDescription& target = report_.description;
    std::string cpu = target.cpu_model.empty() ? target.architecture : target.cpu_model;
    if (target.cores > 0) cpu += fmt::format(", {} cores", target.cores);
    if (!target.features.empty()) cpu += ", " + Join(target.features, " ");
    if (target.memory_bytes > 0) cpu += ", " + HumanBytes(target.memory_bytes) + " of memory";
    if (!cpu.empty()) Add(Finding::kOk, "processor", cpu);
    Engines();
    Sandbox();
    Store();
    return {};
  }

  void Engines() {
    std::vector<std::string> names;
    for (const TargetDescription::Engine& engine : report_.description.engines) {
      std::string name = engine.engine;
      if (!engine.version.empty()) name += " " + engine.version;
      if (!engine.runtime.empty()) name += " (" + engine.runtime + ")";
      names.push_back(std::move(name));
    }
    if (names.empty()) {
      Add(Finding::kProblem, "engines", "none: the target cannot run a model",
          "put engines' modules (kenning_engine_*.so) beside the agent");
    } else {
      Add(Finding::kOk, "engines", Join(names));
    }
  }

  void Sandbox() {
    const TargetDescription& target = report_.description;
    if (target.user == "root") {
      Add(Finding::kWarning, "user", "the agent runs as root", "run it as a user of its own");
    }
    if (!target.sandbox) return;
    const auto has = [&target](std::string_view layer) {
      return std::ranges::any_of(
          *target.sandbox, [layer](const std::string& one) { return one.starts_with(layer); });
    };
    std::vector<std::string> missing;
    for (const char* layer : {"seccomp", "landlock"}) {
      if (!has(layer)) missing.emplace_back(layer);
    }
    const std::string layers = target.sandbox->empty() ? "none" : Join(*target.sandbox);
    Add(missing.empty() ? Finding::kOk : Finding::kWarning, "sandbox", layers,
        missing.empty() ? ""
                        : fmt::format("sessions are not held by {}: start the agent without "
                                      "--no-sandbox, on a kernel that has it",
                                      Join(missing, " and ")));
  }

  void Store() {
    const TargetDescription& target = report_.description;
    if (!target.store_max_bytes) return;
    const std::uint64_t used =
        std::min(target.store_used_bytes.value_or(0), *target.store_max_bytes);
    const std::uint64_t room = *target.store_max_bytes - used;
    const bool little = room < kLittleRoomBytes;
    Add(Finding::kOk, "models",
        fmt::format("{} kept, room for {} more{}", HumanBytes(used), HumanBytes(room),
                    little ? "; older ones give way" : ""));
  }

  Result<> Sensors() {
    if (!report_.native) return {};
    const Result<std::string> text = client_->Statistics();
    if (!text) return Wrong("measurements", text.error());
    const Result<TargetStatistics> statistics = ParseTargetStatistics(*text);
    if (!statistics) {
      Add(Finding::kWarning, "measurements", "the target tells of no sensors",
          "a newer agent reads energy, temperature and frequency");
      return {};
    }
    SensorLine("energy", statistics->sensors, {SensorKind::kEnergy, SensorKind::kPower});
    SensorLine("temperature", statistics->sensors, {SensorKind::kTemperature});
    SensorLine("frequency", statistics->sensors, {SensorKind::kFrequency});
    SensorLine(
        "throttling", statistics->sensors,
        {SensorKind::kFrequencyLimit, SensorKind::kThrottleEvents, SensorKind::kThrottleState});
    return {};
  }

  /// Readable sensors of some kinds, and why others are not.
  void SensorLine(const char* topic, const std::vector<Sensor>& sensors,
                  const std::vector<SensorKind>& kinds) {
    std::vector<std::string> readable;
    std::vector<std::string> reasons;
    for (const Sensor& sensor : sensors) {
      if (std::ranges::find(kinds, sensor.kind) == kinds.end()) continue;
      std::vector<std::string>& list = sensor.unavailable.empty() ? readable : reasons;
      const std::string& text = sensor.unavailable.empty() ? sensor.source : sensor.unavailable;
      if (std::ranges::find(list, text) == list.end()) list.push_back(text);
    }
    if (!readable.empty()) {
      Add(Finding::kOk, topic, "readable: " + Join(readable));
    } else if (reasons.empty()) {
      Add(Finding::kOk, topic, "this target has no sensor of it");
    }
    constexpr std::size_t kMostReasons = 3;
    for (std::size_t i = 0; i < std::min(reasons.size(), kMostReasons); ++i) {
      Add(Finding::kWarning, topic, "not readable", reasons[i]);
    }
  }

  Transport& transport_;
  DoctorOptions options_;
  AppContext& context_;
  WireSettings settings_;
  std::unique_ptr<wire::TargetClient> client_;
  DoctorReport report_;
};

}  // namespace

std::string_view FindingName(Finding finding) {
  constexpr std::string_view kNames[] = {"ok", "warning", "problem"};
  return kNames[static_cast<std::size_t>(finding)];
}

bool DoctorReport::has(Finding finding) const {
  return std::ranges::any_of(lines,
                             [finding](const DoctorLine& one) { return one.finding == finding; });
}

Result<DoctorReport> ExamineTarget(Transport& transport, const DoctorOptions& options,
                                   AppContext& context) {
  return Examination(transport, options, context).Run();
}

int ExitCodeFor(const DoctorReport& report) {
  if (!report.reachable) return 4;
  return report.has(Finding::kProblem) ? 1 : 0;
}

}  // namespace kenning
