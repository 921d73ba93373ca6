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
/// Operators that XNNPACK runs come under XNNPACK's own names, fused as it fuses them, and in whole
/// microseconds.
class Profiler {
 public:
  explicit Profiler(const ModelFile& model);
  Profiler(const Profiler&) = delete;
  Profiler& operator=(const Profiler&) = delete;
  TfLiteTelemetryProfilerStruct* callbacks() { return &callbacks_; }
  /// Most expensive first.
  std::vector<OperatorProfile> Collect() const;
  void Reset();

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

  TfLiteTelemetryProfilerStruct callbacks_{};
  std::vector<FileSubgraph> subgraphs_;
  std::vector<Event> open_;
  std::map<std::pair<std::int64_t, std::string>, int> repeats_;
  std::map<Key, Total> totals_;
};

}  // namespace kenning::tflite
