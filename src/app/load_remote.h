// SPDX-License-Identifier: Apache-2.0
/// \file
/// Load patterns on a target: queries are sent without waiting for the answers before them.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "app/load_local.h"
#include "app/load_run.h"
#include "app/remote_session.h"

namespace kenning {

/// Everything happens on the driver's thread: answers are taken while it waits for the next due
/// time. In Kenning's protocol only Run works.
class RemoteRunner final : public QueryRunner {
 public:
  /// Borrows both.
  static Result<std::unique_ptr<RemoteRunner>> Make(const SamplePool& pool, RemoteSession& session);

  std::uint32_t pool_items() const override { return static_cast<std::uint32_t>(pool_.size()); }
  std::uint32_t samples_per_item() const override { return pool_.batch_size(); }
  void SetPhase(Phase phase) override { phase_ = phase; }
  Result<> Run(std::uint32_t item) override;
  Result<> Issue(const Query& query) override;
  Result<> WaitUntil(std::int64_t until_ns) override;
  Result<> WaitIdle(const CancelToken& cancel) override;
  void Drop() override { backlog_.clear(); }
  Result<> TakeDone(std::vector<Done>& out) override;

  /// Every inference whose answer came, in order.
  std::vector<Observation> TakeObservations() { return std::move(observations_); }

 private:
  struct Open {
    std::uint64_t id = 0;
    std::size_t left = 0;
  };
  struct Work {
    std::shared_ptr<Open> query;
    std::uint32_t item = 0;
    std::int64_t sent_ns = 0;
  };

  RemoteRunner(const SamplePool& pool, RemoteSession& session, OutputRoom outputs)
      : pool_(pool), session_(session), outputs_(std::move(outputs)) {}
  /// Sends as much of what waits as may be in flight.
  Result<> Pump();
  Result<> ReceiveOne();
  void Log(std::uint32_t item, std::int64_t start_ns, std::int64_t end_ns);

  const SamplePool& pool_;
  RemoteSession& session_;
  OutputRoom outputs_;
  Phase phase_ = Phase::kMeasured;
  std::deque<Work> backlog_;
  std::deque<Work> sent_;
  std::vector<Done> done_;
  std::vector<Observation> observations_;
};

}  // namespace kenning
