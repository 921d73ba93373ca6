// SPDX-License-Identifier: Apache-2.0
#include "scenario/scenario.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

namespace kenning {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

BlockInfo Block(BlockCategory category, std::string name, ParamSchema schema) {
  BlockInfo block;
  block.category = category;
  block.name = std::move(name);
  block.summary = "A block for tests.";
  block.schema = std::move(schema);
  return block;
}

ParamSchema OptimizerSchema() {
  return {{
      {.name = "compiled_model_path",
       .type = ParamType::kUri,
       .description = "Where to.",
       .required = true,
       .aliases = {"output_path"}},
      {.name = "target",
       .type = ParamType::kString,
       .description = "Type.",
       .default_value = ParamValue{std::string("default")},
       .allowed = {"default", "int8"}},
      {.name = "opset",
       .type = ParamType::kInt,
       .description = "Opset.",
       .default_value = ParamValue{std::int64_t{13}},
       .minimum = 7,
       .maximum = 25},
      {.name = "percentile",
       .type = ParamType::kFloat,
       .description = "Share.",
       .default_value = ParamValue{99.5},
       .minimum = 0,
       .maximum = 100},
      {.name = "excluded",
       .type = ParamType::kStringList,
       .description = "Nodes.",
       .default_value = ParamValue{std::vector<std::string>{}}},
  }};
}

Registry MakeRegistry() {
  Registry registry;
  BlockInfo dataset = Block(BlockCategory::kDataset, "SomeDataset",
                            {{{.name = "dataset_root",
                               .type = ParamType::kPath,
                               .description = "Folder.",
                               .required = true},
                              {.name = "inference_batch_size",
                               .type = ParamType::kInt,
                               .description = "Batch.",
                               .default_value = ParamValue{std::int64_t{1}},
                               .minimum = 1},
                              {.name = "download_dataset",
                               .type = ParamType::kBool,
                               .description = "Download.",
                               .default_value = ParamValue{true}},
                              {.name = "input_dims",
                               .type = ParamType::kIntList,
                               .description = "Dimensions.",
                               .default_value = ParamValue{},
                               .nullable = true}}});
  dataset.aliases = {"kenning.datasets.some.SomeDataset"};
  EXPECT_TRUE(registry.Add(dataset));
  EXPECT_TRUE(registry.Add(Block(BlockCategory::kModelWrapper, "SomeModel",
                                 {{{.name = "model_path",
                                    .type = ParamType::kUri,
                                    .description = "Model.",
                                    .required = true}}})));
  EXPECT_TRUE(registry.Add(Block(BlockCategory::kOptimizer, "SomeCompiler", OptimizerSchema())));
  EXPECT_TRUE(registry.Add(Block(BlockCategory::kRuntime, "SomeRuntime",
                                 {{{.name = "num_threads",
                                    .type = ParamType::kInt,
                                    .description = "Threads.",
                                    .default_value = ParamValue{std::int64_t{0}}}}})));
  EXPECT_TRUE(registry.Add(Block(BlockCategory::kRuntime, "BareRuntime", {})));
  RegisterKnownClasses(registry);
  return registry;
}

Result<Scenario> Parse(std::string_view text, std::vector<ScenarioOverride> overrides = {},
                       const std::string& file = "s.json") {
  static const Registry registry = MakeRegistry();
  return ParseScenario(text, file, registry, overrides);
}

std::string ErrorOf(std::string_view text, std::vector<ScenarioOverride> overrides = {},
                    const std::string& file = "s.json") {
  const auto result = Parse(text, std::move(overrides), file);
  EXPECT_FALSE(result) << text;
  if (result) return "";
  EXPECT_TRUE(result.error().code() == ErrorCode::kInvalidScenario ||
              result.error().code() == ErrorCode::kUnavailable);
  return result.error().message();
}

constexpr const char* kGood = R"({
  "model_wrapper": {"type": "SomeModel", "parameters": {"model_path": "m.onnx"}},
  "dataset": {
    "type": "kenning.datasets.some.SomeDataset",
    "parameters": {"dataset_root": "data", "input_dims": [1, 28, 28]}
  },
  "optimizers": [
    {"type": "SomeCompiler", "parameters": {"compiled_model_path": "a.onnx", "percentile": 99}},
    {"type": "SomeCompiler", "parameters": {"output_path": "b.onnx", "target": "int8"}}
  ],
  "runtime": {"type": "SomeRuntime"},
  "protocol": null
})";

TEST(ScenarioTest, ReadsBlocksDefaultsAndPositions) {
  const auto scenario = Parse(kGood);
  ASSERT_TRUE(scenario) << scenario.error().message();
  EXPECT_EQ(scenario->path, "s.json");
  EXPECT_EQ(scenario->dataset->info->name, "SomeDataset");
  EXPECT_EQ(scenario->dataset->type, "kenning.datasets.some.SomeDataset");
  EXPECT_EQ(scenario->dataset->params.Int("inference_batch_size"), 1);
  EXPECT_EQ(scenario->dataset->params.IntList("input_dims"),
            (std::vector<std::int64_t>{1, 28, 28}));
  ASSERT_EQ(scenario->optimizers.size(), 2U);
  EXPECT_EQ(scenario->optimizers[0].params.Float("percentile"), 99.0);
  EXPECT_EQ(scenario->optimizers[1].params.String("compiled_model_path"), "b.onnx");
  EXPECT_EQ(scenario->optimizers[1].key_path, "optimizers[1]");
  EXPECT_EQ(ToString(scenario->optimizers[1].where), "s.json:9:5");
  EXPECT_EQ(ToString(scenario->dataset->where), "s.json:3:14");
  EXPECT_FALSE(scenario->protocol);
  EXPECT_TRUE(scenario->warnings.empty());
}

TEST(ScenarioTest, YamlIsTheSameScenario) {
  const auto yaml = Parse(R"(# a comment
model_wrapper: {type: SomeModel, parameters: {model_path: m.onnx}}
dataset:
  type: SomeDataset
  parameters:
    dataset_root: data
    input_dims: [1, 28, 28]
optimizers:
  - type: SomeCompiler
    parameters: {compiled_model_path: a.onnx, percentile: 99}
  - type: SomeCompiler
    parameters:
      compiled_model_path: b.onnx
      target: int8
runtime:
  type: SomeRuntime
  parameters:
)",
                          {}, "s.yaml");
  ASSERT_TRUE(yaml) << yaml.error().message();
  EXPECT_EQ(yaml->canonical_json, Parse(kGood)->canonical_json);
  EXPECT_EQ(ToString(yaml->optimizers[1].where), "s.yaml:11:5");
}

TEST(ScenarioTest, TheCanonicalFormReadsAsItself) {
  const auto scenario = Parse(kGood);
  const auto again = Parse(scenario->canonical_json);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(again->canonical_json, scenario->canonical_json);
}

TEST(ScenarioTest, ContentDecidesWhereTheNameDoesNot) {
  EXPECT_TRUE(Parse(R"( {"runtime": {"type": "SomeRuntime"}})", {}, "scenario"));
  EXPECT_TRUE(Parse("runtime: {type: SomeRuntime}", {}, "scenario.cfg"));
}

TEST(ScenarioTest, YamlScalarsFollowTheirQuotes) {
  const auto good = Parse(
      "dataset: {type: SomeDataset, parameters: {dataset_root: \"12\", download_dataset: no}}", {},
      "s.yml");
  ASSERT_TRUE(good) << good.error().message();
  EXPECT_FALSE(good->dataset->params.Bool("download_dataset"));
  EXPECT_EQ(good->dataset->params.String("dataset_root"), "12");
  EXPECT_THAT(ErrorOf("dataset: {type: SomeDataset, parameters: {dataset_root: 12}}", {}, "s.yml"),
              HasSubstr("s.yml:1:57: dataset.parameters.dataset_root: found 12; allowed: path; "
                        "put it in quotes"));
  EXPECT_THAT(ErrorOf("dataset: {type: SomeDataset, parameters: {dataset_root: x, "
                      "download_dataset: \"no\"}}",
                      {}, "s.yml"),
              HasSubstr("found \"no\"; allowed: bool; write true or false"));
}

TEST(ScenarioTest, TrailingCommasAreToleratedWithAWarning) {
  const auto scenario =
      Parse("{\"optimizers\": [],\n \"runtime\": {\"type\": \"SomeRuntime\"},\n}");
  ASSERT_TRUE(scenario) << scenario.error().message();
  ASSERT_EQ(scenario->warnings.size(), 1U);
  EXPECT_THAT(scenario->warnings[0], HasSubstr("s.json:2:36: trailing comma ignored"));
  ErrorOf("{,}");
  ErrorOf("{\"optimizers\": [,]}");
  ErrorOf("{\"optimizers\": [],, }");
}

TEST(ScenarioTest, OldKeysAndUnusedKeys) {
  EXPECT_THAT(ErrorOf(R"({"runtime_protocol":
      {"type": "kenning.runtimeprotocols.ros2.ROS2Protocol", "parameters": {"port": 1}}})"),
              HasSubstr("known to Kenning, not available here, because"));
  const auto unused = Parse(R"({"name": "x", "dataconverter": {"type": "Any"}})");
  ASSERT_TRUE(unused);
  ASSERT_EQ(unused->warnings.size(), 1U);
  EXPECT_THAT(unused->warnings[0], HasSubstr("\"dataconverter\" is ignored"));
  EXPECT_THAT(ErrorOf(R"({"protocol": null, "runtime_protocol": null})"),
              HasSubstr("another spelling of \"protocol\""));
}

struct Bad {
  const char* text;
  const char* message;
};

class BadParameterTest : public ::testing::TestWithParam<Bad> {};

TEST_P(BadParameterTest, SaysWhereWhatAndWhatIsAllowed) {
  const std::string text =
      R"({"optimizers": [{"type": "SomeCompiler", "parameters": {"compiled_model_path": "x", )" +
      std::string(GetParam().text) + "}}]}";
  EXPECT_THAT(ErrorOf(text), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadParameterTest,
    ::testing::Values(
        Bad{R"("target": "int9")",
            "s.json:1:95: optimizers[0].parameters.target: found \"int9\"; "
            "allowed: default, int8; did you mean \"int8\"?"},
        Bad{R"("target": 3)", "found 3; allowed: string (default, int8)"},
        Bad{R"("target": null)", "found null; allowed: string"},
        Bad{R"("opset": "13")", "found \"13\"; allowed: int"},
        Bad{R"("opset": 13.0)", "found 13.0; allowed: int"},
        Bad{R"("opset": 3)", "found 3; must be at least 7 and at most 25"},
        Bad{R"("opset": 99999999999999999999)", "allowed: int"},
        Bad{R"("percentile": 100.5)", "found 100.5; must be"},
        Bad{R"("percentile": true)", "found true; allowed: float"},
        Bad{R"("excluded": "conv1")", "found \"conv1\"; allowed: list of strings; put it in [ ]"},
        Bad{R"("excluded": ["a", 2])", "element 1 is 2; allowed: list of strings"},
        Bad{R"("excluded": {})", "found an object; allowed: list of strings"},
        Bad{R"("targt": "int8")",
            "optimizers[0].parameters: SomeCompiler has no parameter \"targt\"; "
            "did you mean \"target\"?"},
        Bad{R"("zzzz": 1)", "\"kenning info SomeCompiler\" shows all"},
        Bad{R"("output_path": "y")", "keep one of them"},
        Bad{R"("opset": 13, "opset": 14)", "the key \"opset\" was given before, on line 1"}));

TEST(ScenarioTest, ReportsEverythingAtOnceInTheOrderOfTheFile) {
  const std::string message = ErrorOf(R"({
  "runtme": {"type": "SomeRuntime"},
  "model_wrapper": {"type": "SomeModl", "parameters": {"model_path": 3}},
  "dataset": {"type": "SomeDataset", "parameters": {"inference_batch_size": "one"}},
  "optimizers": {"type": "SomeCompiler"},
  "runtime": {"typ": "SomeRuntime"}
})");
  EXPECT_EQ(
      message,
      R"(s.json:2:3: unknown key "runtme"; did you mean "runtime"? (known: platform, dataset, )"
      R"(model_wrapper, optimizers, runtime, protocol, runtime_builder, report)
s.json:3:29: model_wrapper.type: no model wrapper is called "SomeModl"; did you mean "SomeModel"? )"
      R"(("kenning list" shows all)
s.json:4:14: dataset: SomeDataset needs the parameter "dataset_root" (path): Folder.
s.json:4:77: dataset.parameters.inference_batch_size: found "one"; allowed: int
s.json:5:17: optimizers: found an object; allowed: a list of blocks; put it in [ ]
s.json:6:14: runtime: the key "type" is missing: name the class
s.json:6:15: runtime: unknown key "typ"; did you mean "type"? (known: type, parameters))");
}

TEST(ScenarioTest, AnAbsentClassAloneIsUnavailable) {
  const auto absent = Parse(R"({"runtime": {"type": "kenning.runtimes.tflite.TFLiteRuntime"}})");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(absent.error().message(),
              HasSubstr("s.json:1:22: runtime.type: TFLiteRuntime is known to Kenning, not "
                        "available here, because"));
  const auto both = Parse(R"({"runtime": {"type": "TFLiteRuntime"}, "x": 1})");
  EXPECT_EQ(both.error().code(), ErrorCode::kInvalidScenario);
}

TEST(ScenarioTest, WrongShapes) {
  EXPECT_THAT(ErrorOf("[]"), HasSubstr("s.json:1:1: found a list; a scenario is an object"));
  EXPECT_THAT(ErrorOf("3"), HasSubstr("found 3"));
  EXPECT_THAT(ErrorOf(""), HasSubstr("the file is empty"));
  EXPECT_THAT(ErrorOf(" \n ", {}, "s.yaml"), HasSubstr("the file is empty"));
  EXPECT_THAT(ErrorOf("# only a comment", {}, "s.yaml"), HasSubstr("found null"));
  EXPECT_THAT(ErrorOf(R"({"runtime": "SomeRuntime"})"), HasSubstr("allowed: an object"));
  EXPECT_THAT(ErrorOf(R"({"runtime": {"type": 3}})"), HasSubstr("runtime.type: found 3"));
  EXPECT_THAT(ErrorOf(R"({"runtime": {"type": "SomeRuntime", "parameters": []}})"),
              HasSubstr("runtime.parameters: found a list"));
}

TEST(ScenarioTest, MalformedJsonHasAPosition) {
  EXPECT_THAT(ErrorOf("{\n  \"runtime\": {\"type\": \"SomeRuntime\"},\n  \"dataset\": \n}"),
              HasSubstr("s.json:4:1: this is not JSON: syntax error"));
  EXPECT_THAT(ErrorOf("{\"a\": 1 // comment\n}"), HasSubstr("s.json:1:9: this is not JSON"));
  EXPECT_THAT(ErrorOf("{\"runtime\": {\"type\": \"SomeRuntime\"}} x"), HasSubstr("s.json:1:3"));
  EXPECT_THAT(ErrorOf("{\"a\": 1e999}"), HasSubstr("s.json:1:"));
  EXPECT_THAT(ErrorOf("{\"a\": \"\xff\"}"), HasSubstr("s.json:1:8: this is not UTF-8 text"));
  EXPECT_THAT(ErrorOf("\xEF\xBB\xBF{\"a\": tru}"), HasSubstr("this is not JSON"));
  ErrorOf("{\"a\": \"unterminated");
  ErrorOf("{\"a\": \"\\");
  ErrorOf(std::string_view("{\"a\"\0: 1}", 9));
}

TEST(ScenarioTest, MalformedYamlHasAPosition) {
  EXPECT_THAT(ErrorOf("runtime:\n  type: X\n   parameters: {", {}, "s.yaml"),
              HasSubstr("s.yaml:3:"));
  EXPECT_THAT(ErrorOf("runtime: {type: A}\nruntime: {type: B}", {}, "s.yaml"),
              HasSubstr("s.yaml:2:1: the key \"runtime\" was given before, on line 1"));
  EXPECT_THAT(ErrorOf("runtime: !!python/object:os.system {}", {}, "s.yaml"), HasSubstr("the tag"));
  EXPECT_THAT(ErrorOf("runtime: {}\n---\nruntime: {}", {}, "s.yaml"),
              HasSubstr("a second document"));
  EXPECT_THAT(ErrorOf("? [a]\n: b", {}, "s.yaml"), HasSubstr("as a key"));
  EXPECT_THAT(ErrorOf("runtime: *nowhere", {}, "s.yaml"), HasSubstr("s.yaml:1:"));
  EXPECT_THAT(ErrorOf("runtime: &a [*a]", {}, "s.yaml"), HasSubstr("s.yaml:1:"));
  EXPECT_THAT(ErrorOf("<<: {}", {}, "s.yaml"), HasSubstr("merge key"));
}

TEST(ScenarioTest, YamlAliasesWork) {
  const auto scenario = Parse(
      "optimizers:\n"
      "  - &first {type: SomeCompiler, parameters: {compiled_model_path: a}}\n"
      "  - *first\n",
      {}, "s.yaml");
  ASSERT_TRUE(scenario) << scenario.error().message();
  EXPECT_EQ(scenario->optimizers.size(), 2U);
}

TEST(ScenarioTest, BombsAreRefusedQuickly) {
  std::string lol = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    lol += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) lol += (j ? ", *a" : "*a") + std::to_string(i - 1);
    lol += "]\n";
  }
  EXPECT_THAT(ErrorOf(lol, {}, "s.yaml"), HasSubstr("s.yaml:"));
  const std::string deep(100'000, '[');
  EXPECT_THAT(ErrorOf(deep), HasSubstr("nested deeper than 64 levels"));
  EXPECT_THAT(ErrorOf(deep, {}, "s.yaml"), HasSubstr("s.yaml:1:"));
  EXPECT_THAT(ErrorOf("{\"a\": " + deep), HasSubstr("nested deeper"));
  std::string wide = "[1";
  for (int i = 0; i < 200'000; ++i) wide += ",1";
  EXPECT_THAT(ErrorOf(wide + "]"), HasSubstr("more than 100000 values"));
  EXPECT_THAT(ErrorOf(std::string((16U << 20U) + 1, ' ')), HasSubstr("bytes; a scenario may have"));
  EXPECT_THAT(ErrorOf(std::string((1U << 20U) + 1, ' '), {}, "s.yaml"), HasSubstr("1048576"));
}

TEST(ScenarioTest, MessagesAreSafeForATerminal) {
  const std::string message = ErrorOf("{\"\\u001b[31mred\": 1, \"runtime\": {\"type\": \"\\u0007" +
                                      std::string(9000, 'x') + "\"}}");
  EXPECT_THAT(message, Not(HasSubstr("\x1b")));
  EXPECT_THAT(message, HasSubstr("\\x1b[31mred"));
  EXPECT_LT(message.size(), 2000U);
}

TEST(ScenarioTest, ManyProblemsAreCut) {
  std::string text = "{";
  for (int i = 0; i < 300; ++i) text += "\"k" + std::to_string(i) + "\": 1,";
  EXPECT_THAT(ErrorOf(text + "\"k\": 1}"), HasSubstr("and 251 more"));
}

TEST(OverrideTest, FlagsAndKeyPathsReplaceAndAdd) {
  const auto scenario = Parse(kGood, {{"--dataset-root", "elsewhere"},
                                      {"--num-threads", "4"},
                                      {"optimizers[1].parameters.opset", "17"},
                                      {"optimizers[0].excluded", "a,b"},
                                      {"dataset.input_dims", "null"}});
  ASSERT_TRUE(scenario) << scenario.error().message();
  EXPECT_EQ(scenario->dataset->params.String("dataset_root"), "elsewhere");
  EXPECT_FALSE(scenario->dataset->params.Has("input_dims"));
  EXPECT_EQ(scenario->runtime->params.Int("num_threads"), 4);
  EXPECT_EQ(scenario->optimizers[1].params.Int("opset"), 17);
  EXPECT_EQ(scenario->optimizers[0].params.Int("opset"), 13);
  EXPECT_EQ(scenario->optimizers[0].params.StringList("excluded").size(), 2U);
}

TEST(OverrideTest, ReplacesAWrongValue) {
  const char* text = R"({"dataset": {"type": "SomeDataset", "parameters": {"dataset_root": 3}}})";
  EXPECT_TRUE(Parse(text, {{"--dataset-root", "data"}}));
}

TEST(OverrideTest, ClassesMakeAScenarioFromNothing) {
  const auto scenario = Parse("{}", {{"dataset.type", "SomeDataset"},
                                     {"--dataset-root", "data"},
                                     {"optimizers[0].type", "SomeCompiler"},
                                     {"--compiled-model-path", "x.onnx"}});
  ASSERT_TRUE(scenario) << scenario.error().message();
  EXPECT_EQ(scenario->dataset->params.String("dataset_root"), "data");
  EXPECT_EQ(scenario->dataset->where.file, "command line");
  EXPECT_EQ(scenario->optimizers.size(), 1U);
}

TEST(OverrideTest, AnotherClassDropsParametersThatItDoesNotHave) {
  const auto scenario =
      Parse(R"({"runtime": {"type": "SomeRuntime", "parameters": {"num_threads": 2}}})",
            {{"runtime.type", "BareRuntime"}});
  ASSERT_TRUE(scenario) << scenario.error().message();
  ASSERT_EQ(scenario->warnings.size(), 1U);
  EXPECT_THAT(scenario->warnings[0], HasSubstr("the command line chose BareRuntime"));
}

TEST(OverrideTest, MistakesNameTheRemedy) {
  EXPECT_THAT(ErrorOf(kGood, {{"--opset", "17"}}),
              HasSubstr("command line: --opset: several blocks have this parameter; say which: "
                        "--set optimizers[0].opset=17 or --set optimizers[1].opset=17"));
  EXPECT_THAT(ErrorOf(kGood, {{"--dataset-rot", "x"}}), HasSubstr("did you mean --dataset-root?"));
  EXPECT_THAT(ErrorOf(kGood, {{"--num-threads", "four"}}),
              HasSubstr("command line: --num-threads: found \"four\"; allowed: int"));
  EXPECT_THAT(ErrorOf(kGood, {{"optimizers[0].target", "int9"}}),
              HasSubstr("did you mean \"int8\"?"));
  EXPECT_THAT(ErrorOf(kGood, {{"optimizers[7].opset", "9"}}),
              HasSubstr("the scenario has no optimizers[7]"));
  EXPECT_THAT(ErrorOf(kGood, {{"optimizers[7].type", "SomeCompiler"}}),
              HasSubstr("none can be added there"));
  EXPECT_THAT(ErrorOf(kGood, {{"runtime.parameters.num_thread", "9"}}),
              HasSubstr("did you mean num_threads?"));
  for (const char* path :
       {"", ".", "runtime", "runtime[0].x", "optimizers[x].y", "optimizers[", "optimizers[-1].y",
        "nothing.x", "runtime.a.b.c", "optimizers[99999999999999999999].y"}) {
    EXPECT_THAT(ErrorOf(kGood, {{path, "1"}}), HasSubstr("not a key path")) << path;
  }
}

TEST(ScenarioTest, LoadingAMissingFileNamesIt) {
  const Registry registry;
  const auto missing = LoadScenario("/nonexistent/s.json", registry);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().ToString(), HasSubstr("/nonexistent/s.json"));
}

TEST(PeekBlocksTest, NamesClassesWithoutCheckingParameters) {
  const Registry registry = MakeRegistry();
  const std::vector<ScenarioOverride> overrides = {{"dataset.type", "SomeDataset"}};
  const BlockChoices choices = PeekBlocks("", registry, overrides);
  EXPECT_TRUE(choices.complete);
  ASSERT_EQ(choices.blocks.size(), 1U);
  EXPECT_EQ(choices.blocks[0].key_path, "dataset");
  EXPECT_EQ(choices.blocks[0].info->name, "SomeDataset");
  EXPECT_FALSE(PeekBlocks("/nonexistent/s.json", registry, {}).complete);
  const std::vector<ScenarioOverride> unknown = {{"runtime.type", "Nothing"}};
  EXPECT_FALSE(PeekBlocks("", registry, unknown).complete);
}

TEST(JsonSchemaTest, DescribesEveryBlock) {
  const Registry registry = MakeRegistry();
  const nlohmann::json schema = nlohmann::json::parse(ScenarioJsonSchema(registry));
  EXPECT_EQ(schema.at("$schema"), "http://json-schema.org/draft-07/schema#");
  const auto& variants = schema.at("definitions").at("optimizers").at("oneOf");
  ASSERT_EQ(variants.size(), 1U);
  const auto& parameters = variants[0].at("properties").at("parameters");
  EXPECT_EQ(parameters.at("properties").at("target").at("enum"),
            nlohmann::json({"default", "int8"}));
  EXPECT_EQ(parameters.at("properties").at("target").at("default"), "default");
  EXPECT_TRUE(parameters.at("properties").contains("output_path"));
  EXPECT_EQ(parameters.at("properties").at("opset").at("minimum"), 7);
  EXPECT_FALSE(parameters.at("additionalProperties").get<bool>());
  const auto& dataset = schema.at("definitions").at("dataset").at("oneOf")[0];
  EXPECT_EQ(dataset.at("properties").at("type").at("enum"),
            nlohmann::json({"SomeDataset", "kenning.datasets.some.SomeDataset"}));
  EXPECT_EQ(dataset.at("properties").at("parameters").at("properties").at("input_dims").at("type"),
            nlohmann::json({"array", "null"}));
}

// Random edits of good files: whatever comes out, it must come out, and quickly.
TEST(ScenarioTest, MutatedFilesNeverCrash) {
  std::mt19937 random(7);
  const std::string yaml =
      "dataset: &d\n  type: SomeDataset\n  parameters: {dataset_root: 'x', input_dims: [1, 2]}\n"
      "optimizers:\n  - type: SomeCompiler\n    parameters: |\n      text\n  - *d\n";
  for (int round = 0; round < 4000; ++round) {
    const bool json = round % 2 == 0;
    std::string text = json ? std::string(kGood) : yaml;
    const int edits = 1 + static_cast<int>(random() % 4);
    for (int edit = 0; edit < edits; ++edit) {
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = static_cast<char>(random() % 256);
          break;
        case 1:
          text.erase(at, 1 + random() % 8);
          break;
        case 2:
          text.insert(at, 1, "{}[],:\"\\&*-#|>!%\n\t \0"[random() % 20]);
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), random() % 30));
      }
      if (text.empty()) text = " ";
    }
    const auto result = Parse(text, {}, json ? "f.json" : "f.yaml");
    EXPECT_TRUE(result || !result.error().message().empty());
  }
}

}  // namespace
}  // namespace kenning
