// SPDX-License-Identifier: Apache-2.0
/// \file
/// Runs a load pattern: when queries are issued, and when the run ends. Knows no engines, no wire
/// and no threads; a QueryRunner does the work.
///
/// The latency of a query counts from when it was due, not from when it was issued: a slow answer
/// that holds up those behind it shows in all of them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "kenning/base/clock.h"
#include "kenning/base/progress.h"
#include "kenning/base/result.h"
#include "kenning/core/load_run.h"
#include "kenning/core/measurement_log.h"

namespace kenning {

struct Query {
  std::uint64_t id = 0;
  std::span<const std::uint32_t> items;  ///< Indices into the pool: one call of the engine each.
};

/// What runs queries on prepared samples. The driver is one thread; every call comes from it.
class QueryRunner {
 public:
  struct Done {
    std::uint64_t id = 0;
    std::int64_t completed_ns = 0;  ///< On the clock of Now.
  };
  virtual ~QueryRunner() = default;
  /// Items in the pool, at least one. An item is what one call of the engine takes.
  virtual std::uint32_t pool_items() const = 0;
  virtual std::uint32_t samples_per_item() const = 0;
  virtual std::int64_t Now() const { return MonotonicNowNs(); }
  /// How calls of the engine are logged from now on.
  virtual void SetPhase(Phase phase) = 0;
  /// Runs an item on the caller's thread, without any hand-over. Only while nothing is in flight.
  virtual Result<> Run(std::uint32_t item) = 0;
  /// Hands a query over and comes back at once. `items` is copied.
  virtual Result<> Issue(const Query& query) = 0;
  /// Comes back at `until_ns`, or soon after; answers may be taken meanwhile.
  virtual Result<> WaitUntil(std::int64_t until_ns) = 0;
  /// Comes back when everything that was issued is done, or cancelled.
  virtual Result<> WaitIdle(const CancelToken& cancel) = 0;
  /// Forgets what was issued and not begun; it is never done.
  virtual void Drop() = 0;
  /// Appends what was done since the last call. \return the first failure of a query.
  virtual Result<> TakeDone(std::vector<Done>& out) = 0;
};

struct LoadOptions {
  int warm_up = 3;  ///< Items, before the clock starts.
  double peak_tolerance = 0.025;
  int most_trials = 30;
};

/// Fills `run` (settings are `settings`, with samples_per_query of offline as it came out).
/// Cancellation is not an error: `complete` says whether the run came to its own end.
/// \pre CheckLoadSettings(settings)
/// \return kInvalidScenario where a query is no whole number of items; an error of the runner.
Result<> RunLoad(const LoadSettings& settings, const LoadOptions& options, QueryRunner& runner,
                 ProgressSink& progress, const CancelToken& cancel, LoadRun& run, bool& complete);

}  // namespace kenning
