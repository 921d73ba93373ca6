// SPDX-License-Identifier: Apache-2.0
#include "tf_profile.h"

#include "wire_reader.h"

namespace kenning::tensorflow {
namespace {

/// "name = Conv2D(input, weights)" -> "Conv2D".
std::string TypeOfLabel(std::string_view label) {
  const std::size_t equals = label.find(" = ");
  if (equals == std::string_view::npos) return "";
  label.remove_prefix(equals + 3);
  return std::string(label.substr(0, label.find('(')));
}

void AddNode(std::string_view node, std::map<std::string, OperatorProfile>& profile) {
  std::string name;
  std::string label;
  std::int64_t micros = 0;
  std::int64_t start_nanos = 0;
  std::int64_t end_nanos = 0;
  WireReader reader(node);
  while (const auto field = reader.Next()) {
    const auto number = static_cast<std::int64_t>(field->value);
    if (field->number == 1) name = field->bytes;
    if (field->number == 3) micros -= number;
    if (field->number == 4) micros += number;
    if (field->number == 8) label = field->bytes;
    if (field->number == 14) start_nanos = number;
    if (field->number == 15) end_nanos = number;
  }
  if (name.empty() || name.starts_with("_")) return;  // _SOURCE, _Send: no work of the model.
  // Functions inside one another, which says nothing of the model.
  constexpr std::string_view kCall = "StatefulPartitionedCall/";
  while (name.starts_with(kCall)) name.erase(0, kCall.size());
  OperatorProfile& entry = profile[name];
  entry.name = name;
  if (entry.op_type.empty()) entry.op_type = TypeOfLabel(label);
  entry.kernel = entry.op_type.starts_with("_Mkl") ? "oneDNN" : "TensorFlow";
  entry.total_ns += end_nanos > start_nanos ? end_nanos - start_nanos : micros * 1000;
  ++entry.calls;
}

void AddDevice(std::string_view device, std::map<std::string, OperatorProfile>& profile) {
  WireReader reader(device);
  while (const auto field = reader.Next()) {
    if (field->number == 2 && field->is_bytes) AddNode(field->bytes, profile);
  }
}

}  // namespace

void AddStepStats(std::string_view run_metadata, std::map<std::string, OperatorProfile>& profile) {
  WireReader reader(run_metadata);
  while (const auto field = reader.Next()) {
    if (field->number != 1 || !field->is_bytes) continue;
    WireReader stats(field->bytes);
    while (const auto device = stats.Next()) {
      if (device->number == 1 && device->is_bytes) AddDevice(device->bytes, profile);
    }
  }
}

}  // namespace kenning::tensorflow
