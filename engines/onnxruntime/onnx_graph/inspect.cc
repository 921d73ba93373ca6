// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "onnx_graph/onnx_reader.h"
#include "onnx_graph/tensors.h"

namespace kenning::onnx_graph {
namespace {

Result<TensorSpec> SpecOfValue(const onnx::ValueInfoProto& value, const char* role) {
  if (!value.type().has_tensor_type()) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{} \"{}\" is no tensor (a sequence, map or optional value, or "
                            "without a type)",
                            role, value.name()));
  }
  const auto& type = value.type().tensor_type();
  const std::optional<DType> dtype = DTypeOf(type.elem_type());
  if (!dtype) {
    return Fail(ErrorCode::kUnsupported, fmt::format("{} \"{}\" has the element type {}", role,
                                                     value.name(), OnnxTypeName(type.elem_type())));
  }
  TensorSpec spec;
  spec.name = value.name();
  spec.dtype = *dtype;
  for (const auto& dim : type.shape().dim()) {
    spec.shape.push_back(dim.has_dim_value() && dim.dim_value() >= 0 ? dim.dim_value() : kAnyDim);
  }
  return spec;
}

bool IsChannelCount(std::int64_t dim) { return dim == 1 || dim == 3 || dim == 4; }

std::string GuessLayout(const Shape& shape) {
  if (shape.size() != 4) return "";
  if (IsChannelCount(shape[1]) && !IsChannelCount(shape[3])) return "NCHW";
  if (IsChannelCount(shape[3]) && !IsChannelCount(shape[1])) return "NHWC";
  // Both or neither: ONNX's own convolutions are channels first.
  return IsChannelCount(shape[1]) ? "NCHW" : "";
}

const std::string* FindMetadata(const onnx::ModelProto& model, std::string_view key) {
  for (const auto& entry : model.metadata_props()) {
    if (entry.key() == key) return &entry.value();
  }
  return nullptr;
}

/// "0.485, 0.456, 0.406" -> numbers; empty where the text is anything else.
std::vector<float> ParseNumbers(std::string_view text) {
  std::vector<float> numbers;
  while (!text.empty()) {
    const std::size_t start = text.find_first_not_of("[], ");
    if (start == std::string_view::npos) break;
    text.remove_prefix(start);
    float number = 0;
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc()) return {};
    numbers.push_back(number);
    text.remove_prefix(static_cast<std::size_t>(at - text.data()));
  }
  return numbers;
}

std::vector<std::string> ParseNames(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_array()) return {};
  std::vector<std::string> names;
  for (const auto& entry : json) {
    if (!entry.is_string()) return {};
    names.push_back(entry.get<std::string>());
  }
  return names;
}

void ApplyMetadata(const onnx::ModelProto& model, ModelSpec& spec) {
  if (!spec.inputs.empty()) {
    TensorSpec& input = spec.inputs.front();
    input.layout = GuessLayout(input.shape);
    if (const std::string* layout = FindMetadata(model, "layout");
        layout != nullptr && (*layout == "NCHW" || *layout == "NHWC") && input.shape.size() == 4) {
      input.layout = *layout;
    }
    if (const std::string* mean = FindMetadata(model, "mean")) input.mean = ParseNumbers(*mean);
    if (const std::string* stddev = FindMetadata(model, "std")) {
      input.stddev = ParseNumbers(*stddev);
    }
  }
  if (const std::string* names = FindMetadata(model, "class_names");
      names != nullptr && !spec.outputs.empty()) {
    spec.outputs.front().class_names = ParseNames(*names);
  }
}

}  // namespace

Result<ModelSpec> SpecOfModel(const onnx::ModelProto& model, const std::string& name) {
  std::unordered_set<std::string> initializers;
  for (const auto& tensor : model.graph().initializer()) initializers.insert(tensor.name());
  ModelSpec spec;
  for (const auto& input : model.graph().input()) {
    if (initializers.contains(input.name())) continue;
    KENNING_ASSIGN_OR_RETURN(TensorSpec tensor, SpecOfValue(input, "input"), name);
    spec.inputs.push_back(std::move(tensor));
  }
  for (const auto& output : model.graph().output()) {
    KENNING_ASSIGN_OR_RETURN(TensorSpec tensor, SpecOfValue(output, "output"), name);
    spec.outputs.push_back(std::move(tensor));
  }
  if (spec.outputs.empty()) {
    return Fail(ErrorCode::kInvalidModel, name + ": the model has no outputs");
  }
  ApplyMetadata(model, spec);
  return spec;
}

}  // namespace kenning::onnx_graph
