// SPDX-License-Identifier: Apache-2.0
/// \file
/// Times of operators, from TensorFlow Lite's own events.
#pragma once

#include <compare>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "kenning/core/runtime.h"
#include "model_file/model_file.h"
#include "tflite_c_api.h"

namespace kenning::tflite {

/// Collects events while it lives; must outlive the interpreter that it is given to. One thread.
/// XNNPACK reports its own operators, fused as it fuses them, in whole microseconds. Those with
/// multiply-adds get the names of the model's where both sides have as many; the others keep
/// XNNPACK's.
class Profiler {
 public:
  explicit Profiler(const ModelFile& model);
  Profiler(const Profiler&) = delete;
  Profiler& operator=(const Profiler&) = delete;
  TfLiteTelemetryProfilerStruct* callbacks() { return &callbacks_; }
  /// Most expensive first.
  std::vector<OperatorProfile> Collect() const;

 private:
  struct Key {
    bool delegated = false;
    std::int64_t subgraph = 0;
    std::int64_t op = 0;
    int repeat = 0;
    std::string tag;
    auto operator<=>(const Key&) const = default;
  };
  struct Event {
    Key key;
    std::int64_t start_ns = 0;
  };
  struct Total {
    std::int64_t total_ns = 0;
    std::uint64_t calls = 0;
  };

  std::uint32_t Begin(const char* name, std::int64_t op, std::int64_t subgraph);
  void End(std::uint32_t handle);
  void AddDelegated(const char* name, std::int64_t op, std::int64_t elapsed_ns);
  void EndInvoke();
  void Add(const Key& key, std::int64_t elapsed_ns);
  OperatorProfile Describe(const Key& key, const Total& total) const;
  /// Operators of the model that XNNPACK's stand for, found by their order in one invoke.
  std::map<Key, const FileOperator*> Matched() const;

  TfLiteTelemetryProfilerStruct callbacks_{};
  std::vector<FileSubgraph> subgraphs_;
  std::vector<Event> open_;
  std::map<std::pair<std::int64_t, std::string>, int> repeats_;
  std::map<Key, Total> totals_;
  std::vector<Key> order_;  ///< Of XNNPACK's operators in the first invoke.
  bool order_known_ = false;
};

}  // namespace kenning::tflite
