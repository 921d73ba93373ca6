// SPDX-License-Identifier: Apache-2.0
// The steps with a target that is served in this process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "app/app.h"
#include "app/artifact_store.h"
#include "app/make_blocks.h"
#include "app/testing_blocks.h"
#include "app/testing_target.h"
#include "base/tar.h"
#include "kenning/base/file.h"

namespace kenning {
namespace {

using testing::HasSubstr;
using testing_blocks::RemainderSession;
using testing_target::MemoryTarget;
using testing_target::MemoryTransport;

constexpr const char* kModel = "model bytes";

class RemoteRunTest : public testing::Test {
 protected:
  RemoteRunTest() {
    folder_ = std::filesystem::path(testing::TempDir()) /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    EXPECT_TRUE(WriteFileAtomically(folder_ / "in.fake", kModel));
    const auto add = [this](BlockCategory category, const char* name) -> BlockInfo& {
      BlockInfo& info = *infos_.emplace_back(std::make_unique<BlockInfo>());
      info.category = category;
      info.name = name;
      info.accepts = {"fake"};
      return info;
    };
    add(BlockCategory::kDataset, "Counting").make_dataset = [this](const Params&, BlockContext&) {
      return std::make_unique<testing_blocks::CountingDataset>(batch_size_);
    };
    add(BlockCategory::kModelWrapper, "PassThrough").make_model_wrapper =
        [this](const Params&, const Dataset*, BlockContext&) {
          ModelArtifact model;
          model.path = folder_ / "in.fake";
          model.format = "fake";
          model.spec = spec_;
          return std::make_unique<testing_blocks::PassThrough>(std::move(model));
        };
    BlockInfo& optimizer = add(BlockCategory::kOptimizer, "Copying");
    optimizer.produces = {"fake"};
    optimizer.aliases = {"kenning.optimizers.copying.Copying"};
    optimizer.schema.params = {{.name = "level", .type = ParamType::kInt}};
    BlockInfo& runtime = add(BlockCategory::kRuntime, "FarRuntime");
    runtime.probe = [] { return Availability{false, "its engine is not on this machine"}; };
    runtime.schema.params = {
        {.name = "num_threads",
         .type = ParamType::kInt,
         .default_value = ParamValue{std::int64_t{1}}},
        {.name = "save_model_path", .type = ParamType::kUri, .nullable = true}};
    add(BlockCategory::kPlatform, "FakePlatform").make_platform = [](const Params&, BlockContext&) {
      return std::make_unique<testing_blocks::FakePlatform>();
    };
    add(BlockCategory::kProtocol, "MemoryProtocol").make_transport = [this](const Params&,
                                                                            BlockContext&) {
      return std::make_unique<MemoryTransport>(target_, host_settings_);
    };
    registry_.AddInspector({"fake", {".fake"}, [this](const std::filesystem::path&) {
                              return RemainderSession(kAnyDim, input_type_).spec();
                            }});
    SetModel(kAnyDim, DType::kFloat32);
  }
  ~RemoteRunTest() override { std::filesystem::remove_all(folder_); }

  /// What runs on the target; the host's specification says the same.
  void SetModel(std::int64_t batch, DType input_type) {
    input_type_ = input_type;
    session_ = std::make_unique<RemainderSession>(batch, input_type);
    spec_ = session_->spec();
    target_.backend.spec = spec_;
    target_.backend.invoke = [this](std::span<const TensorView> inputs,
                                    std::span<const MutableTensorView> outputs) {
      if (before_invoke_) before_invoke_();
      return session_->Invoke(inputs, outputs);
    };
  }

  using Values = std::map<std::string, ParamValue, std::less<>>;
  ScenarioBlock Block(std::size_t index, Values values = {}) const {
    return {.key_path = infos_[index]->name,
            .info = infos_[index].get(),
            .params = Params(std::move(values))};
  }
  Scenario MakeScenario() const {
    Scenario scenario;
    scenario.dataset = Block(0);
    scenario.model_wrapper = Block(1, {{"model_path", (folder_ / "in.fake").string()}});
    scenario.runtime = Block(3, {{"num_threads", std::int64_t{2}},
                                 {"save_model_path", std::string("/on/the/target.fake")}});
    scenario.platform = Block(4);
    scenario.protocol = Block(5);
    return scenario;
  }
  Scenario OptimizingScenario() const {
    Scenario scenario = MakeScenario();
    scenario.optimizers = {Block(2, {{"compiled_model_path", (folder_ / "out.fake").string()},
                                     {"location", std::string("target")},
                                     {"level", std::int64_t{3}}})};
    return scenario;
  }
  Result<TestOutcome> Run(Scenario scenario, StepSet steps = {.test = true}) {
    KENNING_ASSIGN_OR_RETURN(const Plan plan, MakePlan(std::move(scenario), steps, context_));
    KENNING_ASSIGN_OR_RETURN(const Blocks made, MakeBlocks(plan, context_));
    if (steps.optimize) {
      KENNING_ASSIGN_OR_RETURN(optimised_, RunOptimize(plan, made, context_));
    }
    if (!steps.test) return TestOutcome{};
    return RunTest(plan, {.sample_interval_s = 10}, made, context_);
  }
  static void ExpectAllRight(const RunRecord& record) {
    ASSERT_TRUE(record.evaluation);
    EXPECT_EQ(record.evaluation->total, 10U);
    EXPECT_EQ(record.evaluation->predicted, record.evaluation->truth);
    EXPECT_TRUE(record.log.complete);
  }

  std::filesystem::path folder_;
  std::size_t batch_size_ = 1;
  DType input_type_ = DType::kFloat32;
  ModelSpec spec_;
  std::unique_ptr<RemainderSession> session_;
  std::function<void()> before_invoke_;
  WireSettings host_settings_;
  MemoryTarget target_;
  ModelArtifact optimised_;
  std::vector<std::unique_ptr<BlockInfo>> infos_;
  Registry registry_;
  NullProgress progress_;
  CancelToken cancel_;
  AppContext context_{registry_, progress_, cancel_};
};

TEST_F(RemoteRunTest, ARunWithoutTheEngineHereGivesBothViewsOfAnInference) {
  target_.backend.description =
      R"({"agent_version": "7", "kernel": "6.1", "memory_bytes": 5, "cpu": {"model": "Small CPU",
          "architecture": "aarch64", "cores": 4, "features": ["neon", 3]}})";
  const auto outcome = Run(MakeScenario());
  ASSERT_TRUE(outcome) << outcome.error().ToString();
  EXPECT_FALSE(outcome->failure);
  const RunRecord& record = outcome->record;
  ExpectAllRight(record);
  ASSERT_TRUE(record.target);
  const TargetRun& target = *record.target;
  EXPECT_TRUE(target.native);
  EXPECT_EQ(target.address, "memory://target");
  EXPECT_EQ(target.protocol, "MemoryProtocol");
  EXPECT_EQ(target.platform.cpu_model, "Small CPU");
  EXPECT_EQ(target.platform.logical_cores, 4U);
  EXPECT_EQ(target.platform.features.size(), 2U);
  EXPECT_EQ(record.engine.name, "memory");
  EXPECT_EQ(target.clock.size(), 2U);
  ASSERT_EQ(target.times.size(), 13U) << "three of them for warming up";
  for (const TargetTimes& times : target.times) EXPECT_TRUE(times.on_target());
  ASSERT_EQ(target_.backend.loads.size(), 1U);
  EXPECT_EQ(target_.backend.loads[0].runtime_type, "FarRuntime");
  EXPECT_EQ(nlohmann::json::parse(target_.backend.loads[0].runtime_parameters_json),
            nlohmann::json::parse(R"({"num_threads": 2})"));
}

TEST_F(RemoteRunTest, TheTargetsCallLiesWithinWhatTheHostSees) {
  const auto outcome = Run(MakeScenario());
  ASSERT_TRUE(outcome) << outcome.error().ToString();
  const RunRecord& record = outcome->record;
  const std::int64_t slack = 2 * record.target->clock[0].uncertainty_ns + 1'000'000;
  std::size_t index = 0;
  for (const Observation& o : record.log.observations) {
    if (o.step != Step::kInference) continue;
    const TargetTimes& times = record.target->times[index++];
    EXPECT_LE(times.invoke_end_ns - times.invoke_start_ns, o.end_ns - o.start_ns);
    EXPECT_GE(ToHostClock(record.target->clock, times.received_ns), o.start_ns - slack);
    EXPECT_LE(ToHostClock(record.target->clock, times.sent_ns), o.end_ns + slack);
  }
}

TEST_F(RemoteRunTest, KenningsProtocolGivesTheSamePredictions) {
  host_settings_.native = NativeMode::kOff;
  target_.backend.statistics =
      R"({"session_utilization_timestamp": [1.5], "session_utilization_cpus_percent": [[3, 4]],
          "session_utilization_mem_percent": [55]})";
  const auto outcome = Run(MakeScenario());
  ASSERT_TRUE(outcome) << outcome.error().ToString();
  ExpectAllRight(outcome->record);
  const TargetRun& target = *outcome->record.target;
  EXPECT_FALSE(target.native);
  EXPECT_TRUE(target.clock.empty());
  ASSERT_EQ(target.times.size(), 13U);
  EXPECT_FALSE(target.times[5].on_target());
  EXPECT_GT(target.times[5].process_ns, 0);
  ASSERT_EQ(target.system.size(), 1U);
  EXPECT_EQ(target.system[0].time_ns, 1'500'000'000);
  EXPECT_EQ(target.system[0].cpu_percent.size(), 2U);
}

TEST_F(RemoteRunTest, BatchesAndQuantisedInputsTravel) {
  for (const NativeMode mode : {NativeMode::kAuto, NativeMode::kOff}) {
    host_settings_.native = mode;
    batch_size_ = 1;
    SetModel(1, DType::kInt8);
    auto outcome = Run(MakeScenario());
    ASSERT_TRUE(outcome) << outcome.error().ToString();
    ExpectAllRight(outcome->record);
    batch_size_ = 5;
    SetModel(5, DType::kFloat32);
    outcome = Run(MakeScenario());
    ASSERT_TRUE(outcome) << outcome.error().ToString();
    ExpectAllRight(outcome->record);
    EXPECT_EQ(outcome->record.batch_size, 5U);
  }
}

TEST_F(RemoteRunTest, ALastBatchThatIsSmallerTravelsToADynamicModel) {
  batch_size_ = 4;
  const auto outcome = Run(MakeScenario());
  ASSERT_TRUE(outcome) << outcome.error().ToString();
  ExpectAllRight(outcome->record);
  EXPECT_EQ(outcome->record.target->times.size(), 6U);
}

TEST_F(RemoteRunTest, ATargetThatVanishesLeavesWhatWasMeasured) {
  int invokes = 0;
  before_invoke_ = [&] {
    if (++invokes == 8) target_.Vanish();
  };
  const auto outcome = Run(MakeScenario());
  ASSERT_TRUE(outcome) << outcome.error().ToString();
  ASSERT_TRUE(outcome->failure);
  EXPECT_EQ(ExitCodeFor(outcome->failure->code()), 4);
  EXPECT_THAT(outcome->failure->ToString(), HasSubstr("inference of sample 4"));
  EXPECT_FALSE(outcome->record.log.complete);
  EXPECT_EQ(outcome->record.evaluation->total, 4U);
  EXPECT_EQ(outcome->record.target->times.size(), 7U);
}

TEST_F(RemoteRunTest, ATargetThatVanishesBeforeAnythingWasMeasuredIsAnError) {
  before_invoke_ = [&] { target_.Vanish(); };
  const auto outcome = Run(MakeScenario());
  ASSERT_FALSE(outcome);
  EXPECT_EQ(ExitCodeFor(outcome.error().code()), 4);
}

TEST_F(RemoteRunTest, AnErrorOfTheTargetsEngineIsTheRunsError) {
  session_->fail_at_ = 6;
  const auto outcome = Run(MakeScenario());
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code(), ErrorCode::kEngineFailure);
  EXPECT_THAT(outcome.error().ToString(), HasSubstr("boom"));
}

TEST_F(RemoteRunTest, CancellingEndsTheRunInOrder) {
  int invokes = 0;
  before_invoke_ = [&] {
    if (++invokes == 8) cancel_.Cancel();
  };
  const auto outcome = Run(MakeScenario());
  ASSERT_TRUE(outcome) << outcome.error().ToString();
  EXPECT_FALSE(outcome->failure);
  EXPECT_FALSE(outcome->record.log.complete);
  EXPECT_GE(outcome->record.target->times.size(), 7U);
  EXPECT_EQ(outcome->record.target->clock.size(), 2U) << "the target was asked once more";
}

TEST_F(RemoteRunTest, AModelIsOptimisedOnTheTargetAndThenTested) {
  std::string asked;
  target_.backend.optimize = [&](const std::string& request) -> Result<std::string> {
    asked = request;
    KENNING_ASSIGN_OR_RETURN(const std::string sha256,
                             target_.store.Put(wire::testing::BytesOf("made on the target")));
    nlohmann::json answer = {{"sha256", sha256}, {"size", 18}, {"format", "fake"}};
    answer["io_spec"] = nlohmann::json::parse(
        R"({"input": [{"name": "x", "shape": [-1, 1], "dtype": "float32"}],
            "output": [{"name": "y", "shape": [-1, 3], "dtype": "float32",
                        "class_names": ["a", "b", "c"]}]})");
    answer["provenance"] = {{{"block", "Copying"}, {"framework", "there"}, {"version", "9"}}};
    return answer.dump();
  };
  const auto outcome = Run(OptimizingScenario(), {.optimize = true, .test = true});
  ASSERT_TRUE(outcome) << outcome.error().ToString();
  ExpectAllRight(outcome->record);
  EXPECT_EQ(ReadFile(folder_ / "out.fake").value(), "made on the target");
  EXPECT_EQ(optimised_.spec.outputs.at(0).class_names.size(), 3U);
  ASSERT_EQ(optimised_.provenance.size(), 1U);
  EXPECT_EQ(optimised_.provenance[0].version, "9");
  const auto kept = LoadArtifact(folder_ / "out.fake", "fake");
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->provenance.size(), 1U);
  ASSERT_EQ(outcome->record.target->optimisations.size(), 1U);
  EXPECT_EQ(target_.connections, 1) << "one connection for both steps";
  const auto request = nlohmann::json::parse(asked);
  EXPECT_EQ(request["optimizers"][0]["type"], "Copying");
  EXPECT_EQ(request["optimizers"][0]["parameters"], nlohmann::json::parse(R"({"level": 3})"));
}

TEST_F(RemoteRunTest, AModelThatIsAFolderComesBackAsOne) {
  ASSERT_TRUE(WriteFileAtomically(folder_ / "there" / "model.xml", "<net/>"));
  ASSERT_TRUE(WriteFileAtomically(folder_ / "there" / "parts" / "weights", "1234"));
  auto tar = TarOfTree::Create(folder_ / "there");
  ASSERT_TRUE(tar) << tar.error().ToString();
  std::vector<std::byte> bytes(tar->size_bytes());
  ASSERT_TRUE(tar->Read(0, bytes));
  target_.backend.optimize = [&](const std::string&) -> Result<std::string> {
    KENNING_ASSIGN_OR_RETURN(const std::string sha256, target_.store.Put(bytes));
    return nlohmann::json({{"sha256", sha256}, {"size", bytes.size()}, {"format", "fake"}}).dump();
  };
  const auto outcome = Run(OptimizingScenario(), {.optimize = true});
  ASSERT_TRUE(outcome) << outcome.error().ToString();
  EXPECT_EQ(ReadFile(folder_ / "out.fake" / "parts" / "weights").value(), "1234");
  EXPECT_EQ(optimised_.sha256, Sha256OfTree(folder_ / "there").value());
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    EXPECT_EQ(entry.path().string().find(".tmp-"), std::string::npos) << entry.path();
  }
}

TEST_F(RemoteRunTest, KenningsServerForgetsTheSpecificationAndItIsReadFromTheModel) {
  host_settings_.native = NativeMode::kOff;
  std::string asked;
  target_.backend.optimize = [&](const std::string& request) -> Result<std::string> {
    asked = request;
    KENNING_ASSIGN_OR_RETURN(const std::string sha256,
                             target_.store.Put(wire::testing::BytesOf("made on the target")));
    return nlohmann::json({{"sha256", sha256}, {"size", 18}, {"format", "fake"}}).dump();
  };
  const auto outcome = Run(OptimizingScenario(), {.optimize = true});
  ASSERT_TRUE(outcome) << outcome.error().ToString();
  EXPECT_EQ(ReadFile(folder_ / "out.fake").value(), "made on the target");
  EXPECT_EQ(optimised_.spec.engine_inputs().at(0).name, "x");
  ASSERT_EQ(optimised_.provenance.size(), 1U);
  EXPECT_EQ(optimised_.provenance[0].block, "Copying");
  EXPECT_THAT(asked, HasSubstr("kenning.optimizers.copying.Copying"));
}

TEST_F(RemoteRunTest, ThePlanSaysWhereThingsRunAndChecksOnlyWhatRunsHere) {
  auto plan = MakePlan(OptimizingScenario(), {.optimize = true, .test = true}, context_);
  ASSERT_TRUE(plan) << plan.error().ToString();
  EXPECT_THAT(DescribePlan(*plan), HasSubstr("target         memory://target (MemoryProtocol)"));
  EXPECT_THAT(DescribePlan(*plan), HasSubstr("out.fake, on the target"));
  EXPECT_THAT(DescribePlan(*plan), HasSubstr("FarRuntime, on the target"));
  EXPECT_EQ(target_.connections, 0) << "planning talks to nobody";

  Scenario without = OptimizingScenario();
  without.protocol.reset();
  without.runtime.reset();
  plan = MakePlan(std::move(without), {.optimize = true}, context_);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code(), ErrorCode::kInvalidScenario);
  EXPECT_THAT(plan.error().message(), HasSubstr("the scenario has no protocol block"));

  Scenario here = MakeScenario();
  here.protocol.reset();
  plan = MakePlan(std::move(here), {.test = true}, context_);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code(), ErrorCode::kUnavailable);
}

TEST(TimesOfTest, TimesThatCannotBeAreNotTaken) {
  wire::TargetClient::InferResult result;
  result.times = wire::InferTimes{10, 20, 30, 40};
  EXPECT_TRUE(TimesOf(result).on_target());
  for (const wire::InferTimes wrong :
       {wire::InferTimes{20, 10, 30, 40}, wire::InferTimes{10, 20, 15, 40},
        wire::InferTimes{10, 20, 30, 25}, wire::InferTimes{-10, 20, 30, 40},
        wire::InferTimes{10, 20, 30, std::numeric_limits<std::int64_t>::max()}}) {
    result.times = wrong;
    EXPECT_FALSE(TimesOf(result).on_target());
  }
}

}  // namespace
}  // namespace kenning
