// SPDX-License-Identifier: Apache-2.0
/// \file
/// Load patterns on this machine: samples prepared beforehand, and sessions that work side by side.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "app/load_run.h"
#include "kenning/core/dataset.h"
#include "kenning/core/model_wrapper.h"
#include "kenning/core/runtime.h"

namespace kenning {

/// Inputs as the engine takes them, one item a batch: loading, preprocessing and casting lie before
/// the clock starts.
class SamplePool {
 public:
  struct Parts {
    const Dataset& dataset;
    const ModelWrapper& wrapper;
    const ModelSpec& session_spec;
    /// Facts of the artifact's tensors (quantisation); falls back to the session's own.
    const ModelSpec& artifact_spec;
  };
  /// Whole batches of `ids`, in order, as many as fit `most_bytes`, at least one (the last sample
  /// fills up a batch where there are too few). \return kInvalidScenario where batch size and model
  /// do not fit, an error of a part.
  static Result<SamplePool> Prepare(const Parts& parts, std::span<const SampleId> ids,
                                    std::uint64_t most_bytes, ProgressSink& progress,
                                    const CancelToken& cancel);

  std::size_t size() const { return items_.size(); }
  std::uint32_t batch_size() const { return batch_size_; }
  /// One tensor an input of the engine.
  std::span<const TensorView> inputs(std::size_t item) const { return items_[item].views; }
  SampleId first_sample(std::size_t item) const { return items_[item].first_sample; }
  std::vector<Shape> input_shapes() const;

 private:
  struct Item {
    std::vector<Tensor> tensors;
    std::vector<TensorView> views;
    SampleId first_sample = 0;
  };
  std::vector<Item> items_;
  std::uint32_t batch_size_ = 1;
};

/// Room for the outputs of one session.
class OutputRoom {
 public:
  static Result<OutputRoom> Make(Session& session, const SamplePool& pool);
  std::span<const MutableTensorView> views() const { return views_; }

 private:
  std::vector<Tensor> tensors_;
  std::vector<MutableTensorView> views_;
};

/// One thread a session, a queue before them; Run works on the caller's thread with the first.
class LocalRunner final : public QueryRunner {
 public:
  /// Borrows the pool and the sessions, which are of one model; at least one.
  static Result<std::unique_ptr<LocalRunner>> Make(const SamplePool& pool,
                                                   std::span<Session* const> sessions);
  ~LocalRunner() override;

  std::uint32_t pool_items() const override;
  std::uint32_t samples_per_item() const override;
  void SetPhase(Phase phase) override;
  Result<> Run(std::uint32_t item) override;
  Result<> Issue(const Query& query) override;
  Result<> WaitUntil(std::int64_t until_ns) override;
  Result<> WaitIdle(const CancelToken& cancel) override;
  void Drop() override;
  Result<> TakeDone(std::vector<Done>& out) override;

  /// Every call of the engine until now, in order of time. Only while nothing is in flight.
  std::vector<Observation> TakeObservations();

 private:
  struct Impl;
  explicit LocalRunner(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace kenning
