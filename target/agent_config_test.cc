// SPDX-License-Identifier: Apache-2.0
#include "agent_config.h"

#include <gmock/gmock.h>

#include "agent.h"
#include "agent_command.h"
#include "engine_backend.h"

namespace kenning {
void RegisterNullEngine(Registry& registry);
void RegisterProtocols(Registry& registry);
void RegisterPlatforms(Registry& registry);

namespace target {
namespace {

using ::testing::HasSubstr;

class AgentConfigTest : public ::testing::Test {
 protected:
  AgentConfigTest() {
    RegisterNullEngine(registry_);
    RegisterProtocols(registry_);
    RegisterPlatforms(registry_);
  }
  Result<AgentOptions> Parse(const std::vector<std::string>& words) const {
    auto parsed = ParseAgentCommand(words, {}, registry_);
    if (!parsed) return Fail(parsed.error());
    return **std::move(parsed);
  }
  Registry registry_;
};

TEST_F(AgentConfigTest, AServersScenario) {
  const auto scenario = ParseServerScenario(
      R"({"platform": {"type": "LocalPlatform", "parameters": {"platforms_definitions": ["a.yml"]}},
          "runtime": {"type": "NullRuntime", "parameters": {"save_model_path": "x/model.null"}},
          "protocol": {"type": "kenning.protocols.network.NetworkProtocol",
                       "parameters": {"host": "127.0.0.1", "port": 12346}}})",
      "server.json", registry_);
  ASSERT_TRUE(scenario) << scenario.error().ToString();
  EXPECT_EQ(scenario->protocol->params.Int("port"), 12346);
  EXPECT_EQ(scenario->protocol->params.Int("packet_size"), 4096);
  EXPECT_EQ(scenario->runtime->params.String("save_model_path"),
            (std::filesystem::current_path() / "x/model.null").string());
  EXPECT_TRUE(scenario->platform);
}

TEST_F(AgentConfigTest, MistakesAreNamed) {
  const std::pair<const char*, const char*> mistakes[] = {
      {"[]", "object"},
      {"{", "server.json"},
      {R"({"protocol": 1})", "type"},
      {R"({"protocol": {"type": "NetworkProtocol", "parameter": {}}})", "protocol.parameter"},
      {R"({"protocol": {"type": "NetworkProtocol", "parameters": []}})", "object"},
      {R"({"protocol": {"type": "NetworkProtocol", "parameters": {"prot": 1}}})", "port"},
      {R"({"protocol": {"type": "NetworkProtocol", "parameters": {"port": "1"}}})", "port"},
      {R"({"protocol": {"type": "NetworkProtocol", "parameters": {"port": 70000}}})", "65535"},
      {R"({"runtime": {"type": "NetworkProtocol"}})", "protocol"},
      {R"({"optimizers": []})", "optimizers"},
  };
  for (const auto& [text, says] : mistakes) {
    const auto scenario = ParseServerScenario(text, "server.json", registry_);
    ASSERT_FALSE(scenario) << text;
    EXPECT_THAT(scenario.error().ToString(), HasSubstr(says)) << text;
  }
}

TEST_F(AgentConfigTest, TheCommandLine) {
  const auto options = Parse({"--listen", "[::1]:0", "--max-memory", "200M", "--once", "--state",
                              "some/folder", "-v", "--invoke-timeout", "2.5"});
  ASSERT_TRUE(options) << options.error().ToString();
  EXPECT_EQ(options->protocol.info->name, "NetworkProtocol");
  EXPECT_EQ(options->protocol.params.String("host"), "[::1]");
  EXPECT_EQ(options->protocol.params.Int("port"), 0);
  EXPECT_EQ(options->session.max_memory_bytes, std::uint64_t{200} << 20);
  EXPECT_EQ(options->session.invoke_timeout_s, 2.5);
  EXPECT_TRUE(options->once);
  EXPECT_TRUE(options->state_folder.is_absolute());
  EXPECT_EQ(options->log_level, LogLevel::kInfo);
  EXPECT_FALSE(options->sandbox.allow_optimizers);
  EXPECT_TRUE(options->sandbox.enabled);
  EXPECT_FALSE(Parse({"--no-sandbox"})->sandbox.enabled);
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"--listen", "12345"},
                                                {"--listen", "a:b"},
                                                {"--listen", "a:70000"},
                                                {"--max-memory", "2X"},

                                                {"--idle-timeout", "-1"},
                                                {"word"}}) {
    EXPECT_FALSE(Parse(wrong)) << wrong[0];
  }
}

TEST_F(AgentConfigTest, OpenAddressesNeedASecret) {
  AgentOptions options;
  WireSettings settings;
  EXPECT_TRUE(CheckExposure(options, settings, /*loopback=*/true, /*certificates=*/false));
  EXPECT_TRUE(CheckExposure(options, settings, false, true));
  const auto open = CheckExposure(options, settings, false, false);
  ASSERT_FALSE(open);
  EXPECT_EQ(open.error().code(), ErrorCode::kInvalidScenario);
  for (const char* remedy : {"--token-file", "--tls-ca", "127.0.0.1", "--allow-unauthenticated"}) {
    EXPECT_THAT(open.error().message(), HasSubstr(remedy));
  }
  settings.token = "secret";
  EXPECT_TRUE(CheckExposure(options, settings, false, false));
  settings.token.clear();
  options.allow_unauthenticated = true;
  EXPECT_TRUE(CheckExposure(options, settings, false, false));
}

TEST_F(AgentConfigTest, AClientNamesNoFilesOfTheTarget) {
  BlockInfo runtime;
  runtime.name = "SomeRuntime";
  runtime.schema.params = {
      {.name = "save_model_path",
       .type = ParamType::kUri,
       .default_value = ParamValue{},
       .nullable = true},
      {.name = "delegates_list",
       .type = ParamType::kStringList,
       .default_value = ParamValue{},
       .nullable = true},
      {.name = "database",
       .type = ParamType::kPath,
       .default_value = ParamValue{},
       .nullable = true},
      {.name = "num_threads",
       .type = ParamType::kInt,
       .default_value = ParamValue{std::int64_t{0}}},
  };
  const auto params = RuntimeParams(
      runtime, nullptr,
      R"({"save_model_path": "/etc/passwd", "delegates_list": [], "database": null, "num_threads": 3})");
  ASSERT_TRUE(params) << params.error().ToString();
  EXPECT_FALSE(params->Has("save_model_path")) << "the host's own path is passed over";
  EXPECT_EQ(params->Int("num_threads"), 3);
  for (const char* evil :
       {R"({"delegates_list": ["evil.so"]})", R"({"database": "/etc/shadow"})"}) {
    EXPECT_EQ(RuntimeParams(runtime, nullptr, evil).error().code(), ErrorCode::kFailedPrecondition);
  }
  EXPECT_FALSE(RuntimeParams(runtime, nullptr, R"({"threads": 3})"));
  EXPECT_FALSE(RuntimeParams(runtime, nullptr, "{"));
}

TEST_F(AgentConfigTest, IoSpecificationsAreComparedWithTheModel) {
  const auto spec = [](std::vector<TensorSpec> in, std::vector<TensorSpec> out) {
    ModelSpec model;
    model.inputs = std::move(in);
    model.outputs = std::move(out);
    return model;
  };
  const TensorSpec x{.name = "x", .dtype = DType::kFloat32, .shape = {1, 4}};
  const TensorSpec dynamic{.name = "x", .dtype = DType::kFloat32, .shape = {-1, 4}};
  const TensorSpec squeezed{.name = "x", .dtype = DType::kFloat32, .shape = {4}};
  const TensorSpec bytes{.name = "x", .dtype = DType::kInt8, .shape = {1, 4}};
  EXPECT_TRUE(CheckIoSpec(spec({x}, {x}), spec({x}, {x})));
  EXPECT_TRUE(CheckIoSpec(spec({x}, {dynamic}), spec({dynamic}, {x})));
  EXPECT_TRUE(CheckIoSpec(spec({squeezed}, {x}), spec({x}, {x})));
  EXPECT_FALSE(CheckIoSpec(spec({bytes}, {x}), spec({x}, {x})));
  EXPECT_FALSE(CheckIoSpec(spec({x, x}, {x}), spec({x}, {x})));
  EXPECT_FALSE(CheckIoSpec(spec({x}, {}), spec({x}, {x})));
  ModelSpec processed = spec({bytes}, {bytes});
  processed.processed_inputs = {x};
  EXPECT_TRUE(CheckIoSpec(processed, spec({x}, {bytes})));
}

}  // namespace
}  // namespace target
}  // namespace kenning
