// SPDX-License-Identifier: Apache-2.0
#include "app/load_remote.h"

#include <algorithm>
#include <thread>

namespace kenning {
namespace {

/// Waking up takes some 50 µs; the rest of the way to a due time is spent looking.
constexpr std::int64_t kWatchNs = 100'000;

}  // namespace

Result<std::unique_ptr<RemoteRunner>> RemoteRunner::Make(const SamplePool& pool,
                                                         RemoteSession& session) {
  KENNING_ASSIGN_OR_RETURN(OutputRoom outputs, OutputRoom::Make(session, pool));
  return std::unique_ptr<RemoteRunner>(new RemoteRunner(pool, session, std::move(outputs)));
}

void RemoteRunner::Log(std::uint32_t item, std::int64_t start_ns, std::int64_t end_ns) {
  observations_.push_back({start_ns, end_ns, pool_.first_sample(item),
                           static_cast<std::uint16_t>(pool_.batch_size()), Step::kInference,
                           phase_});
}

Result<> RemoteRunner::Run(std::uint32_t item) {
  const std::int64_t start = MonotonicNowNs();
  KENNING_RETURN_IF_ERROR(session_.Invoke(pool_.inputs(item), outputs_.views()));
  Log(item, start, MonotonicNowNs());
  return {};
}

Result<> RemoteRunner::Issue(const Query& query) {
  auto open = std::make_shared<Open>();
  open->id = query.id;
  open->left = query.items.size();
  for (const std::uint32_t item : query.items) backlog_.push_back({open, item, 0});
  return Pump();
}

Result<> RemoteRunner::Pump() {
  while (!backlog_.empty() && sent_.size() < wire::TargetClient::kMaxInFlight) {
    Work work = std::move(backlog_.front());
    backlog_.pop_front();
    work.sent_ns = MonotonicNowNs();
    KENNING_RETURN_IF_ERROR(session_.Send(pool_.inputs(work.item)));
    sent_.push_back(std::move(work));
  }
  return {};
}

Result<> RemoteRunner::ReceiveOne() {
  const Result<> received = session_.Receive(outputs_.views());
  const std::int64_t now = MonotonicNowNs();
  Work work = std::move(sent_.front());
  sent_.pop_front();
  KENNING_RETURN_IF_ERROR(received);
  Log(work.item, work.sent_ns, now);
  if (--work.query->left == 0) done_.push_back({work.query->id, now});
  return Pump();
}

Result<> RemoteRunner::WaitUntil(std::int64_t until_ns) {
  for (;;) {
    const std::int64_t left = until_ns - MonotonicNowNs();
    if (left <= 0) return {};
    const std::int64_t sleep = std::max<std::int64_t>(0, left - kWatchNs);
    if (sent_.empty()) {
      if (sleep > 0) std::this_thread::sleep_for(std::chrono::nanoseconds(sleep));
      continue;
    }
    KENNING_ASSIGN_OR_RETURN(
        const bool there, session_.AwaitAnswer(Deadline::After(static_cast<double>(sleep) * 1e-9)));
    if (there) KENNING_RETURN_IF_ERROR(ReceiveOne());
  }
}

Result<> RemoteRunner::WaitIdle(const CancelToken& cancel) {
  while (!sent_.empty()) {
    if (cancel.cancelled()) backlog_.clear();
    KENNING_RETURN_IF_ERROR(ReceiveOne());
  }
  return {};
}

Result<> RemoteRunner::TakeDone(std::vector<Done>& out) {
  out.insert(out.end(), done_.begin(), done_.end());
  done_.clear();
  return {};
}

}  // namespace kenning
