// SPDX-License-Identifier: Apache-2.0
/// \file
/// A run under a load pattern: what was asked for, and when each query was due, issued and done.
/// Raw facts; what follows from them is measure/load_verdict.h's business.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kenning {

/// When queries come. Named after MLPerf's scenarios.
enum class LoadPattern : std::uint8_t {
  kSingleStream,  ///< One query of one sample after another.
  kMultiStream,   ///< One query of several samples after another.
  kServer,        ///< At random times (Poisson), at a rate, whatever the answers do.
  kOffline,       ///< All samples in one query.
  kFindPeak,      ///< Server runs in search of the highest rate that keeps the latency bound.
};
inline constexpr int kLoadPatternCount = 5;

struct LoadSettings {
  LoadPattern pattern = LoadPattern::kSingleStream;
  double rate_qps = 0;  ///< Queries a second; find-peak: where to start, 0: found out.
  std::int64_t latency_bound_ns = 0;    ///< Server and find-peak; 0: none.
  double percentile = 0.9;              ///< Of the latency, as a fraction.
  double confidence = 0.99;             ///< That the percentile is what is said.
  double min_duration_s = 10;           ///< Of a run, and of each trial of find-peak.
  double max_duration_s = 600;          ///< Of a run, and of each trial of find-peak.
  std::uint64_t min_queries = 0;        ///< 0: as many as the percentile needs. Offline: samples.
  std::uint64_t max_queries = 0;        ///< 0: no limit.
  std::uint32_t streams = 1;            ///< Sessions that work side by side.
  std::uint32_t samples_per_query = 1;  ///< 0: one batch; multi-stream: 8, in whole batches.
  std::uint64_t seed = 1;
  bool operator==(const LoadSettings&) const = default;
};

/// Host's monotonic clock, ns.
struct QueryTimes {
  std::int64_t scheduled_ns = 0;  ///< When it was due. Latency counts from here.
  std::int64_t issued_ns = 0;     ///< When it was handed over.
  std::int64_t completed_ns = 0;  ///< When its last output was there; 0: it was given up.
};

/// One run at one rate within find-peak.
struct LoadTrial {
  double rate_qps = 0;
  std::uint64_t first_query = 0;  ///< Index into LoadRun::queries.
  std::uint64_t queries = 0;
  bool confirms = false;  ///< A repetition of the best rate with other arrival times.
};

struct LoadRun {
  LoadSettings settings;
  std::uint32_t pool_samples = 0;  ///< Preprocessed beforehand; queries draw from these.
  std::uint32_t batch_size = 1;    ///< Samples of one call of the engine.
  std::vector<QueryTimes> queries;
  std::vector<LoadTrial> trials;  ///< find-peak only, in order.
};

}  // namespace kenning
