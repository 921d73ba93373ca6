// SPDX-License-Identifier: Apache-2.0
/// \file
/// Progress and cancellation of long work. The work reports; the owner decides how it is shown.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace kenning {

/// Receives progress. Calls come from one thread and may be frequent: implementations throttle.
class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  /// Starts a stage. `total` is the number of units, 0 where unknown; `unit` e.g. "samples",
  /// "bytes".
  virtual void Begin(std::string_view stage, std::uint64_t total, std::string_view unit) = 0;
  /// `done` units are finished, counted from Begin.
  virtual void Update(std::uint64_t done) = 0;
  /// The stage ended (also after an error).
  virtual void End() = 0;
};

/// A sink that shows nothing.
class NullProgress final : public ProgressSink {
 public:
  void Begin(std::string_view, std::uint64_t, std::string_view) override {}
  void Update(std::uint64_t) override {}
  void End() override {}
};

/// Set by the Ctrl-C handler, read by loops between units of work. Lock-free.
class CancelToken {
 public:
  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> cancelled_{false};
};

}  // namespace kenning
