// SPDX-License-Identifier: Apache-2.0
#include "measure/roofline.h"

#include <algorithm>
#include <barrier>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>

#include "kenning/base/clock.h"
#include "measure/roofline_kernels.h"

namespace kenning {
namespace {

constexpr double kNsPerS = 1e9;
constexpr int kRepeats = 40;
/// A repeat is this long: short enough to fit between two interruptions.
constexpr double kRepeatNs = 2e6;
constexpr std::uint64_t kWorkingSets[] = {std::uint64_t{256} << 10, std::uint64_t{4} << 20,
                                          std::uint64_t{256} << 20};

bool Has(const std::vector<std::string>& features, std::string_view name) {
  return std::ranges::find(features, name) != features.end();
}

/// Units a second of the best repeat. `work` does `units` units.
double BestRate(const std::function<void()>& work, double units) {
  double best = 0;
  for (int i = 0; i < kRepeats; ++i) {
    const std::int64_t begin = MonotonicNowNs();
    work();
    const auto ns = static_cast<double>(std::max<std::int64_t>(1, MonotonicNowNs() - begin));
    best = std::max(best, units / ns * kNsPerS);
  }
  return best;
}

/// Runs `measure` in so many threads at the same time and adds up what they give.
double InThreads(int threads, const std::function<double()>& measure) {
  if (threads <= 1) return measure();
  std::barrier start(threads);
  std::vector<double> rates(static_cast<std::size_t>(threads));
  std::vector<std::thread> pool;
  for (double& rate : rates) {
    pool.emplace_back([&measure, &start, &rate] {
      start.arrive_and_wait();
      rate = measure();
    });
  }
  double sum = 0;
  for (std::thread& thread : pool) thread.join();
  for (const double rate : rates) sum += rate;
  return sum;
}

double ComputeRate(const roofline::ComputeKernel& kernel, int threads) {
  constexpr std::int64_t kFirst = 10'000;
  const std::int64_t begin = MonotonicNowNs();
  kernel.run(kFirst);
  const auto ns = static_cast<double>(std::max<std::int64_t>(1, MonotonicNowNs() - begin));
  const auto rounds =
      std::max<std::int64_t>(kFirst / 100, static_cast<std::int64_t>(kFirst * kRepeatNs / ns));
  return InThreads(threads, [&] {
    return BestRate([&] { kernel.run(rounds); },
                    static_cast<double>(rounds * kernel.macs_per_round));
  });
}

double ReadRate(roofline::ReadLoop read, std::uint64_t working_set, int threads) {
  constexpr std::size_t kAlignment = 4096;
  constexpr std::uint64_t kAtLeast = std::uint64_t{2} << 20;
  const std::size_t share = std::max<std::size_t>(
      kAlignment, working_set / static_cast<std::uint64_t>(threads) / kAlignment * kAlignment);
  const std::uint64_t passes = std::max<std::uint64_t>(1, kAtLeast / share);
  return InThreads(threads, [&] {
    const std::unique_ptr<void, decltype(&std::free)> memory(std::aligned_alloc(kAlignment, share),
                                                             &std::free);
    if (memory == nullptr) return 0.0;
    std::memset(memory.get(), 1, share);
    const auto* data = static_cast<const std::byte*>(memory.get());
    // Main memory in chunks: a pass over all of it would contain many interruptions.
    std::size_t at = 0;
    const std::size_t chunk = std::min<std::size_t>(share, kAtLeast);
    return BestRate(
        [&] {
          for (std::uint64_t i = 0; i < passes; ++i) {
            read(data + at, chunk);
            at = at + 2 * chunk <= share ? at + chunk : 0;
          }
        },
        static_cast<double>(passes * chunk));
  });
}

}  // namespace

bool IsInt8(DType dtype) { return dtype == DType::kInt8 || dtype == DType::kUint8; }

double CpuPeaks::macs_per_s(DType dtype) const {
  return IsInt8(dtype) ? int8_macs_per_s : float32_macs_per_s;
}

double CpuPeaks::bytes_per_s(std::uint64_t working_set_bytes) const {
  for (const MemoryRate& rate : memory) {
    if (working_set_bytes <= rate.working_set_bytes) return rate.bytes_per_s;
  }
  return memory.empty() ? 0 : memory.back().bytes_per_s;
}

CpuPeaks MeasureCpuPeaks(int threads, const std::vector<std::string>& features) {
  const roofline::ComputeKernel float32 = roofline::Float32Kernel(features);
  const roofline::ComputeKernel int8 = roofline::Int8Kernel(features);
  CpuPeaks peaks;
  peaks.threads = std::max(1, threads);
  peaks.float32_kernel = float32.name;
  peaks.int8_kernel = int8.name;
  peaks.float32_macs_per_s = ComputeRate(float32, peaks.threads);
  peaks.int8_macs_per_s = ComputeRate(int8, peaks.threads);
  for (const std::uint64_t bytes : kWorkingSets) {
    peaks.memory.push_back({bytes, ReadRate(roofline::ReadKernel(features), bytes, peaks.threads)});
  }
  return peaks;
}

double LowerBoundSeconds(const OperatorWork& work, const CpuPeaks& peaks,
                         std::uint64_t working_set_bytes) {
  const double macs_per_s = peaks.macs_per_s(work.dtype);
  const double bytes_per_s = peaks.bytes_per_s(working_set_bytes);
  const double compute = macs_per_s > 0 ? static_cast<double>(work.macs) / macs_per_s : 0;
  const double move = bytes_per_s > 0 ? static_cast<double>(work.bytes) / bytes_per_s : 0;
  return std::max(compute, move);
}

Int8Support DescribeInt8Support(std::string_view architecture,
                                const std::vector<std::string>& features) {
  Int8Support support;
  std::string have;
  for (const char* name :
       {"avx2", "avx512bw", "avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm"}) {
    if (Has(features, name)) have += (have.empty() ? "" : ", ") + std::string(name);
  }
  if (have.empty()) have = "none of those that int8 kernels use";
  if (architecture == "x86_64") {
    support.dot_product =
        Has(features, "avx512_vnni") || Has(features, "avx_vnni") || Has(features, "amx_int8");
    support.saturates = !support.dot_product && Has(features, "avx2");
    support.summary =
        support.dot_product ? have + ": 8-bit dot products in one instruction"
        : support.saturates
            ? have +
                  ": no VNNI, an 8-bit dot product takes three instructions and its 16-bit sums "
                  "can saturate"
            : have + ": neither AVX2 nor VNNI, int8 is hardly faster than float32";
    return support;
  }
  support.dot_product = Has(features, "asimddp") || Has(features, "i8mm");
  support.summary = support.dot_product ? have + ": 8-bit dot products in one instruction"
                                        : have + ": no 8-bit dot products";
  return support;
}

}  // namespace kenning
