// SPDX-License-Identifier: Apache-2.0
#include "cli/pipeline_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/commands.h"

namespace kenning {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class PipelineOptionsTest : public testing::Test {
 protected:
  PipelineOptionsTest() {
    BlockInfo runtime;
    runtime.category = BlockCategory::kRuntime;
    runtime.name = "SomeRuntime";
    runtime.schema = {{
        {.name = "num_threads",
         .type = ParamType::kInt,
         .description = "Threads of SomeRuntime.",
         .minimum = 1},
        {.name = "profiling", .type = ParamType::kBool},
        {.name = "providers", .type = ParamType::kStringList},
        {.name = "host", .type = ParamType::kString, .nullable = true},
    }};
    EXPECT_TRUE(registry_.Add(std::move(runtime)));
  }
  Result<PipelineOptions> Parse(std::vector<std::string> steps, std::vector<std::string> words) {
    return ParsePipelineOptions(steps, words, registry_);
  }
  static std::vector<std::string> Pairs(const PipelineOptions& options) {
    std::vector<std::string> pairs;
    for (const ScenarioOverride& one : options.overrides) {
      pairs.push_back(one.target + "=" + one.value);
    }
    return pairs;
  }
  Registry registry_;
};

TEST_F(PipelineOptionsTest, ParametersOfChosenClassesAreOptions) {
  const auto options = Parse({"test"}, {"--runtime-cls", "SomeRuntime", "--num-threads", "2",
                                        "--profiling", "--providers", "a", "b", "--max-samples=7"});
  ASSERT_TRUE(options) << options.error().ToString();
  EXPECT_THAT(Pairs(*options), ElementsAre("runtime.type=SomeRuntime", "--num-threads=2",
                                           "--profiling=", "--providers=a,b"));
  EXPECT_EQ(options->max_samples, 7U);
}

// As in Kenning's documents: "--host \\ --port 12345".
TEST_F(PipelineOptionsTest, TextThatMayBeNothingMayStandWithoutAValue) {
  const auto options =
      Parse({"test"}, {"--runtime-cls", "SomeRuntime", "--host", "--num-threads", "2"});
  ASSERT_TRUE(options) << options.error().ToString();
  EXPECT_THAT(Pairs(*options),
              ElementsAre("runtime.type=SomeRuntime", "--num-threads=2", "--host="));
  const auto given = Parse({"test"}, {"--runtime-cls", "SomeRuntime", "--host", "board"});
  ASSERT_TRUE(given) << given.error().ToString();
  EXPECT_THAT(Pairs(*given), Contains("--host=board"));
}

TEST_F(PipelineOptionsTest, OptimizersAreAListOfClasses) {
  const auto options = Parse({"optimize"}, {"--compiler-cls", "A", "B", "--set", "x.y=z=1"});
  ASSERT_TRUE(options) << options.error().ToString();
  EXPECT_THAT(Pairs(*options),
              ElementsAre("optimizers[0].type=A", "optimizers[1].type=B", "x.y=z=1"));
}

TEST_F(PipelineOptionsTest, HelpShowsTheChosenClasses) {
  const auto with = Parse({"test"}, {"--runtime-cls", "SomeRuntime", "-h"});
  ASSERT_TRUE(with);
  EXPECT_THAT(with->help, HasSubstr("Threads of SomeRuntime."));
  EXPECT_THAT(with->help, HasSubstr("Examples:"));
  const auto without = Parse({"report"}, {"--help"});
  ASSERT_TRUE(without);
  EXPECT_THAT(without->help, Not(HasSubstr("--set ")));
  EXPECT_THAT(without->help, HasSubstr("--report-path"));
}

TEST_F(PipelineOptionsTest, UnknownOptionsNameTheNearest) {
  const auto options = Parse({"test"}, {"--runtime-cls", "SomeRuntime", "--num-thread", "2"});
  ASSERT_FALSE(options);
  EXPECT_EQ(options.error().code(), ErrorCode::kInvalidScenario);
  EXPECT_THAT(options.error().message(), HasSubstr("--num-threads"));
}

TEST_F(PipelineOptionsTest, HelpIsReadable) {
  const auto run = Parse({"test"}, {"--runtime-cls", "SomeRuntime", "-h"});
  ASSERT_TRUE(run);
  EXPECT_THAT(run->help, Not(HasSubstr("… ...")));
  EXPECT_THAT(run->help, Not(HasSubstr(" in [")));
  EXPECT_THAT(run->help, HasSubstr("--measurements FILE  "));
  EXPECT_THAT(run->help, HasSubstr("At least 1."));
  EXPECT_THAT(run->help, testing::ContainsRegex("--runtime-cls CLASS +What runs the model"));
  const auto report = Parse({"report"}, {"-h"});
  ASSERT_TRUE(report);
  EXPECT_THAT(report->help, HasSubstr("--measurements FILE ..."));
}

TEST_F(PipelineOptionsTest, AnOptionOfAClassThatIsNotChosenNamesTheClass) {
  const auto options = Parse({"test"}, {"--set", "model_wrapper.type=X", "--num-threads", "2"});
  ASSERT_TRUE(options);  // X is unknown and may have the option.
  const auto set = Parse({"test"}, {"--max-samples", "5", "--num-threads", "2"});
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().message(),
            "there is no option --num-threads here; it is a parameter of SomeRuntime, which "
            "--runtime-cls SomeRuntime adds");
}

TEST_F(PipelineOptionsTest, TheValueOfAnUnknownOptionIsNoSecondMistake) {
  const auto options = Parse({"test"}, {"--runtime-cls", "SomeRuntime", "--num-thread", "2"});
  ASSERT_FALSE(options);
  EXPECT_THAT(options.error().message(), Not(HasSubstr("\"2\"")));
  const auto stray = Parse({"test"}, {"stray", "--max-samples", "5"});
  ASSERT_FALSE(stray);
  EXPECT_THAT(stray.error().message(), HasSubstr("\"stray\" is not expected here"));
}

TEST_F(PipelineOptionsTest, AReportAloneTakesAScenario) {
  const auto options = Parse({"report"}, {"--cfg", "x.json"});
  ASSERT_TRUE(options) << options.error().ToString();
  EXPECT_EQ(options->cfg, "x.json");
  EXPECT_FALSE(Parse({"report"}, {"--cfg", "x.json", "--num-threads", "2"}));
}

TEST_F(PipelineOptionsTest, WhatDoesNotGoTogetherIsRefused) {
  EXPECT_FALSE(Parse({"report"}, {}));
  EXPECT_FALSE(Parse({"test"}, {}));
  EXPECT_FALSE(Parse({"optimize", "report"}, {"--cfg", "x.json"}));
  EXPECT_FALSE(Parse({"test"}, {"--cfg", "x.json", "--measurements", "a", "b"}));
  EXPECT_FALSE(Parse({"test"}, {"--cfg", "x.json", "--set", "nonsense"}));
  EXPECT_FALSE(Parse({"test"}, {"--cfg", "x.json", "--warm-up", "-1"}));
  EXPECT_FALSE(Parse({"report"}, {"--measurements", "a", "b", "c", "--model-names", "x", "y"}));
}

TEST_F(PipelineOptionsTest, InferenceTesterNamesItsClassesByPlace) {
  EXPECT_THAT(InferenceTesterWords({"W", "C", "R", "D", "out.json", "--host", "x"}),
              ElementsAre("--modelwrapper-cls", "W", "--compiler-cls", "C", "--runtime-cls", "R",
                          "--dataset-cls", "D", "--measurements", "out.json", "--host", "x"));
}

TEST_F(PipelineOptionsTest, FlagsForCompletion) {
  const auto flags = PipelineFlags({"test"}, {"--runtime-cls", "SomeRuntime"}, registry_);
  EXPECT_THAT(flags, Contains("--num-threads"));
  EXPECT_THAT(flags, Contains("--cfg"));
}

}  // namespace
}  // namespace kenning
