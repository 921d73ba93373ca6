// SPDX-License-Identifier: Apache-2.0
#include "tflite_profiler.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "kenning/base/clock.h"
#include "model_file/operators.h"

namespace kenning::tflite {
namespace {

constexpr std::uint32_t kNoEvent = UINT32_MAX;

Profiler* Self(TfLiteTelemetryProfilerStruct* profiler) {
  return static_cast<Profiler*>(profiler->data);
}

/// "Convolution (NHWC, QS8) IGEMM" -> "int8": the type in the name that XNNPACK gives an operator.
std::string DtypeInTag(const std::string& tag) {
  if (tag.find("QS8") != std::string::npos || tag.find("QC8") != std::string::npos ||
      tag.find(" S8") != std::string::npos) {
    return "int8";
  }
  if (tag.find("QU8") != std::string::npos || tag.find(" U8") != std::string::npos) return "uint8";
  if (tag.find("F16") != std::string::npos) return "float16";
  if (tag.find("F32") != std::string::npos) return "float32";
  return "";
}

/// Tags of XNNPACK's operators that multiply: one for each of the model's.
bool IsHeavyTag(const std::string& tag) {
  for (const char* start : {"Convolution", "Deconvolution", "Fully Connected", "Batch Matrix"}) {
    if (tag.starts_with(start)) return true;
  }
  return false;
}

}  // namespace

Profiler::Profiler(const ModelFile& model) : subgraphs_(model.subgraphs) {
  callbacks_.data = this;
  callbacks_.ReportTelemetryEvent = [](TfLiteTelemetryProfilerStruct* profiler, const char* name,
                                       std::uint64_t) {
    if (std::string_view(name) == "Invoke") Self(profiler)->EndInvoke();
  };
  callbacks_.ReportTelemetryOpEvent = [](TfLiteTelemetryProfilerStruct*, const char*, std::int64_t,
                                         std::int64_t, std::uint64_t) {};
  callbacks_.ReportSettings = [](TfLiteTelemetryProfilerStruct*, const char*,
                                 const TfLiteTelemetrySettings*) {};
  callbacks_.ReportBeginOpInvokeEvent =
      [](TfLiteTelemetryProfilerStruct* profiler, const char* name, std::int64_t op,
         std::int64_t subgraph) { return Self(profiler)->Begin(name, op, subgraph); };
  callbacks_.ReportEndOpInvokeEvent = [](TfLiteTelemetryProfilerStruct* profiler,
                                         std::uint32_t handle) { Self(profiler)->End(handle); };
  callbacks_.ReportOpInvokeEvent = [](TfLiteTelemetryProfilerStruct* profiler, const char* name,
                                      std::uint64_t elapsed_us, std::int64_t op, std::int64_t) {
    Self(profiler)->AddDelegated(name, op, static_cast<std::int64_t>(elapsed_us) * 1000);
  };
}

std::uint32_t Profiler::Begin(const char* name, std::int64_t op, std::int64_t subgraph) {
  // Events nest (an operator that runs another subgraph), so that this stays short.
  if (open_.size() >= kNoEvent) return kNoEvent;
  open_.push_back({{false, subgraph, op, 0, name}, MonotonicNowNs()});
  return static_cast<std::uint32_t>(open_.size() - 1);
}

void Profiler::End(std::uint32_t handle) {
  const std::int64_t now = MonotonicNowNs();
  if (handle >= open_.size()) return;
  Add(open_[handle].key, now - open_[handle].start_ns);
  open_.resize(handle);
}

void Profiler::AddDelegated(const char* name, std::int64_t op, std::int64_t elapsed_ns) {
  // A delegate numbers the operators of each part that it took from 0 on.
  const int repeat = repeats_[{op, name}]++;
  Key key{true, 0, op, repeat, name};
  if (!order_known_) order_.push_back(key);
  Add(key, elapsed_ns);
}

void Profiler::EndInvoke() {
  order_known_ = order_known_ || !order_.empty();
  repeats_.clear();
  open_.clear();
}

void Profiler::Add(const Key& key, std::int64_t elapsed_ns) {
  Total& total = totals_[key];
  total.total_ns += elapsed_ns;
  ++total.calls;
}

OperatorProfile Profiler::Describe(const Key& key, const Total& total) const {
  OperatorProfile profile;
  profile.total_ns = total.total_ns;
  profile.calls = total.calls;
  profile.op_type = key.tag;
  if (key.delegated) {
    profile.name = fmt::format("{} #{}", key.tag, key.op);
    if (key.repeat > 0) profile.name += fmt::format(" of part {}", key.repeat + 1);
    profile.dtype = DtypeInTag(key.tag);
    profile.kernel = "XNNPACK: " + key.tag;
    return profile;
  }
  profile.name = fmt::format("{} #{}", key.tag, key.op);
  profile.kernel = "TFLite";
  const auto graph = static_cast<std::size_t>(key.subgraph);
  const auto index = static_cast<std::size_t>(key.op);
  if (graph >= subgraphs_.size() || index >= subgraphs_[graph].operators.size()) return profile;
  const FileSubgraph& subgraph = subgraphs_[graph];
  const FileOperator& op = subgraph.operators[index];
  if (op.op_type != key.tag) return profile;  // A delegate's node has a number past the file's.
  if (!op.outputs.empty()) {
    profile.name = subgraph.tensors[static_cast<std::size_t>(op.outputs[0])].name;
  }
  profile.dtype = TensorTypeName(ComputeType(subgraph, op));
  return profile;
}

std::map<Profiler::Key, const FileOperator*> Profiler::Matched() const {
  std::vector<const FileOperator*> model;
  const FileSubgraph& graph = subgraphs_.front();
  for (std::size_t i = 0; i < graph.operators.size(); ++i) {
    const FileOperator& op = graph.operators[i];
    const Key own{false, 0, static_cast<std::int64_t>(i), 0, op.op_type};
    if (IsHeavy(op.builtin) && !totals_.contains(own)) model.push_back(&op);
  }
  std::vector<Key> engine;
  std::ranges::copy_if(order_, std::back_inserter(engine),
                       [](const Key& key) { return IsHeavyTag(key.tag); });
  std::map<Key, const FileOperator*> matched;
  if (model.size() != engine.size()) return matched;
  for (std::size_t i = 0; i < model.size(); ++i) matched[engine[i]] = model[i];
  return matched;
}

std::vector<OperatorProfile> Profiler::Collect() const {
  const std::map<Key, const FileOperator*> matched = Matched();
  std::vector<OperatorProfile> profiles;
  for (const auto& [key, total] : totals_) {
    profiles.push_back(Describe(key, total));
    const auto it = matched.find(key);
    if (it == matched.end()) continue;
    const FileOperator& op = *it->second;
    profiles.back().name =
        subgraphs_.front().tensors[static_cast<std::size_t>(op.outputs.at(0))].name;
    profiles.back().op_type = op.op_type;
  }
  std::ranges::stable_sort(profiles, [](const OperatorProfile& a, const OperatorProfile& b) {
    return a.total_ns > b.total_ns;
  });
  return profiles;
}

}  // namespace kenning::tflite
