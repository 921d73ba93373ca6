// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reads ONNX files as hostile input. Knows the file format and ONNX's rules for graphs; knows
/// nothing of ONNX Runtime, of operators' semantics, or of quantisation.
///
/// What a model must satisfy to pass: at most 2 GiB; protobuf that parses; a graph; IR version
/// kMinIrVersion..kMaxIrVersion; opset kMinOpset..kMaxOpset; only domains that are known or defined
/// by the model's own functions; tensors whose dimensions and data agree; external data below the
/// model's folder; names defined once and before use, without cycles; subgraphs nested at most
/// kMaxSubgraphDepth deep.
///
/// All functions are thread-safe. Errors: kNotFound, kIo, kResourceExhausted (too large),
/// kInvalidModel (with the file's, node's and tensor's name), kUnsupported (opset, domain).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "kenning/base/result.h"
#include "kenning/core/tensor_spec.h"
#include "onnx/onnx.pb.h"

namespace kenning::onnx_graph {

inline constexpr std::uint64_t kMaxModelBytes = (std::uint64_t{1} << 31U) - 1;
/// What ONNX Runtime 1.31 runs: older operators have no kernels, newer ones are refused.
inline constexpr std::int64_t kMinOpset = 7;
inline constexpr std::int64_t kMaxOpset = 26;
inline constexpr std::int64_t kMinIrVersion = 3;
inline constexpr std::int64_t kMaxIrVersion = 13;
inline constexpr int kMaxSubgraphDepth = 16;

/// Reads and checks a model; external data is loaded into it, and nodes are brought into an order
/// in which every input is defined before its use.
Result<onnx::ModelProto> ReadOnnxModel(const std::filesystem::path& path);

/// The same from memory. `name` stands for the file in messages. External data is refused unless
/// `base_folder` is given.
Result<onnx::ModelProto> ReadOnnxModelFromBytes(
    std::string_view bytes, const std::string& name,
    const std::optional<std::filesystem::path>& base_folder = std::nullopt);

/// Checks a file without loading its external data (sizes and paths are checked).
Result<> CheckOnnxFile(const std::filesystem::path& path);

/// Inputs (without initializers) and outputs of a model file. Symbolic dimensions are kAnyDim; a
/// tensor without any shape has an empty one. Layout, class names, mean and deviation come from
/// the metadata keys `layout`, `class_names` (JSON list), `mean`, `std` where present; otherwise
/// the layout of a 4-D image input is guessed from its dimension of 1, 3 or 4 channels.
/// \return kUnsupported where an input or output is no tensor or has a type kenning lacks.
Result<ModelSpec> InspectOnnx(const std::filesystem::path& path);
Result<ModelSpec> SpecOfModel(const onnx::ModelProto& model, const std::string& name);

/// Version of the default domain's operator set; 0 where it is not imported.
std::int64_t OpsetVersion(const onnx::ModelProto& model);

}  // namespace kenning::onnx_graph
