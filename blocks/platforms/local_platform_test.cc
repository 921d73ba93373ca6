// SPDX-License-Identifier: Apache-2.0
#include "local_platform.h"

#include <gtest/gtest.h>

#include "kenning/registry/params_from_text.h"
#include "kenning/registry/registry.h"

namespace kenning {
void RegisterPlatforms(Registry& registry);
namespace {

PlatformInfo Cpu(const std::string& architecture, std::vector<std::string> features) {
  PlatformInfo info;
  info.architecture = architecture;
  info.features = std::move(features);
  return info;
}

TEST(LocalPlatformTest, OnlyX86WithoutVnniSaturates) {
  EXPECT_TRUE(SaturatesInt8(Cpu("x86_64", {"avx2"})));
  EXPECT_TRUE(SaturatesInt8(Cpu("x86_64", {"avx2", "avx512f", "avx512bw"})));
  EXPECT_FALSE(SaturatesInt8(Cpu("x86_64", {"avx2", "avx512_vnni"})));
  EXPECT_FALSE(SaturatesInt8(Cpu("x86_64", {"avx2", "avx_vnni"})));
  EXPECT_FALSE(SaturatesInt8(Cpu("aarch64", {"asimd"})));
}

TEST(LocalPlatformTest, FeaturesOfAnotherCpuCanBeAsked) {
  Registry registry;
  RegisterPlatforms(registry);
  const BlockInfo* info =
      registry.Find(BlockCategory::kPlatform, "kenning.platforms.local.LocalPlatform").value();
  auto values = DefaultParams(info->schema).values();
  BlockContext context;
  const auto host = info->make_platform(Params(values), context);
  ASSERT_TRUE(host);
  EXPECT_GE((*host)->info().logical_cores, 1U);
  values["target_features"] = std::vector<std::string>{"avx2"};
  values["name"] = std::string("board");
  const auto board = info->make_platform(Params(values), context);
  ASSERT_TRUE(board);
  EXPECT_EQ((*board)->info().name, "board");
  EXPECT_EQ((*board)->saturating_int8(), (*board)->info().architecture == "x86_64");
}

}  // namespace
}  // namespace kenning
