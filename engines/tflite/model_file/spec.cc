// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "model_file.h"
#include "operators.h"

namespace kenning::tflite {
namespace {

constexpr std::array<std::pair<TensorType, std::string_view>, 20> kTypeNames = {{
    {TensorType::kFloat32, "float32"},     {TensorType::kFloat16, "float16"},
    {TensorType::kInt32, "int32"},         {TensorType::kUint8, "uint8"},
    {TensorType::kInt64, "int64"},         {TensorType::kString, "string"},
    {TensorType::kBool, "bool"},           {TensorType::kInt16, "int16"},
    {TensorType::kComplex64, "complex64"}, {TensorType::kInt8, "int8"},
    {TensorType::kFloat64, "float64"},     {TensorType::kComplex128, "complex128"},
    {TensorType::kUint64, "uint64"},       {TensorType::kResource, "resource"},
    {TensorType::kVariant, "variant"},     {TensorType::kUint32, "uint32"},
    {TensorType::kUint16, "uint16"},       {TensorType::kInt4, "int4"},
    {TensorType::kBfloat16, "bfloat16"},   {TensorType::kInt2, "int2"},
}};

bool IsConstant(const FileTensor& tensor) { return tensor.data_bytes > 0; }

const FileTensor* TensorAt(const FileSubgraph& graph, const std::vector<std::int32_t>& list,
                           std::size_t position) {
  if (position >= list.size() || list[position] < 0) return nullptr;
  return &graph.tensors[static_cast<std::size_t>(list[position])];
}

std::uint64_t Elements(const FileTensor* tensor) {
  return tensor == nullptr || !tensor->shape_known ? 0 : ElementCount(tensor->shape).value_or(0);
}

std::uint64_t Dim(const FileTensor* tensor, std::size_t index) {
  return tensor == nullptr || index >= tensor->shape.size()
             ? 0
             : static_cast<std::uint64_t>(tensor->shape[index]);
}

std::uint64_t BytesOf(const FileTensor& tensor) {
  const auto dtype = ToDType(tensor.type);
  return dtype ? Elements(&tensor) * DTypeSize(*dtype) : 0;
}

}  // namespace

std::string TensorTypeName(TensorType type) {
  for (const auto& [known, name] : kTypeNames) {
    if (known == type) return std::string(name);
  }
  return fmt::format("type {}", static_cast<int>(type));
}

std::optional<DType> ToDType(TensorType type) {
  if (type == TensorType::kString) return std::nullopt;
  return ParseDType(TensorTypeName(type));
}

Result<TensorSpec> SpecOfTensor(const FileTensor& tensor) {
  const auto dtype = ToDType(tensor.type);
  if (!dtype) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("tensor \"{}\" is of type {}, which kenning does not carry",
                            tensor.name, TensorTypeName(tensor.type)));
  }
  TensorSpec spec;
  spec.name = tensor.name;
  spec.dtype = *dtype;
  spec.shape = tensor.shape_signature;
  spec.quant = tensor.quant;
  // The format's own operators are channels last.
  if (spec.shape.size() == 4 && (spec.shape[3] == 1 || spec.shape[3] == 3 || spec.shape[3] == 4)) {
    spec.layout = "NHWC";
  }
  return spec;
}

Result<ModelSpec> SpecOfModel(const ModelFile& model, const std::string& name) {
  ModelSpec spec;
  const FileSubgraph& graph = model.main();
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    KENNING_ASSIGN_OR_RETURN(TensorSpec tensor, SpecOfTensor(*TensorAt(graph, graph.inputs, i)),
                             name);
    spec.inputs.push_back(std::move(tensor));
  }
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
    KENNING_ASSIGN_OR_RETURN(TensorSpec tensor, SpecOfTensor(*TensorAt(graph, graph.outputs, i)),
                             name);
    tensor.layout.clear();
    spec.outputs.push_back(std::move(tensor));
  }
  return spec;
}

std::uint64_t CountMacs(const FileSubgraph& graph, const FileOperator& op) {
  const FileTensor* weights = TensorAt(graph, op.inputs, 1);
  const std::uint64_t outputs = Elements(TensorAt(graph, op.outputs, 0));
  switch (op.builtin) {
    case kConv2d:
      return outputs * Dim(weights, 1) * Dim(weights, 2) * Dim(weights, 3);
    case kDepthwiseConv2d:
      return outputs * Dim(weights, 1) * Dim(weights, 2);
    case kFullyConnected:
      return outputs * Dim(weights, 1);
    case kTransposeConv:
      return Elements(TensorAt(graph, op.inputs, 2)) * Dim(weights, 0) * Dim(weights, 1) *
             Dim(weights, 2);
    case kConv3d:
      return outputs * Dim(weights, 0) * Dim(weights, 1) * Dim(weights, 2) * Dim(weights, 3);
    case kBatchMatmul: {
      const FileTensor* left = TensorAt(graph, op.inputs, 0);
      return left == nullptr || left->shape.empty() ? 0
                                                    : outputs * Dim(left, left->shape.size() - 1);
    }
    default:
      return 0;
  }
}

TensorType ComputeType(const FileSubgraph& graph, const FileOperator& op) {
  for (std::size_t i = 0; i < op.inputs.size(); ++i) {
    const FileTensor* tensor = TensorAt(graph, op.inputs, i);
    if (tensor != nullptr && !IsConstant(*tensor)) return tensor->type;
  }
  const FileTensor* output = TensorAt(graph, op.outputs, 0);
  return output == nullptr ? TensorType::kFloat32 : output->type;
}

GraphInfo GraphOfModel(const ModelFile& model) {
  GraphInfo info;
  const FileSubgraph& graph = model.main();
  for (const FileOperator& op : graph.operators) {
    OperatorInfo item;
    item.op_type = op.op_type;
    item.dtype = ToDType(ComputeType(graph, op)).value_or(DType::kFloat32);
    item.macs = CountMacs(graph, op);
    for (std::size_t i = 0; i < op.inputs.size(); ++i) {
      const FileTensor* tensor = TensorAt(graph, op.inputs, i);
      if (tensor == nullptr) continue;
      item.inputs.push_back(tensor->name);
      if (IsConstant(*tensor)) {
        item.weight_bytes += tensor->data_bytes;
      } else {
        item.activation_bytes += BytesOf(*tensor);
      }
    }
    for (std::size_t i = 0; i < op.outputs.size(); ++i) {
      const FileTensor* tensor = TensorAt(graph, op.outputs, i);
      item.outputs.push_back(tensor->name);
      item.activation_bytes += BytesOf(*tensor);
    }
    item.name = item.outputs.empty() ? op.op_type : item.outputs.front();
    info.operators.push_back(std::move(item));
  }
  return info;
}

std::string WithAllOutputs(const ModelFile& model, std::string_view bytes,
                           std::vector<std::int32_t>& tensors) {
  const FileSubgraph& graph = model.main();
  tensors.clear();
  std::vector<bool> taken(graph.tensors.size());
  for (const std::int32_t output : graph.outputs) taken[static_cast<std::size_t>(output)] = true;
  for (const FileOperator& op : graph.operators) {
    for (const std::int32_t output : op.outputs) {
      const auto at = static_cast<std::size_t>(output);
      if (taken[at] || !ToDType(graph.tensors[at].type)) continue;
      taken[at] = true;
      tensors.push_back(output);
    }
  }
  std::string changed(bytes);
  changed.resize((changed.size() + 3) / 4 * 4, '\0');
  const auto append = [&changed](std::uint32_t value) {
    changed.append(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  const auto offset = static_cast<std::uint32_t>(changed.size() - graph.outputs_field);
  append(static_cast<std::uint32_t>(graph.outputs.size() + tensors.size()));
  for (const std::int32_t output : graph.outputs) append(static_cast<std::uint32_t>(output));
  for (const std::int32_t tensor : tensors) append(static_cast<std::uint32_t>(tensor));
  std::memcpy(changed.data() + graph.outputs_field, &offset, sizeof(offset));
  return changed;
}

}  // namespace kenning::tflite
