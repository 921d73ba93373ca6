// SPDX-License-Identifier: Apache-2.0
#include "kenning/registry/registry.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kenning/registry/engine_module.h"

namespace kenning {
namespace {

Registry MakeRegistry() {
  Registry registry;
  BlockInfo block;
  block.category = BlockCategory::kOptimizer;
  block.name = "ONNXCompiler";
  block.aliases = {"kenning.optimizers.onnx.ONNXCompiler"};
  EXPECT_TRUE(registry.Add(block));
  RegisterKnownClasses(registry);
  return registry;
}

TEST(RegistryTest, FindsByShortDottedAndOldNames) {
  const Registry registry = MakeRegistry();
  for (const char* type : {"ONNXCompiler", "kenning.optimizers.onnx.ONNXCompiler",
                           "kenning.compilers.onnx.ONNXCompiler", "my.fork.ONNXCompiler"}) {
    const auto found = registry.Find(BlockCategory::kOptimizer, type);
    ASSERT_TRUE(found) << type;
    EXPECT_EQ((*found)->name, "ONNXCompiler");
  }
}

TEST(RegistryTest, NamesAreTakenOnce) {
  Registry registry = MakeRegistry();
  BlockInfo again;
  again.category = BlockCategory::kOptimizer;
  again.name = "Other";
  again.aliases = {"ONNXCompiler"};
  EXPECT_FALSE(registry.Add(again));
}

TEST(RegistryTest, EveryPublishedClassIsKnown) {
  const Registry registry = MakeRegistry();
  EXPECT_GT(registry.known().size(), 130U);
  for (const KnownClass& known : registry.known()) {
    const auto found = registry.FindAny(known.dotted_path);
    ASSERT_FALSE(found) << known.dotted_path << " is here and listed as missing";
    EXPECT_EQ(found.error().code(), ErrorCode::kUnavailable) << known.dotted_path;
    EXPECT_NE(found.error().message().find("known to Kenning, not available here, because"),
              std::string::npos);
  }
  for (const char* old :
       {"kenning.compilers.tflite.TFLiteCompiler",
        "kenning.runtimeprotocols.network.NetworkProtocol", "TVMRuntime",
        "kenning.interfaces.dataset.Dataset", "kenning.core.compiler.ModelCompiler"}) {
    EXPECT_EQ(registry.FindAny(old).error().code(), ErrorCode::kUnavailable) << old;
  }
}

// With the published list at hand (KENNING_FACTS: a folder), nothing in it may be unknown.
TEST(RegistryTest, ThePublishedListIsCovered) {
  const char* facts = std::getenv("KENNING_FACTS");
  if (facts == nullptr) GTEST_SKIP() << "KENNING_FACTS is not set";
  std::ifstream stream(std::filesystem::path(facts) / "classes-kenning-0.8.2.json");
  const nlohmann::json json = nlohmann::json::parse(stream);
  const Registry registry = MakeRegistry();
  int count = 0;
  for (const auto& [category, classes] : json.at("categories").items()) {
    for (const auto& one : classes) {
      const auto path = one.at("class").get<std::string>();
      const auto found = registry.FindAny(path);
      EXPECT_TRUE(found || found.error().code() == ErrorCode::kUnavailable) << path;
      ++count;
    }
  }
  EXPECT_GT(count, 130);
}

TEST(RegistryTest, UnknownNamesGetTheNearest) {
  const Registry registry = MakeRegistry();
  const auto found = registry.Find(BlockCategory::kOptimizer, "OnnxCompilr");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), ErrorCode::kNotFound);
  EXPECT_NE(found.error().message().find("\"ONNXCompiler\""), std::string::npos);
  const auto wrong = registry.Find(BlockCategory::kRuntime, "ONNXCompiler");
  EXPECT_NE(wrong.error().message().find("belongs under \"optimizers\""), std::string::npos);
}

TEST(EngineModuleTest, AMissingEngineIsUnavailableAndSaysWhereItWasSought) {
  const auto module = LoadEngine("no_such_engine");
  ASSERT_FALSE(module);
  EXPECT_EQ(module.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(module.error().message().find("kenning_engine_no_such_engine.so"), std::string::npos);
  EXPECT_FALSE(ProbeEngine("no_such_engine").available);
}

}  // namespace
}  // namespace kenning
