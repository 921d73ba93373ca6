// SPDX-License-Identifier: Apache-2.0
#include "app/target_doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "wire/target_server.h"
#include "wire/testing/memory_channel.h"
#include "wire/testing/memory_target.h"

namespace kenning {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kHello[] = R"({
  "agent_version": "0.5.0",
  "engines": [{"engine": "tflite", "runtime": "TFLiteRuntime", "formats": ["tflite"]}],
  "cpu": {"model": "Cortex-A72", "architecture": "aarch64", "cores": 4, "features": ["neon"]},
  "memory_bytes": 4000000000, "kernel": "6.1", "user": "uid 1000",
  "sandbox": ["no-new-privs", "rlimits", "landlock-3", "seccomp"],
  "optimizers_allowed": false,
  "store": {"used_bytes": 1000000, "max_bytes": 2000000000}})";

constexpr char kSensors[] = R"({
  "format_version": 1, "memory_total_bytes": 1, "process_peak_resident_bytes": 1,
  "session_peak_resident_bytes": 1,
  "sensors": [
    {"name": "package-0", "kind": "energy", "unit": "J", "source": "powercap",
     "unavailable": "energy_uj: permission denied; allow it by udev"},
    {"name": "cpu0", "kind": "frequency", "unit": "MHz", "source": "cpufreq"}],
  "readings": {"time_ns": [], "cpu_percent": [], "memory_percent": [], "memory_used_bytes": [],
    "process_resident_bytes": [], "session_resident_bytes": [], "frequency_mhz": [],
    "temperature_c": [], "values": []}})";

/// A target on a thread of this process.
class ThreadTransport final : public Transport {
 public:
  explicit ThreadTransport(std::string name) : name_(std::move(name)) {
    backend.description = kHello;
  }
  ~ThreadTransport() override {
    if (thread_.joinable()) thread_.join();
  }
  const WireSettings& settings() const override { return settings_; }
  std::string name() const override { return name_; }
  Result<std::unique_ptr<Channel>> Connect(Deadline) override {
    if (refuse) return Fail(*refuse);
    auto [near, far] = wire::testing::MakeMemoryPair();
    thread_ = std::thread([this, channel = std::move(far)] {
      wire::ServerOptions options;
      options.settings = target;
      static_cast<void>(wire::TargetServer(*channel, server, store, options).Serve());
    });
    return std::move(near);
  }
  Result<std::unique_ptr<Listener>> Listen() override {
    return Fail(ErrorCode::kUnsupported, "no");
  }

  /// The memory backend with statistics of its own.
  class Backend final : public wire::TargetBackend {
   public:
    explicit Backend(wire::testing::MemoryBackend& inner, const std::string& statistics)
        : inner_(inner), statistics_(statistics) {}
    Result<wire::LoadedModel> Load(const wire::LoadRequest& request) override {
      return inner_.Load(request);
    }
    Result<std::vector<TensorSpec>> Resolve(std::span<const Shape> shapes) override {
      return inner_.Resolve(shapes);
    }
    Result<> Invoke(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs,
                    wire::InferTimes& times) override {
      return inner_.Invoke(inputs, outputs, times);
    }
    Result<std::string> Statistics(bool) override { return statistics_; }
    Result<std::vector<OperatorProfile>> Profile() override { return inner_.Profile(); }
    Result<std::string> Optimize(const std::string& request) override {
      return inner_.Optimize(request);
    }
    std::string Describe() override { return inner_.Describe(); }

   private:
    wire::testing::MemoryBackend& inner_;
    const std::string& statistics_;
  };

  WireSettings target;  ///< Of the other side.
  std::optional<Error> refuse;
  std::string statistics = kSensors;
  wire::testing::MemoryStore store;
  wire::testing::MemoryBackend backend{store};
  Backend server{backend, statistics};
  WireSettings settings_;

 private:
  std::string name_;
  std::thread thread_;
};

class TargetDoctorTest : public ::testing::Test {
 protected:
  DoctorReport Examine(ThreadTransport& transport) {
    DoctorOptions options;
    options.rounds = 20;
    options.echo_s = 0.01;
    auto report = ExamineTarget(transport, options, context_);
    EXPECT_TRUE(report) << report.error().ToString();
    return report ? *report : DoctorReport{};
  }
  static const DoctorLine* Find(const DoctorReport& report, std::string_view topic) {
    const auto it = std::ranges::find(report.lines, topic, &DoctorLine::topic);
    return it == report.lines.end() ? nullptr : &*it;
  }
  Registry registry_;
  NullProgress progress_;
  CancelToken cancel_;
  AppContext context_{registry_, progress_, cancel_};
};

TEST_F(TargetDoctorTest, SoundTarget) {
  ThreadTransport transport("tcp://127.0.0.1:1");
  const DoctorReport report = Examine(transport);
  EXPECT_TRUE(report.reachable);
  EXPECT_TRUE(report.native);
  EXPECT_FALSE(report.has(Finding::kProblem)) << DescribeReport(report);
  EXPECT_EQ(ExitCodeFor(report), 0);
  EXPECT_EQ(report.round_trips_ns.size(), 20U);
  EXPECT_EQ(report.echoes.size(), 2U);
  EXPECT_TRUE(report.clock);
  const std::string text = DescribeReport(report);
  for (const char* part :
       {"native mode, agent 0.5.0", "none is needed on this machine", "64 KiB there and back",
        "4 MiB there and back", "Cortex-A72, 4 cores, neon", "tflite (TFLiteRuntime)",
        "landlock-3, seccomp", "room for", "-> energy_uj: permission denied; allow it by udev",
        "readable: cpufreq", "this target has no sensor of it"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_EQ(Find(report, "energy")->finding, Finding::kWarning);
  const auto json = nlohmann::json::parse(ReportToJson(report));
  EXPECT_EQ(json["reachable"], true);
  EXPECT_EQ(json["round_trip_ns"]["count"], 20);
  EXPECT_EQ(json["description"]["engines"][0]["engine"], "tflite");
  EXPECT_EQ(json["throughput"].size(), 2U);
}

TEST_F(TargetDoctorTest, OpenTargetInTheNetworkIsAWarning) {
  ThreadTransport transport("tcp://10.0.0.7:12345");
  const DoctorReport report = Examine(transport);
  ASSERT_NE(Find(report, "authentication"), nullptr);
  EXPECT_EQ(Find(report, "authentication")->finding, Finding::kWarning);
  EXPECT_EQ(ExitCodeFor(report), 0);
}

TEST_F(TargetDoctorTest, NotReachable) {
  ThreadTransport transport("tcp://10.0.0.7:12345");
  transport.refuse = Error(ErrorCode::kTargetLost, "connection refused");
  const DoctorReport report = Examine(transport);
  EXPECT_FALSE(report.reachable);
  EXPECT_EQ(ExitCodeFor(report), 4);
  EXPECT_THAT(DescribeReport(report), HasSubstr("-> start kenning-agent there"));
  EXPECT_EQ(nlohmann::json::parse(ReportToJson(report))["reachable"], false);
}

TEST_F(TargetDoctorTest, TokenIsMissing) {
  ThreadTransport transport("tcp://10.0.0.7:12345");
  transport.target.token = "0123456789abcdef";
  const DoctorReport report = Examine(transport);
  EXPECT_TRUE(report.reachable);
  EXPECT_EQ(ExitCodeFor(report), 1);
  ASSERT_NE(Find(report, "authentication"), nullptr);
  EXPECT_THAT(Find(report, "authentication")->advice, HasSubstr("--token-file"));
}

TEST_F(TargetDoctorTest, TokenIsRight) {
  ThreadTransport transport("tcp://10.0.0.7:12345");
  transport.target.token = transport.settings_.token = "0123456789abcdef";
  const DoctorReport report = Examine(transport);
  EXPECT_FALSE(report.has(Finding::kProblem)) << DescribeReport(report);
  EXPECT_EQ(Find(report, "authentication")->finding, Finding::kOk);
  EXPECT_NE(Find(report, "encryption"), nullptr);
}

TEST_F(TargetDoctorTest, KenningsProtocolAlone) {
  ThreadTransport transport("tcp://127.0.0.1:1");
  transport.target.native = NativeMode::kOff;
  const DoctorReport report = Examine(transport);
  EXPECT_TRUE(report.reachable);
  EXPECT_FALSE(report.native);
  EXPECT_EQ(ExitCodeFor(report), 0);
  EXPECT_EQ(Find(report, "protocol")->finding, Finding::kWarning);
  EXPECT_FALSE(report.round_trips_ns.empty());
}

TEST_F(TargetDoctorTest, WeakTarget) {
  ThreadTransport transport("tcp://127.0.0.1:1");
  transport.backend.description = R"({"user": "root", "sandbox": ["rlimits"], "engines": 7})";
  transport.statistics = "{}";
  const DoctorReport report = Examine(transport);
  EXPECT_EQ(ExitCodeFor(report), 1);
  EXPECT_EQ(Find(report, "engines")->finding, Finding::kProblem);
  EXPECT_EQ(Find(report, "user")->finding, Finding::kWarning);
  EXPECT_THAT(Find(report, "sandbox")->advice, HasSubstr("seccomp and landlock"));
  EXPECT_EQ(Find(report, "measurements")->finding, Finding::kWarning);
}

TEST_F(TargetDoctorTest, StoppedByItsOwner) {
  ThreadTransport transport("tcp://127.0.0.1:1");
  cancel_.Cancel();
  const auto report = ExamineTarget(transport, {}, context_);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::kCancelled);
}

TEST(TargetDescriptionTest, NothingIsTakenForGranted) {
  for (const char* text :
       {"", "7", "[]", R"({"engines": {"a": 1}, "cpu": 7, "sandbox": "x", "store": []})",
        R"({"cpu": {"cores": -1, "features": [1, {}]}, "memory_bytes": "much"})"}) {
    const TargetDescription target = DescriptionFromHello(text);
    EXPECT_TRUE(target.engines.empty()) << text;
    EXPECT_EQ(target.cores, 0U);
    EXPECT_FALSE(target.sandbox);
  }
  const TargetDescription target =
      DescriptionFromHello(R"({"cpu": "x\u001b[31m", "engines": ["onnxruntime", 7, {}]})");
  EXPECT_EQ(target.cpu_model, "x?[31m");
  ASSERT_EQ(target.engines.size(), 1U);
  EXPECT_EQ(target.engines[0].engine, "onnxruntime");
}

}  // namespace
}  // namespace kenning
