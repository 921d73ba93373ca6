// SPDX-License-Identifier: Apache-2.0
#include "app/load_local.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "kenning/base/check.h"

namespace kenning {
namespace {

/// A query that is not done.
struct Open {
  std::uint64_t id = 0;
  std::vector<std::uint32_t> items;
  std::size_t next = 0;  ///< The first item that nobody took.
  std::size_t left = 0;  ///< Items that are not done.
};

/// Sleeping wakes up some 50 µs late; the rest of the way the clock is watched.
constexpr std::int64_t kWatchNs = 100'000;

}  // namespace

struct LocalRunner::Impl {
  struct Worker {
    Session* session = nullptr;
    OutputRoom outputs;
    std::vector<Observation> observations;  // Of this worker's thread, or Run's caller.
    std::thread thread;
  };

  explicit Impl(const SamplePool& samples) : pool(samples) {}

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
      queue.clear();
    }
    ready.notify_all();
    for (Worker& worker : workers) {
      if (worker.thread.joinable()) worker.thread.join();
    }
  }

  Result<> Invoke(Worker& worker, std::uint32_t item) {
    const auto inputs = pool.inputs(item);
    const auto outputs = worker.outputs.views();
    const std::int64_t start = MonotonicNowNs();
    const Result<> result = worker.session->Invoke(inputs, outputs);
    const std::int64_t end = MonotonicNowNs();
    worker.observations.push_back({start, end, pool.first_sample(item),
                                   static_cast<std::uint16_t>(pool.batch_size()), Step::kInference,
                                   phase.load(std::memory_order_relaxed)});
    return result;
  }

  void Loop(Worker& worker) {
    std::unique_lock lock(mutex);
    for (;;) {
      ready.wait(lock, [this] { return stopping || !queue.empty(); });
      if (stopping) return;
      const std::shared_ptr<Open> query = queue.front();
      const std::uint32_t item = query->items[query->next++];
      if (query->next == query->items.size()) queue.pop_front();
      ++busy;
      lock.unlock();
      Result<> result = Invoke(worker, item);
      const std::int64_t now = MonotonicNowNs();
      lock.lock();
      --busy;
      if (!result && !failure) {
        failure = std::move(result).error();
        queue.clear();
      }
      if (--query->left == 0) done.push_back({query->id, now});
      if (queue.empty() && busy == 0) idle.notify_all();
    }
  }

  /// Threads start with the first query that needs them: single-stream has none.
  void StartThreads() {
    if (workers[0].thread.joinable()) return;
    for (Worker& worker : workers) worker.thread = std::thread([this, &worker] { Loop(worker); });
  }

  const SamplePool& pool;
  std::vector<Worker> workers;
  std::atomic<Phase> phase{Phase::kMeasured};
  std::mutex mutex;  // Of everything below.
  std::condition_variable ready;
  std::condition_variable idle;
  std::deque<std::shared_ptr<Open>> queue;
  std::size_t busy = 0;
  std::vector<Done> done;
  std::optional<Error> failure;
  bool stopping = false;
};

LocalRunner::LocalRunner(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LocalRunner::~LocalRunner() = default;

Result<std::unique_ptr<LocalRunner>> LocalRunner::Make(const SamplePool& pool,
                                                       std::span<Session* const> sessions) {
  KENNING_CHECK(!sessions.empty());
  auto impl = std::make_unique<Impl>(pool);
  impl->workers.resize(sessions.size());
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    impl->workers[i].session = sessions[i];
    KENNING_ASSIGN_OR_RETURN(impl->workers[i].outputs, OutputRoom::Make(*sessions[i], pool));
    // The first call of a session may be slow; it is nobody's query.
    KENNING_RETURN_IF_ERROR(sessions[i]->Invoke(pool.inputs(0), impl->workers[i].outputs.views()),
                            "first inference");
  }
  return std::unique_ptr<LocalRunner>(new LocalRunner(std::move(impl)));
}

std::uint32_t LocalRunner::pool_items() const {
  return static_cast<std::uint32_t>(impl_->pool.size());
}
std::uint32_t LocalRunner::samples_per_item() const { return impl_->pool.batch_size(); }
void LocalRunner::SetPhase(Phase phase) { impl_->phase.store(phase, std::memory_order_relaxed); }

Result<> LocalRunner::Run(std::uint32_t item) { return impl_->Invoke(impl_->workers[0], item); }

Result<> LocalRunner::Issue(const Query& query) {
  impl_->StartThreads();
  auto open = std::make_shared<Open>();
  open->id = query.id;
  open->items.assign(query.items.begin(), query.items.end());
  open->left = query.items.size();
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->failure) return Fail(*impl_->failure);
    if (!query.items.empty()) impl_->queue.push_back(std::move(open));
  }
  if (query.items.size() == 1) {
    impl_->ready.notify_one();
  } else {
    impl_->ready.notify_all();
  }
  return {};
}

Result<> LocalRunner::WaitUntil(std::int64_t until_ns) {
  const std::int64_t left = until_ns - MonotonicNowNs();
  if (left > kWatchNs) std::this_thread::sleep_for(std::chrono::nanoseconds(left - kWatchNs));
  while (MonotonicNowNs() < until_ns) {
  }
  return {};
}

Result<> LocalRunner::WaitIdle(const CancelToken& cancel) {
  std::unique_lock lock(impl_->mutex);
  const auto quiet = [this] { return impl_->busy == 0 && impl_->queue.empty(); };
  while (!impl_->idle.wait_for(lock, std::chrono::milliseconds(100), quiet)) {
    if (cancel.cancelled()) impl_->queue.clear();
  }
  if (impl_->failure) return Fail(*impl_->failure);
  return {};
}

void LocalRunner::Drop() {
  const std::lock_guard lock(impl_->mutex);
  impl_->queue.clear();
}

Result<> LocalRunner::TakeDone(std::vector<Done>& out) {
  const std::lock_guard lock(impl_->mutex);
  out.insert(out.end(), impl_->done.begin(), impl_->done.end());
  impl_->done.clear();
  if (impl_->failure) return Fail(*impl_->failure);
  return {};
}

std::vector<Observation> LocalRunner::TakeObservations() {
  std::vector<Observation> all;
  const std::lock_guard lock(impl_->mutex);
  for (Impl::Worker& worker : impl_->workers) {
    all.insert(all.end(), worker.observations.begin(), worker.observations.end());
    worker.observations.clear();
  }
  std::ranges::sort(all, {}, &Observation::start_ns);
  return all;
}

}  // namespace kenning
