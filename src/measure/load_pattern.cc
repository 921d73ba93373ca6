// SPDX-License-Identifier: Apache-2.0
#include "measure/load_pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kenning/base/check.h"

namespace kenning {
namespace {

constexpr std::uint64_t kMostQueries = 1'000'000'000;

/// Uniform in (0, 1]: never the logarithm of nothing.
double Uniform(std::mt19937_64& generator) {
  constexpr double kStep = 1.0 / 9007199254740992.0;  // 2^-53
  return (static_cast<double>(generator() >> 11U) + 1) * kStep;
}

tl::unexpected<Error> Wrong(std::string text) {
  return Fail(ErrorCode::kInvalidScenario, std::move(text));
}

Result<> CheckNumbers(const LoadSettings& s) {
  if (!(s.percentile > 0 && s.percentile < 1)) {
    return Wrong(
        fmt::format("the latency percentile {:g} is not between 0 and 100", 100 * s.percentile));
  }
  if (!(s.confidence > 0.5 && s.confidence < 1)) {
    return Wrong(fmt::format("a confidence of {:g} is not between 0.5 and 1", s.confidence));
  }
  if (!(s.min_duration_s >= 0 && s.max_duration_s > 0 && s.min_duration_s <= s.max_duration_s)) {
    return Wrong(
        fmt::format("the durations (at least {:g} s, at most {:g} s) contradict each other",
                    s.min_duration_s, s.max_duration_s));
  }
  if (s.min_queries > kMostQueries || s.max_queries > kMostQueries) {
    return Wrong(fmt::format("more than {} queries", kMostQueries));
  }
  if (s.max_queries > 0 && s.min_queries > s.max_queries) {
    return Wrong(
        fmt::format("the numbers of queries (at least {}, at most {}) contradict each "
                    "other",
                    s.min_queries, s.max_queries));
  }
  if (s.streams < 1 || s.streams > 1024) return Wrong("streams: from 1 to 1024");
  if (s.samples_per_query > 65'536) return Wrong("samples of a query: at most 65536");
  return {};
}

}  // namespace

std::string_view LoadPatternName(LoadPattern pattern) {
  switch (pattern) {
    case LoadPattern::kSingleStream:
      return "single-stream";
    case LoadPattern::kMultiStream:
      return "multi-stream";
    case LoadPattern::kServer:
      return "server";
    case LoadPattern::kOffline:
      return "offline";
    case LoadPattern::kFindPeak:
      return "find-peak";
  }
  return "";
}

std::optional<LoadPattern> LoadPatternOf(std::string_view name) {
  for (int i = 0; i < kLoadPatternCount; ++i) {
    const auto pattern = static_cast<LoadPattern>(i);
    if (LoadPatternName(pattern) == name) return pattern;
  }
  return std::nullopt;
}

LoadSettings DefaultLoadSettings(LoadPattern pattern) {
  LoadSettings settings;
  settings.pattern = pattern;
  settings.percentile = pattern == LoadPattern::kSingleStream ? 0.9 : 0.99;
  if (pattern == LoadPattern::kMultiStream) settings.samples_per_query = 8;
  return settings;
}

Result<> CheckLoadSettings(const LoadSettings& s) {
  KENNING_RETURN_IF_ERROR(CheckNumbers(s));
  const std::string_view name = LoadPatternName(s.pattern);
  const bool server = s.pattern == LoadPattern::kServer || s.pattern == LoadPattern::kFindPeak;
  if (s.rate_qps != 0 && !(s.rate_qps > 0 && s.rate_qps <= 1e7)) {
    return Wrong(
        fmt::format("a rate of {:g} queries a second is not between 0 and 1e7", s.rate_qps));
  }
  if (s.pattern == LoadPattern::kServer && s.rate_qps == 0) {
    return Wrong("the load pattern server needs a rate; find-peak finds the highest");
  }
  if (!server && s.rate_qps != 0) {
    return Wrong(fmt::format("a rate is of no meaning for the load pattern {}", name));
  }
  if (s.latency_bound_ns < 0) return Wrong("the latency bound is negative");
  if (s.pattern == LoadPattern::kFindPeak && s.latency_bound_ns == 0) {
    return Wrong("the load pattern find-peak needs a latency bound");
  }
  if (s.pattern == LoadPattern::kSingleStream && (s.streams > 1 || s.samples_per_query > 1)) {
    return Wrong("the load pattern single-stream has one stream, and queries of one sample");
  }
  return {};
}

std::uint64_t QueriesToRun(const LoadSettings& settings) {
  if (settings.min_queries > 0) return settings.min_queries;
  if (settings.pattern == LoadPattern::kOffline) return 1;
  return FewestQueries(1, settings.percentile, settings.confidence);
}

PoissonArrivals::PoissonArrivals(double rate_qps, std::uint64_t seed)
    : generator_(seed), mean_ns_(1e9 / rate_qps) {
  KENNING_CHECK(rate_qps > 0);
}

std::int64_t PoissonArrivals::Next() {
  // Own arithmetic: the library's distributions differ between implementations.
  at_ns_ -= mean_ns_ * std::log(Uniform(generator_));
  return static_cast<std::int64_t>(at_ns_);
}

SampleDraw::SampleDraw(std::uint32_t pool, std::uint64_t seed) : generator_(seed), pool_(pool) {
  KENNING_CHECK(pool > 0);
}

std::uint32_t SampleDraw::Next() {
  // The high half of a product: even to within 2^-32.
  return static_cast<std::uint32_t>((generator_() >> 32U) * pool_ >> 32U);
}

PeakSearch::PeakSearch(double start_qps, double tolerance, int most_trials)
    : next_(start_qps), tolerance_(tolerance), trials_left_(most_trials) {
  KENNING_CHECK(start_qps > 0 && tolerance > 0);
}

std::optional<double> PeakSearch::Next() const {
  constexpr double kSlowest = 1e-3;
  constexpr double kFastest = 1e7;
  if (trials_left_ <= 0 || next_ < kSlowest || next_ > kFastest) return std::nullopt;
  if (passed_ && failed_ && *failed_ <= *passed_ * (1 + tolerance_)) return std::nullopt;
  return next_;
}

void PeakSearch::Tell(bool passed) {
  --trials_left_;
  if (passed) {
    passed_ = std::max(passed_.value_or(0), next_);
  } else {
    failed_ = std::min(failed_.value_or(next_), next_);
  }
  if (passed_ && failed_) {
    next_ = (*passed_ + *failed_) / 2;
  } else {
    next_ = passed ? next_ * 2 : next_ / 2;
  }
}

}  // namespace kenning
