// SPDX-License-Identifier: Apache-2.0
/// \file
/// A `.tflite` file, read and checked without TensorFlow Lite: the engine never sees a file that
/// refers outside itself, or whose tensors and data disagree.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "kenning/base/result.h"
#include "kenning/core/graph_info.h"
#include "kenning/core/tensor_spec.h"

namespace kenning::tflite {

inline constexpr std::uint64_t kMaxModelBytes = std::uint64_t{2} << 30;

/// Element types of the format, by its own numbers.
enum class TensorType : std::uint8_t {
  kFloat32 = 0,
  kFloat16 = 1,
  kInt32 = 2,
  kUint8 = 3,
  kInt64 = 4,
  kString = 5,
  kBool = 6,
  kInt16 = 7,
  kComplex64 = 8,
  kInt8 = 9,
  kFloat64 = 10,
  kComplex128 = 11,
  kUint64 = 12,
  kResource = 13,
  kVariant = 14,
  kUint32 = 15,
  kUint16 = 16,
  kInt4 = 17,
  kBfloat16 = 18,
  kInt2 = 19,
};
/// "float32", "int4", or "type 99".
std::string TensorTypeName(TensorType type);
/// Empty for types that kenning does not carry.
std::optional<DType> ToDType(TensorType type);

struct FileTensor {
  std::string name;
  TensorType type = TensorType::kFloat32;
  Shape shape;            ///< As the file starts: dimensions that may change are 1.
  Shape shape_signature;  ///< kAnyDim where any size goes; the same as `shape` where not given.
  bool shape_known = true;
  std::uint64_t data_bytes = 0;   ///< Of a constant; 0: computed.
  std::uint64_t data_offset = 0;  ///< Of a constant, in the file.
  bool is_variable = false;
  std::optional<QuantParams> quant;
};

struct FileOperator {
  int builtin = 0;      ///< Number of the operator in the format; 32 is a custom one.
  std::string op_type;  ///< "CONV_2D", or the custom operator's name.
  bool custom = false;
  std::vector<std::int32_t> inputs;  ///< Tensors; -1: left out.
  std::vector<std::int32_t> outputs;
  double softmax_beta = 1;  ///< Of a SOFTMAX.
};

struct FileSubgraph {
  std::string name;
  std::vector<FileTensor> tensors;
  std::vector<std::int32_t> inputs;
  std::vector<std::int32_t> outputs;
  std::vector<FileOperator> operators;  ///< In order of computation.
  std::uint64_t outputs_field = 0;      ///< Position of the offset of `outputs` in the file.
};

struct ModelFile {
  std::uint32_t version = 0;
  std::string description;
  std::vector<FileSubgraph> subgraphs;  ///< At least one; the first is the model.
  const FileSubgraph& main() const { return subgraphs.front(); }
};

/// Reads and checks. \return kInvalidModel, naming `name`.
Result<ModelFile> ParseModel(std::string_view bytes, const std::string& name);
/// \return kNotFound, kIo, kResourceExhausted (above kMaxModelBytes), kInvalidModel.
Result<std::string> ReadModelBytes(const std::filesystem::path& path);

/// Inputs and outputs. \return kUnsupported for element types that kenning does not carry.
Result<ModelSpec> SpecOfModel(const ModelFile& model, const std::string& name);
Result<TensorSpec> SpecOfTensor(const FileTensor& tensor);
/// Operators of the first subgraph.
GraphInfo GraphOfModel(const ModelFile& model);
/// Multiply-adds of an operator at batch 1; 0 where a shape is not known.
std::uint64_t CountMacs(const FileSubgraph& graph, const FileOperator& op);
/// The type that an operator computes in: of its first input that is not a constant.
TensorType ComputeType(const FileSubgraph& graph, const FileOperator& op);

/// The model with every computed tensor of its first subgraph as an output, after its own ones: the
/// same bytes with one list more. `tensors` becomes what the new outputs are.
std::string WithAllOutputs(const ModelFile& model, std::string_view bytes,
                           std::vector<std::int32_t>& tensors);

}  // namespace kenning::tflite
