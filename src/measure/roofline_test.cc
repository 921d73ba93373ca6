// SPDX-License-Identifier: Apache-2.0
#include "measure/roofline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "measure/environment.h"

namespace kenning {
namespace {

using testing::HasSubstr;

CpuPeaks Peaks() {
  CpuPeaks peaks;
  peaks.float32_macs_per_s = 100;
  peaks.int8_macs_per_s = 400;
  peaks.memory = {{1000, 50}, {1000000, 10}};
  return peaks;
}

TEST(RooflineTest, TheLongerOfComputingAndMovingIsTheBound) {
  const CpuPeaks peaks = Peaks();
  EXPECT_DOUBLE_EQ(LowerBoundSeconds({1000, 10, DType::kFloat32}, peaks, 500), 10);
  EXPECT_DOUBLE_EQ(LowerBoundSeconds({1000, 10, DType::kInt8}, peaks, 500), 2.5);
  EXPECT_DOUBLE_EQ(LowerBoundSeconds({1000, 10, DType::kUint8}, peaks, 500), 2.5);
  EXPECT_DOUBLE_EQ(LowerBoundSeconds({0, 100, DType::kFloat32}, peaks, 500), 2);
  EXPECT_DOUBLE_EQ(LowerBoundSeconds({0, 100, DType::kFloat32}, peaks, 5000), 10);
  EXPECT_DOUBLE_EQ(LowerBoundSeconds({0, 100, DType::kFloat32}, peaks, 1 << 30), 10);
  EXPECT_DOUBLE_EQ(LowerBoundSeconds({0, 0, DType::kFloat32}, peaks, 0), 0);
  EXPECT_DOUBLE_EQ(LowerBoundSeconds({7, 7, DType::kFloat32}, CpuPeaks{}, 0), 0);
}

TEST(RooflineTest, MeasuresThisMachine) {
  const PlatformInfo host = DescribeHost();
  const CpuPeaks peaks = MeasureCpuPeaks(1, host.features);
  // The slowest core that could run this still does a few million multiply-adds a second.
  EXPECT_GT(peaks.float32_macs_per_s, 1e6);
  EXPECT_GT(peaks.int8_macs_per_s, 1e6);
  ASSERT_EQ(peaks.memory.size(), 3U);
  for (const MemoryRate& rate : peaks.memory) EXPECT_GT(rate.bytes_per_s, 1e6);
}

TEST(RooflineTest, UsesNoInstructionsThatAreNotNamed) {
  const CpuPeaks peaks = MeasureCpuPeaks(2, {});
  EXPECT_EQ(peaks.float32_kernel, "plain C++");
  EXPECT_EQ(peaks.int8_kernel, "plain C++");
  EXPECT_EQ(peaks.threads, 2);
  EXPECT_GT(peaks.float32_macs_per_s, 1e6);
}

TEST(RooflineTest, SaysWhatInt8KernelsBuildOn) {
  const Int8Support vnni = DescribeInt8Support("x86_64", {"avx2", "avx512_vnni"});
  EXPECT_TRUE(vnni.dot_product);
  EXPECT_FALSE(vnni.saturates);
  const Int8Support avx2 = DescribeInt8Support("x86_64", {"avx2"});
  EXPECT_FALSE(avx2.dot_product);
  EXPECT_TRUE(avx2.saturates);
  EXPECT_THAT(avx2.summary, HasSubstr("no VNNI"));
  EXPECT_TRUE(DescribeInt8Support("aarch64", {"asimd", "asimddp"}).dot_product);
  EXPECT_FALSE(DescribeInt8Support("aarch64", {"asimd"}).dot_product);
}

}  // namespace
}  // namespace kenning
