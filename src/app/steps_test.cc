// SPDX-License-Identifier: Apache-2.0
// The steps with blocks that need no engine.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/app.h"
#include "app/make_blocks.h"
#include "app/testing_blocks.h"
#include "kenning/base/file.h"

namespace kenning {
namespace {

using testing::HasSubstr;

constexpr const char* kModel = "model bytes";

class FakeRuntime final : public Runtime {
 public:
  EngineVersion engine() const override { return {"fake", "1"}; }
  Result<std::unique_ptr<Session>> Load(const std::filesystem::path& path,
                                        const std::string&) override {
    loaded_ = path;
    return std::make_unique<testing_blocks::RemainderSession>(kAnyDim, DType::kFloat32);
  }
  std::filesystem::path model_path() const override { return {}; }
  static inline std::filesystem::path loaded_;
};

/// Copies the model; asks for a calibration sample only where told to.
class CopyingOptimizer final : public Optimizer {
 public:
  CopyingOptimizer(std::filesystem::path output, bool calibrates)
      : output_(std::move(output)), calibrates_(calibrates) {}
  Result<ModelArtifact> Optimize(const ModelArtifact& input, OptimizeContext& context) override {
    std::vector<Tensor> sample;
    if (calibrates_) KENNING_RETURN_IF_ERROR(context.calibration->Get(0, sample));
    ModelArtifact artifact = input;
    artifact.path = output_;
    KENNING_RETURN_IF_ERROR(WriteFileAtomically(output_, kModel));
    return artifact;
  }
  std::filesystem::path output_path() const override { return output_; }
  std::string output_format(const std::string& format) const override { return format; }

 private:
  std::filesystem::path output_;
  bool calibrates_;
};

class StepsTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    ASSERT_TRUE(WriteFileAtomically(folder_ / "in.fake", kModel));
    optimizer_path_ = folder_ / "out.fake";
    const auto add = [this](BlockCategory category, const char* name) -> BlockInfo& {
      BlockInfo& info = infos_.emplace_back(std::make_unique<BlockInfo>()).operator*();
      info.category = category;
      info.name = name;
      info.accepts = {"fake"};
      return info;
    };
    add(BlockCategory::kDataset, "Counting").make_dataset = [](const Params&, BlockContext&) {
      return std::make_unique<testing_blocks::CountingDataset>(1);
    };
    add(BlockCategory::kModelWrapper, "PassThrough").make_model_wrapper =
        [this](const Params&, const Dataset*, BlockContext&) {
          ModelArtifact model;
          model.path = folder_ / "in.fake";
          model.format = "fake";
          return std::make_unique<testing_blocks::PassThrough>(std::move(model));
        };
    add(BlockCategory::kOptimizer, "Copying").make_optimizer = [this](const Params&,
                                                                      BlockContext&) {
      return std::make_unique<CopyingOptimizer>(optimizer_path_, calibrates_);
    };
    add(BlockCategory::kRuntime, "FakeRuntime").make_runtime = [](const Params&, BlockContext&) {
      return std::make_unique<FakeRuntime>();
    };
    add(BlockCategory::kPlatform, "FakePlatform").make_platform = [](const Params&, BlockContext&) {
      return std::make_unique<testing_blocks::FakePlatform>();
    };
    registry_.AddInspector(
        {"fake", {".fake"}, [](const std::filesystem::path&) { return ModelSpec{}; }});
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

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
    scenario.runtime = Block(3);
    scenario.platform = Block(4);
    return scenario;
  }
  Plan MakeTestPlan() const {
    Plan plan;
    plan.scenario = MakeScenario();
    plan.model_format = "fake";
    plan.formats = {"fake"};
    return plan;
  }

  Result<ModelArtifact> OptimizeStep(const Plan& plan) {
    KENNING_ASSIGN_OR_RETURN(const Blocks made, MakeBlocks(plan, context_));
    return RunOptimize(plan, made, context_);
  }
  Result<RunRecord> TestStep(const Plan& plan, const TestOptions& options) {
    KENNING_ASSIGN_OR_RETURN(const Blocks made, MakeBlocks(plan, context_));
    KENNING_ASSIGN_OR_RETURN(TestOutcome outcome, RunTest(plan, options, made, context_));
    return std::move(outcome.record);
  }

  std::filesystem::path folder_;
  std::filesystem::path optimizer_path_;
  bool calibrates_ = false;
  std::vector<std::unique_ptr<BlockInfo>> infos_;
  Registry registry_;
  NullProgress progress_;
  CancelToken cancel_;
  AppContext context_{registry_, progress_, cancel_};
};

TEST_F(StepsTest, OnlyAnOptimizerThatAsksNeedsCalibrationSamples) {
  Plan plan = MakeTestPlan();
  plan.scenario.optimizers = {Block(2)};
  const auto copied = OptimizeStep(plan);
  ASSERT_TRUE(copied) << copied.error().ToString();
  EXPECT_EQ(copied->path, optimizer_path_);
  calibrates_ = true;
  const auto refused = OptimizeStep(plan);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_THAT(refused.error().message(), HasSubstr("external_calibration_dataset"));
}

TEST_F(StepsTest, TheModelNameNamesARunThatHasNoOther) {
  Plan plan = MakeTestPlan();
  plan.scenario.model_wrapper->params = Params(Values{{"model_name", "Remainders"}});
  auto record = TestStep(plan, {.sample_interval_s = 10});
  ASSERT_TRUE(record) << record.error().ToString();
  EXPECT_EQ(record->name, "Remainders");
  record = TestStep(plan, {.name = "given", .sample_interval_s = 10});
  ASSERT_TRUE(record);
  EXPECT_EQ(record->name, "given");
  plan.scenario.model_wrapper->params = Params(Values{{"model_name", ParamValue{}}});
  EXPECT_EQ(TestStep(plan, {.sample_interval_s = 10})->name, "");
}

TEST_F(StepsTest, AFileUriNamesTheOptimisedModel) {
  Plan plan = MakeTestPlan();
  plan.scenario.optimizers = {
      Block(2, {{"compiled_model_path", "file://" + (folder_ / "in.fake").string()}})};
  const auto record = TestStep(plan, {.sample_interval_s = 10});
  ASSERT_TRUE(record) << record.error().ToString();
  EXPECT_EQ(FakeRuntime::loaded_, folder_ / "in.fake");
}

TEST_F(StepsTest, OutputsThatAreNoPathsAreMistakesOfTheScenario) {
  Scenario scenario = MakeScenario();
  scenario.optimizers = {Block(2, {{"compiled_model_path", "https://example.org/out.fake"}})};
  scenario.runtime->params = Params(Values{{"save_model_path", "kenning:///models/out.fake"}});
  const auto plan = MakePlan(std::move(scenario), {.optimize = true, .test = true}, context_);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code(), ErrorCode::kInvalidScenario);
  EXPECT_THAT(plan.error().message(), HasSubstr("https://example.org/out.fake"));
  EXPECT_THAT(plan.error().message(), HasSubstr("save_model_path kenning:///models/out.fake"));

  scenario = MakeScenario();
  scenario.optimizers = {
      Block(2, {{"compiled_model_path", "file://" + (folder_ / "new" / "out.fake").string()}})};
  const auto good = MakePlan(std::move(scenario), {.optimize = true, .test = true}, context_);
  EXPECT_TRUE(good) << good.error().ToString();
}

TEST_F(StepsTest, ATestAlonePlansTheOptimisedModelAndFailsWithoutIt) {
  const auto plan = [this] {
    Scenario scenario = MakeScenario();
    scenario.optimizers = {Block(2, {{"compiled_model_path", optimizer_path_.string()}})};
    return MakePlan(std::move(scenario), {.test = true}, context_);
  };
  const auto missing = plan();
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message(), HasSubstr("the optimised model is not there"));
  ASSERT_TRUE(WriteFileAtomically(optimizer_path_, kModel));
  const auto there = plan();
  ASSERT_TRUE(there) << there.error().ToString();
  EXPECT_THAT(DescribePlan(*there), HasSubstr("  runs         " + optimizer_path_.string()));
}

TEST_F(StepsTest, AWrapperOfOneFormatRefusesOthers) {
  infos_[1]->produces = {"other", "another"};
  const auto refused = MakePlan(MakeScenario(), {.test = true}, context_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidScenario);
  EXPECT_THAT(refused.error().message(),
              HasSubstr("PassThrough takes models of format other, another, this one is fake"));
  infos_[1]->produces = {"other", "fake"};
  EXPECT_TRUE(MakePlan(MakeScenario(), {.test = true}, context_));
}

TEST_F(StepsTest, ThePlanShowsParametersThatAreNotAsByDefault) {
  infos_[3]->schema.params = {
      {.name = "num_threads",
       .type = ParamType::kInt,
       .default_value = ParamValue{std::int64_t{1}}},
      {.name = "mode", .type = ParamType::kString, .default_value = ParamValue{"plain"}},
      {.name = "place", .type = ParamType::kPath, .nullable = true}};
  Scenario scenario = MakeScenario();
  scenario.runtime->params =
      Params(Values{{"num_threads", std::int64_t{2}}, {"mode", "plain"}, {"place", ParamValue{}}});
  const auto plan = MakePlan(std::move(scenario), {.test = true}, context_);
  ASSERT_TRUE(plan) << plan.error().ToString();
  EXPECT_THAT(DescribePlan(*plan), HasSubstr("FakeRuntime\n  with         num_threads=2\n"));
}

}  // namespace
}  // namespace kenning
