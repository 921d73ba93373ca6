// SPDX-License-Identifier: Apache-2.0
#include "onnx_import.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "kenning/base/file.h"
#include "kenning/toolchain/worker.h"
#include "onnx_graph/onnx_reader.h"
#include "ort_runtime.h"

namespace kenning::ort {
namespace {

constexpr std::uint64_t kLargestTensor = std::uint64_t{1} << 30;
constexpr double kMostDifference = 1e-3;  ///< Of the largest value.

nlohmann::json Names(const std::vector<TensorSpec>& specs) {
  nlohmann::json names = nlohmann::json::array();
  for (const TensorSpec& spec : specs) names.push_back(spec.name);
  return names;
}

/// A tensor that the worker wrote: {"file", "dtype", "shape"}.
Result<Tensor> ReadTensor(const nlohmann::json& described, const std::filesystem::path& folder) {
  const auto dtype = ParseDType(described.value("dtype", ""));
  if (!dtype) return Fail(ErrorCode::kEngineFailure, "the converter's answer has no type");
  KENNING_ASSIGN_OR_RETURN(Tensor tensor,
                           Tensor::Create(*dtype, described.value("shape", Shape{})));
  KENNING_ASSIGN_OR_RETURN(
      const std::string bytes,
      ReadFile(folder / std::filesystem::path(described.value("file", "")).filename(),
               kLargestTensor));
  if (bytes.size() != tensor.size_bytes()) {
    return Fail(ErrorCode::kEngineFailure, "the converter's sample is not of its shape");
  }
  std::memcpy(tensor.data(), bytes.data(), bytes.size());
  return tensor;
}

Result<std::vector<Tensor>> ReadTensors(const nlohmann::json& list,
                                        const std::filesystem::path& folder) {
  std::vector<Tensor> tensors;
  for (const nlohmann::json& described : list) {
    KENNING_ASSIGN_OR_RETURN(Tensor tensor, ReadTensor(described, folder));
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

template <typename T>
double LargestDifference(const Tensor& a, const Tensor& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.as<T>().size(); ++i) {
    const double difference =
        std::abs(static_cast<double>(a.as<T>()[i]) - static_cast<double>(b.as<T>()[i]));
    // A NaN on one side alone counts as everything.
    largest = std::isfinite(difference) ? std::max(largest, difference) : INFINITY;
  }
  return largest;
}

double LargestValue(const Tensor& tensor) {
  double largest = 0;
  for (const float value : tensor.as<float>()) {
    largest = std::max(largest, std::abs(static_cast<double>(value)));
  }
  return largest;
}

/// One line about an output of both models. \return kEngineFailure where floats differ.
Result<std::string> Compare(const std::string& name, const Tensor& original, const Tensor& found) {
  if (original.dtype() == DType::kFloat32) {
    const double largest = std::max(LargestValue(original), 1e-6);
    const double relative = LargestDifference<float>(original, found) / largest;
    if (!(relative <= kMostDifference)) {
      return Fail(
          ErrorCode::kEngineFailure,
          fmt::format("the ONNX model's output \"{}\" differs from the original's by {:.2g} "
                      "of its largest value on a sample of noise: the converter made a "
                      "mistake",
                      name, relative));
    }
    return fmt::format("output \"{}\" agrees with the original's to {:.1g} of its largest value",
                       name, relative);
  }
  double steps = -1;
  if (original.dtype() == DType::kInt8) steps = LargestDifference<std::int8_t>(original, found);
  if (original.dtype() == DType::kUint8) steps = LargestDifference<std::uint8_t>(original, found);
  if (steps < 0) return fmt::format("output \"{}\" was not compared with the original's", name);
  return fmt::format(
      "output \"{}\" differs from the original's by {} steps at most, on a sample of "
      "noise",
      name, steps);
}

Result<std::vector<std::string>> CheckAgainstOriginal(const std::filesystem::path& onnx,
                                                      const nlohmann::json& check,
                                                      const std::filesystem::path& folder) {
  KENNING_ASSIGN_OR_RETURN(const std::vector<Tensor> inputs,
                           ReadTensors(check.value("inputs", nlohmann::json::array()), folder));
  KENNING_ASSIGN_OR_RETURN(const std::vector<Tensor> outputs,
                           ReadTensors(check.value("outputs", nlohmann::json::array()), folder));
  OnnxRuntime runtime(SessionSettings{.num_threads = 1}, "");
  KENNING_ASSIGN_OR_RETURN(const auto session, runtime.Load(onnx, "onnx"), "converted model");
  const ModelSpec& spec = session->spec();
  if (spec.inputs.size() != inputs.size() || spec.outputs.size() != outputs.size()) {
    return std::vector<std::string>{
        "not compared with the original: it has another number of "
        "inputs or outputs"};
  }
  std::vector<TensorView> views;
  for (const Tensor& input : inputs) views.push_back(input.view());
  std::vector<Tensor> found;
  std::vector<MutableTensorView> found_views;
  for (const Tensor& output : outputs) {
    KENNING_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(output.dtype(), output.shape()));
    found.push_back(std::move(tensor));
  }
  for (Tensor& tensor : found) found_views.push_back(tensor.mutable_view());
  KENNING_RETURN_IF_ERROR(session->Invoke(views, found_views), "converted model");
  std::vector<std::string> notes;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    KENNING_ASSIGN_OR_RETURN(std::string note, Compare(spec.outputs[i].name, outputs[i], found[i]));
    notes.push_back(std::move(note));
  }
  return notes;
}

void CarryFacts(const std::vector<TensorSpec>& from, std::vector<TensorSpec>& to) {
  if (from.size() != to.size()) return;
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (from[i].dtype == to[i].dtype) {
      to[i].quant = from[i].quant;
      to[i].prequantized_dtype = from[i].prequantized_dtype;
    }
    if (!from[i].layout.empty()) to[i].layout = from[i].layout;
    if (to[i].class_names.empty()) to[i].class_names = from[i].class_names;
    if (to[i].mean.empty()) to[i].mean = from[i].mean;
    if (to[i].stddev.empty()) to[i].stddev = from[i].stddev;
  }
}

}  // namespace

ModelSpec CarrySpec(const ModelSpec& original, ModelSpec converted) {
  const auto carry = [](const std::vector<TensorSpec>& outer, const std::vector<TensorSpec>& inner,
                        std::vector<TensorSpec>& converted_outer,
                        std::vector<TensorSpec>& converted_inner) {
    if (inner.empty() || inner.size() != converted_outer.size()) {
      CarryFacts(outer, converted_outer);
      return;
    }
    CarryFacts(inner, converted_outer);
    converted_inner = std::move(converted_outer);
    converted_outer = outer;
  };
  carry(original.inputs, original.processed_inputs, converted.inputs, converted.processed_inputs);
  carry(original.outputs, original.processed_outputs, converted.outputs,
        converted.processed_outputs);
  return converted;
}

Result<ImportedModel> ImportToOnnx(const ModelArtifact& input, const std::filesystem::path& folder,
                                   OptimizeContext& context) {
  ImportedModel imported;
  imported.path = folder / "converted.onnx";
  WorkerJob job{.toolchain = "tensorflow", .engine = "onnxruntime", .script = "to_onnx.py"};
  job.stage = "converting to ONNX";
  std::error_code ignored;
  job.request = {{"model", std::filesystem::absolute(input.path, ignored).string()},
                 {"format", input.format},
                 {"output", imported.path.string()},
                 {"folder", folder.string()},
                 {"input_names", Names(input.spec.inputs)},
                 {"output_names", Names(input.spec.outputs)}};
  KENNING_ASSIGN_OR_RETURN(const nlohmann::json answer,
                           RunWorker(job, context.progress, context.cancel), input.path.string());
  KENNING_RETURN_IF_ERROR(onnx_graph::CheckOnnxFile(imported.path), "converted model");
  imported.version = answer.value("version", "");
  imported.notes = answer.value("notes", std::vector<std::string>{});
  if (answer.contains("check")) {
    KENNING_ASSIGN_OR_RETURN(const std::vector<std::string> notes,
                             CheckAgainstOriginal(imported.path, answer["check"], folder));
    imported.notes.insert(imported.notes.end(), notes.begin(), notes.end());
  }
  return imported;
}

}  // namespace kenning::ort
