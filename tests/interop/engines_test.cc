// SPDX-License-Identifier: Apache-2.0
// Every engine of this build, behind the agent and inside of its sandbox: the models of the
// conformance suite (tests/conformance) give what they give in this process.
#include <gmock/gmock.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "agent_under_test.h"
#include "base/tar.h"
#include "kenning/base/file.h"
#include "raw_peer.h"

namespace kenning::interop {
namespace {

using Json = nlohmann::json;

std::string ModelBytes(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return ReadFile(path).value();
  TarOfTree archive = TarOfTree::Create(path).value();
  std::string bytes(static_cast<std::size_t>(archive.size_bytes()), '\0');
  EXPECT_TRUE(archive.Read(0, std::as_writable_bytes(std::span(bytes))));
  return bytes;
}

/// All numbers of a list of lists, as the little-endian floats that travel.
std::vector<float> Floats(const Json& lists) {
  std::vector<float> values;
  for (const Json& list : lists) {
    for (const Json& value : list) values.push_back(value.get<float>());
  }
  return values;
}

class EnginesTest : public ::testing::TestWithParam<std::string> {};

TEST_P(EnginesTest, RunsInTheSandbox) {
  const std::string engine = GetParam();
  if (!HasEngine(engine)) GTEST_SKIP() << "the engine " << engine << " is not built";
  const std::filesystem::path folder =
      std::filesystem::path(KENNING_SOURCE_DIR) / "engines" / engine;
  Json one = Json::parse(ReadFile(folder / "conformance.json").value());
  if (one.is_array()) one = one.at(0);
  AgentUnderTest agent;
  RawPeer peer(agent.Connect());
  ASSERT_TRUE(peer.Greeted());
  const auto loaded = peer.Ask(
      Request(MessageType::kModel, ModelBytes(folder / one["model"].get<std::string>())), 300);
  ASSERT_TRUE(loaded);
  if (loaded->logs.find("no engine on this target runs") != std::string::npos) {
    GTEST_SKIP() << "the agent was built without the engine " << engine;
  }
  ASSERT_TRUE(loaded->header.has(wire::kSuccess)) << loaded->logs;
  const std::vector<float> inputs = Floats(one["inputs"]);
  std::string data(inputs.size() * sizeof(float), '\0');
  std::memcpy(data.data(), inputs.data(), data.size());
  ASSERT_TRUE(peer.Ask(Request(MessageType::kData, data)));
  const auto processed = peer.Ask(Request(MessageType::kProcess), 120);
  ASSERT_TRUE(processed);
  ASSERT_TRUE(processed->header.has(wire::kSuccess)) << processed->logs;
  const auto output = peer.Ask(Request(MessageType::kOutput));
  ASSERT_TRUE(output);
  const std::vector<float> expected = Floats(one["outputs"]);
  ASSERT_EQ(output->body.size(), expected.size() * sizeof(float));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    float value = 0;
    std::memcpy(&value, output->body.data() + i * sizeof(float), sizeof(float));
    EXPECT_NEAR(value, expected[i], one.value("tolerance", 1e-5)) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(All, EnginesTest,
                         ::testing::Values("executorch", "iree", "libtorch", "null", "onnxruntime",
                                           "openvino", "tensorflow", "tflite", "tvm"),
                         [](const auto& one) { return one.param; });

}  // namespace
}  // namespace kenning::interop
