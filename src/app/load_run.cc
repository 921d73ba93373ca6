// SPDX-License-Identifier: Apache-2.0
#include "app/load_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "measure/early_stopping.h"
#include "measure/load_pattern.h"
#include "measure/load_verdict.h"

namespace kenning {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
/// A trial that misses its bound this surely need not go on, however often it was looked at.
constexpr double kHopeless = 0.9999;
constexpr std::uint64_t kFirstLook = 50;
constexpr int kMostConfirmations = 4;
constexpr double kStepDown = 0.97;

std::int64_t Nanoseconds(double seconds) { return static_cast<std::int64_t>(seconds * 1e9); }

class Driver {
 public:
  Driver(const LoadSettings& settings, const LoadOptions& options, QueryRunner& runner,
         ProgressSink& progress, const CancelToken& cancel, LoadRun& run)
      : settings_(settings),
        options_(options),
        runner_(runner),
        progress_(progress),
        cancel_(cancel),
        run_(run),
        draw_(runner.pool_items(), settings.seed),
        to_run_(QueriesToRun(settings)) {}

  Result<> Run() {
    const std::uint32_t batch = runner_.samples_per_item();
    if (settings_.pattern != LoadPattern::kOffline && settings_.samples_per_query % batch != 0) {
      return Fail(ErrorCode::kInvalidScenario,
                  fmt::format("a query of {} samples does not hold whole batches of {}: change "
                              "--samples-per-query or the dataset's inference_batch_size",
                              settings_.samples_per_query, batch));
    }
    items_.resize(std::max<std::uint32_t>(1, settings_.samples_per_query / batch));
    KENNING_RETURN_IF_ERROR(WarmUp(), "warm-up");
    progress_.Begin(fmt::format("load {}", LoadPatternName(settings_.pattern)),
                    static_cast<std::uint64_t>(std::max(1.0, settings_.min_duration_s * 1e3)),
                    "ms");
    Result<> result = RunPattern();
    progress_.End();
    return result;
  }

 private:
  Result<> RunPattern() {
    switch (settings_.pattern) {
      case LoadPattern::kSingleStream:
        return SingleStream();
      case LoadPattern::kMultiStream:
        return MultiStream();
      case LoadPattern::kServer:
        return Serve(settings_.rate_qps, settings_.seed, false);
      case LoadPattern::kOffline:
        return Offline();
      case LoadPattern::kFindPeak:
        return FindPeak();
    }
    return {};
  }

  Result<> WarmUp() {
    runner_.SetPhase(Phase::kWarmUp);
    const std::int64_t before = runner_.Now();
    for (int i = 0; i < options_.warm_up && !cancel_.cancelled(); ++i) {
      KENNING_RETURN_IF_ERROR(runner_.Run(draw_.Next()));
    }
    if (options_.warm_up > 0) {
      item_ns_ = std::max<std::int64_t>(1, (runner_.Now() - before) / options_.warm_up);
    }
    runner_.SetPhase(Phase::kMeasured);
    return {};
  }

  void Draw() {
    for (std::uint32_t& item : items_) item = draw_.Next();
  }

  /// Whether a run of streams has what it needs.
  bool Enough(std::int64_t now_ns) {
    const std::uint64_t count = run_.queries.size();
    // From the first query, as the verdict has it.
    const std::int64_t passed = count == 0 ? 0 : now_ns - run_.queries[0].scheduled_ns;
    if (now_ns >= next_progress_ns_) {
      progress_.Update(static_cast<std::uint64_t>(passed / 1'000'000));
      next_progress_ns_ = now_ns + kSecond / 10;
    }
    if (settings_.max_queries > 0 && count >= settings_.max_queries) return true;
    if (passed >= Nanoseconds(settings_.max_duration_s)) return true;
    return count >= to_run_ && passed >= Nanoseconds(settings_.min_duration_s);
  }

  Result<> SingleStream() {
    std::int64_t now = runner_.Now();
    while (!cancel_.cancelled() && !Enough(now)) {
      const std::uint32_t item = draw_.Next();
      const std::int64_t issued = runner_.Now();
      const Result<> ran = runner_.Run(item);
      now = runner_.Now();
      KENNING_RETURN_IF_ERROR(ran, fmt::format("query {}", run_.queries.size()));
      run_.queries.push_back({issued, issued, now});
    }
    return {};
  }

  Result<> MultiStream() {
    std::int64_t now = runner_.Now();
    while (!cancel_.cancelled() && !Enough(now)) {
      Draw();
      const std::uint64_t id = run_.queries.size();
      const std::int64_t issued = runner_.Now();
      run_.queries.push_back({issued, issued, 0});
      KENNING_RETURN_IF_ERROR(runner_.Issue({id, items_}));
      KENNING_RETURN_IF_ERROR(runner_.WaitIdle(cancel_));
      KENNING_RETURN_IF_ERROR(TakeDone());
      now = std::max(issued, run_.queries[id].completed_ns);
    }
    DropUnfinished();
    return {};
  }

  Result<> TakeDone() {
    done_.clear();
    KENNING_RETURN_IF_ERROR(runner_.TakeDone(done_));
    for (const QueryRunner::Done& one : done_) {
      if (one.id < run_.queries.size()) run_.queries[one.id].completed_ns = one.completed_ns;
    }
    return {};
  }

  /// A cancelled run keeps what was done.
  void DropUnfinished() {
    if (!cancel_.cancelled()) return;
    while (!run_.queries.empty() && run_.queries.back().completed_ns == 0) run_.queries.pop_back();
  }

  /// One run at a rate. `trial`: it ends as soon as it is sure to miss its bound.
  Result<> Serve(double rate_qps, std::uint64_t seed, bool trial) {
    const std::uint64_t first = run_.queries.size();
    PoissonArrivals arrivals(rate_qps, seed);
    const std::int64_t start = runner_.Now();
    std::uint64_t next_look = std::max<std::uint64_t>(trial ? kFirstLook : to_run_, 1);
    bool hopeless = false;
    for (;;) {
      // The first is due at once, so that the run is as long as its arrivals.
      const std::int64_t due = run_.queries.size() == first ? start : start + arrivals.Next();
      if (due - start > Nanoseconds(settings_.max_duration_s)) break;
      KENNING_RETURN_IF_ERROR(WaitFor(due));
      if (cancel_.cancelled()) break;
      Draw();
      const std::uint64_t id = run_.queries.size();
      run_.queries.push_back({due, runner_.Now(), 0});
      KENNING_RETURN_IF_ERROR(runner_.Issue({id, items_}));
      const std::uint64_t count = id + 1 - first;
      if (settings_.max_queries > 0 && count >= settings_.max_queries) break;
      if (due - start >= Nanoseconds(settings_.max_duration_s)) break;
      const bool long_enough =
          count >= to_run_ && due - start >= Nanoseconds(settings_.min_duration_s);
      if (count < next_look && !long_enough) continue;
      KENNING_RETURN_IF_ERROR(TakeDone());
      const bool look = count >= next_look;
      if (look) next_look = count + std::max<std::uint64_t>(count / 4, 1);
      if (look && trial && Missed(first)) {
        hopeless = true;
        break;
      }
      if (long_enough && Decided(first)) break;
    }
    if (hopeless) runner_.Drop();
    KENNING_RETURN_IF_ERROR(runner_.WaitIdle(cancel_));
    KENNING_RETURN_IF_ERROR(TakeDone());
    if (cancel_.cancelled()) runner_.Drop();
    DropUnfinished();
    return {};
  }

  /// Waits for a due time in slices, so that the run can be cancelled.
  Result<> WaitFor(std::int64_t due) {
    for (;;) {
      const std::int64_t now = runner_.Now();
      if (now >= next_progress_ns_) {
        progress_.Update(static_cast<std::uint64_t>((now - first_ns_) / 1'000'000));
        next_progress_ns_ = now + kSecond / 10;
      }
      if (now >= due || cancel_.cancelled()) return {};
      KENNING_RETURN_IF_ERROR(runner_.WaitUntil(std::min(due, now + kSecond / 5)));
    }
  }

  /// As of now: an open query counts as over the bound once it is older than it.
  std::uint64_t OverSoFar(std::uint64_t first, std::uint64_t& counted) const {
    const std::int64_t now = runner_.Now();
    std::uint64_t over = 0;
    counted = 0;
    for (std::uint64_t i = first; i < run_.queries.size(); ++i) {
      const QueryTimes& query = run_.queries[i];
      const bool open = query.completed_ns == 0;
      const std::int64_t latency = (open ? now : query.completed_ns) - query.scheduled_ns;
      const bool slow = latency > settings_.latency_bound_ns;
      if (open && !slow) continue;
      ++counted;
      over += slow ? 1U : 0U;
    }
    return over;
  }

  /// Slow queries come in bursts: a few of them early on are no proof, unless they are most.
  bool Missed(std::uint64_t first) const {
    std::uint64_t counted = 0;
    const std::uint64_t over = OverSoFar(first, counted);
    if (counted < to_run_) return over > kFirstLook && over * 2 > counted;
    return CheckBound(counted, over, settings_.percentile, kHopeless).state == BoundState::kMissed;
  }

  bool Decided(std::uint64_t first) {
    if (settings_.latency_bound_ns == 0) return true;
    std::uint64_t counted = 0;
    const std::uint64_t over = OverSoFar(first, counted);
    return CheckBound(counted, over, settings_.percentile, settings_.confidence).state !=
           BoundState::kUndecided;
  }

  /// One query that lasts at least the shortest duration; one that turned out too short is
  /// repeated, larger.
  Result<> Offline() {
    const std::uint32_t batch = runner_.samples_per_item();
    const double per_item = static_cast<double>(item_ns_) / settings_.streams;
    double items = std::max(1.1 * settings_.min_duration_s * 1e9 / std::max(per_item, 1.0),
                            static_cast<double>(to_run_ + batch - 1) / batch);
    for (int attempt = 0; attempt < 6 && !cancel_.cancelled(); ++attempt) {
      KENNING_ASSIGN_OR_RETURN(const std::uint32_t count, OfflineItems(items, batch));
      items_.resize(count);
      Draw();
      run_.settings.samples_per_query = count * batch;
      run_.queries.clear();
      const std::int64_t issued = runner_.Now();
      run_.queries.push_back({issued, issued, 0});
      KENNING_RETURN_IF_ERROR(runner_.Issue({0, items_}));
      KENNING_RETURN_IF_ERROR(runner_.WaitIdle(cancel_));
      KENNING_RETURN_IF_ERROR(TakeDone());
      if (run_.queries[0].completed_ns == 0) break;
      const auto taken = static_cast<double>(run_.queries[0].completed_ns - issued);
      if (taken >= settings_.min_duration_s * 1e9 || count == most_items_) break;
      items = 1.2 * count * settings_.min_duration_s * 1e9 / std::max(taken, 1.0);
    }
    if (cancel_.cancelled()) runner_.Drop();
    DropUnfinished();
    return {};
  }

  Result<std::uint32_t> OfflineItems(double items, std::uint32_t batch) {
    constexpr double kMost = 50e6;
    most_items_ = static_cast<std::uint32_t>(kMost);
    if (settings_.max_queries > 0) {
      const std::uint64_t most = settings_.max_queries / batch;
      if (most == 0) {
        return Fail(ErrorCode::kInvalidScenario,
                    fmt::format("at most {} samples are less than one batch of {}",
                                settings_.max_queries, batch));
      }
      most_items_ = static_cast<std::uint32_t>(
          std::min<std::uint64_t>(most, static_cast<std::uint64_t>(kMost)));
    }
    return static_cast<std::uint32_t>(
        std::clamp(std::ceil(items), 1.0, static_cast<double>(most_items_)));
  }

  /// \return how the bound stands; a cancelled trial leaves no trace.
  Result<BoundState> Trial(double rate_qps, bool confirms) {
    const std::uint64_t first = run_.queries.size();
    // Other arrival times in every trial, the same in every repetition of the command.
    const std::uint64_t seed = settings_.seed + 1'000'003 * (run_.trials.size() + 1);
    KENNING_RETURN_IF_ERROR(Serve(rate_qps, seed, true),
                            fmt::format("trial at {:.4g} queries/s", rate_qps));
    if (cancel_.cancelled()) {
      run_.queries.resize(first);
      return BoundState::kUndecided;
    }
    run_.trials.push_back({rate_qps, first, run_.queries.size() - first, confirms});
    std::uint64_t over = 0;
    return CheckServerBound(std::span(run_.queries).subspan(first), settings_, over).state;
  }

  Result<> FindPeak() {
    const double per_query =
        static_cast<double>(item_ns_) * static_cast<double>(items_.size()) / settings_.streams;
    const double start =
        settings_.rate_qps > 0 ? settings_.rate_qps : 0.25e9 / std::max(per_query, 1.0);
    PeakSearch search(std::clamp(start, 1e-2, 1e6), options_.peak_tolerance, options_.most_trials);
    while (const std::optional<double> rate = search.Next()) {
      KENNING_ASSIGN_OR_RETURN(const BoundState state, Trial(*rate, false));
      if (cancel_.cancelled()) return {};
      // A slower rate would have even fewer queries in the longest duration.
      if (state == BoundState::kUndecided && !search.passed()) return {};
      search.Tell(state == BoundState::kMet);
    }
    if (!search.passed() || !search.failed()) return {};
    // A rate that passed once of many tries may have been lucky.
    double rate = *search.passed();
    for (int i = 0; i < kMostConfirmations; ++i) {
      KENNING_ASSIGN_OR_RETURN(const BoundState state, Trial(rate, true));
      if (cancel_.cancelled() || state == BoundState::kMet) return {};
      rate *= kStepDown;
    }
    return {};
  }

  const LoadSettings& settings_;
  const LoadOptions& options_;
  QueryRunner& runner_;
  ProgressSink& progress_;
  const CancelToken& cancel_;
  LoadRun& run_;
  SampleDraw draw_;
  std::uint64_t to_run_;
  std::uint32_t most_items_ = 0;
  std::vector<std::uint32_t> items_;
  std::vector<QueryRunner::Done> done_;
  std::int64_t item_ns_ = 1'000'000;
  std::int64_t first_ns_ = runner_.Now();
  std::int64_t next_progress_ns_ = 0;
};

}  // namespace

Result<> RunLoad(const LoadSettings& settings, const LoadOptions& options, QueryRunner& runner,
                 ProgressSink& progress, const CancelToken& cancel, LoadRun& run, bool& complete) {
  complete = false;
  run = LoadRun{};
  run.settings = settings;
  run.batch_size = runner.samples_per_item();
  run.pool_samples = runner.pool_items() * run.batch_size;
  std::uint32_t& samples = run.settings.samples_per_query;
  const bool several = settings.pattern == LoadPattern::kMultiStream;
  if (settings.pattern == LoadPattern::kSingleStream || (samples == 0 && !several)) {
    samples = run.batch_size;
  } else if (samples == 0) {
    samples = (8 + run.batch_size - 1) / run.batch_size * run.batch_size;
  }
  const LoadSettings resolved = run.settings;
  KENNING_RETURN_IF_ERROR(Driver(resolved, options, runner, progress, cancel, run).Run());
  complete = !cancel.cancelled();
  return {};
}

}  // namespace kenning
