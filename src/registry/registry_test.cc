// SPDX-License-Identifier: Apache-2.0
#include "kenning/registry/registry.h"

#include <gtest/gtest.h>

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
    if (found) continue;  // This build has it.
    EXPECT_EQ(found.error().code(), ErrorCode::kUnavailable) << known.dotted_path;
    EXPECT_NE(found.error().message().find("known to Kenning, not available here, because"),
              std::string::npos);
  }
  for (const char* old : {"kenning.compilers.tflite.TFLiteCompiler",
                          "kenning.runtimeprotocols.network.NetworkProtocol", "TVMRuntime"}) {
    EXPECT_EQ(registry.FindAny(old).error().code(), ErrorCode::kUnavailable) << old;
  }
}

TEST(RegistryTest, UnknownNamesGetTheNearest) {
  const Registry registry = MakeRegistry();
  const auto found = registry.Find(BlockCategory::kOptimizer, "OnnxCompilr");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), ErrorCode::kNotFound);
  EXPECT_NE(found.error().message().find("\"ONNXCompiler\""), std::string::npos);
  const auto wrong = registry.Find(BlockCategory::kRuntime, "ONNXCompiler");
  EXPECT_NE(wrong.error().message().find("is a optimizers"), std::string::npos);
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
