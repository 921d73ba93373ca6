// SPDX-License-Identifier: Apache-2.0
#include "io_spec/io_spec_json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "kenning/base/file.h"
#include "kenning/base/json_depth.h"

namespace kenning {
namespace {

using nlohmann::json;

constexpr std::uint64_t kLargestFile = 16 << 20;
constexpr std::size_t kMostDimensions = 64;

json TensorToJson(const TensorSpec& spec) {
  json item = {{"name", spec.name}, {"shape", spec.shape}, {"dtype", DTypeName(spec.dtype)}};
  if (!spec.layout.empty()) item["layout"] = spec.layout;
  if (spec.order) item["order"] = *spec.order;
  if (!spec.class_names.empty()) item["class_names"] = spec.class_names;
  if (!spec.mean.empty()) item["mean"] = spec.mean;
  if (!spec.stddev.empty()) item["std"] = spec.stddev;
  if (spec.prequantized_dtype) item["prequantized_dtype"] = DTypeName(*spec.prequantized_dtype);
  if (spec.quant) {
    // Kenning writes plain numbers for per-tensor quantisation.
    if (spec.quant->scale.size() == 1) {
      item["scale"] = spec.quant->scale[0];
      item["zero_point"] = spec.quant->zero_point.at(0);
    } else {
      item["scale"] = spec.quant->scale;
      item["zero_point"] = spec.quant->zero_point;
      item["quantized_dimension"] = spec.quant->axis;
    }
  }
  return item;
}

json ListToJson(const std::vector<TensorSpec>& specs) {
  json list = json::array();
  for (const TensorSpec& spec : specs) list.push_back(TensorToJson(spec));
  return list;
}

/// Throws json::exception for wrong types.
Result<Shape> ShapeFromJson(const json& value, const std::string& where) {
  const json& shape = !value.empty() && value.front().is_array() ? value.front() : value;
  Shape dims;
  if (shape.size() > kMostDimensions) {
    return Fail(ErrorCode::kInvalidData, fmt::format("{}: {} dimensions", where, shape.size()));
  }
  for (const json& dim : shape) {
    // null is how some exporters spell "any".
    const std::int64_t size = dim.is_null() ? kAnyDim : dim.get<std::int64_t>();
    if (size < kAnyDim) {
      return Fail(ErrorCode::kInvalidData, fmt::format("{}: dimension {}", where, size));
    }
    dims.push_back(size);
  }
  return dims;
}

template <typename T>
std::vector<T> OneOrMany(const json& value) {
  if (value.is_array()) return value.get<std::vector<T>>();
  return {value.get<T>()};
}

Result<DType> DTypeFromJson(const json& value, const std::string& where) {
  const auto name = value.get<std::string>();
  const auto dtype = ParseDType(name);
  if (!dtype) {
    return Fail(ErrorCode::kInvalidData, fmt::format("{}: unknown dtype \"{}\"", where, name));
  }
  return *dtype;
}

Result<TensorSpec> TensorFromJson(const json& item, const std::string& where) {
  TensorSpec spec;
  spec.name = item.value("name", "");
  KENNING_ASSIGN_OR_RETURN(spec.dtype, DTypeFromJson(item.at("dtype"), where));
  KENNING_ASSIGN_OR_RETURN(spec.shape, ShapeFromJson(item.at("shape"), where));
  spec.layout = item.value("layout", "");
  if (item.contains("order") && !item["order"].is_null()) spec.order = item["order"].get<int>();
  if (item.contains("class_names") && item["class_names"].is_array()) {
    spec.class_names = item["class_names"].get<std::vector<std::string>>();
  }
  if (item.contains("mean") && !item["mean"].is_null()) spec.mean = OneOrMany<float>(item["mean"]);
  if (item.contains("std") && !item["std"].is_null()) spec.stddev = OneOrMany<float>(item["std"]);
  if (item.contains("prequantized_dtype")) {
    KENNING_ASSIGN_OR_RETURN(spec.prequantized_dtype,
                             DTypeFromJson(item["prequantized_dtype"], where));
  }
  if (item.contains("scale") && !item["scale"].is_null()) {
    QuantParams quant;
    quant.scale = OneOrMany<float>(item["scale"]);
    quant.zero_point = OneOrMany<std::int64_t>(item.at("zero_point"));
    quant.axis = item.value("quantized_dimension", 0);
    if (quant.scale.empty() || quant.scale.size() != quant.zero_point.size()) {
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("{}: {} scales but {} zero points", where, quant.scale.size(),
                              quant.zero_point.size()));
    }
    spec.quant = std::move(quant);
  }
  return spec;
}

Result<std::vector<TensorSpec>> ListFromJson(const json& file, const char* key,
                                             const std::string& file_name) {
  std::vector<TensorSpec> specs;
  const auto list = file.find(key);
  if (list == file.end()) return specs;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string where = fmt::format("{}: {}[{}]", file_name, key, i);
    KENNING_ASSIGN_OR_RETURN(TensorSpec spec, TensorFromJson(list->at(i), where));
    specs.push_back(std::move(spec));
  }
  return specs;
}

}  // namespace

std::string ModelSpecToJson(const ModelSpec& spec) {
  json file = {{"input", ListToJson(spec.inputs)}, {"output", ListToJson(spec.outputs)}};
  if (!spec.processed_inputs.empty()) file["processed_input"] = ListToJson(spec.processed_inputs);
  if (!spec.processed_outputs.empty())
    file["processed_output"] = ListToJson(spec.processed_outputs);
  return file.dump(4, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<ModelSpec> ModelSpecFromJson(std::string_view text, const std::string& file_name) {
  if (!NestsAtMost(text)) {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("{}: not an IO specification: nested too deep", file_name));
  }
  try {
    const json file = json::parse(text);
    if (!file.is_object() || !file.contains("input") || !file.contains("output")) {
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("{}: not an IO specification: \"input\" and \"output\" are needed",
                              file_name));
    }
    ModelSpec spec;
    KENNING_ASSIGN_OR_RETURN(spec.inputs, ListFromJson(file, "input", file_name));
    KENNING_ASSIGN_OR_RETURN(spec.processed_inputs,
                             ListFromJson(file, "processed_input", file_name));
    KENNING_ASSIGN_OR_RETURN(spec.outputs, ListFromJson(file, "output", file_name));
    KENNING_ASSIGN_OR_RETURN(spec.processed_outputs,
                             ListFromJson(file, "processed_output", file_name));
    return spec;
  } catch (const json::exception& exception) {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("{}: broken IO specification: {}", file_name, exception.what()));
  }
}

Result<ModelSpec> LoadModelSpec(const std::filesystem::path& path) {
  KENNING_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kLargestFile));
  return ModelSpecFromJson(text, path.string());
}

}  // namespace kenning
