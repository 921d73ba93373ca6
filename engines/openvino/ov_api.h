// SPDX-License-Identifier: Apache-2.0
/// \file
/// The border to OpenVINO's C++ interface: its exceptions become Errors here and nowhere else.
#pragma once

#include <filesystem>
#include <memory>
#include <openvino/openvino.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "kenning/base/result.h"
#include "kenning/core/tensor_spec.h"

namespace kenning::openvino {

/// Names of the two files of an IR model's folder.
inline constexpr std::string_view kIrGraph = "model.xml";
inline constexpr std::string_view kIrWeights = "model.bin";

/// The process-wide core; made on first use, never destroyed.
ov::Core& Core();
std::string Version();

/// float32 <-> ov::element::f32, …; empty for types that kenning does not carry.
std::optional<DType> FromOvType(const ov::element::Type& type);
ov::element::Type ToOvType(DType dtype);

/// OpenVINO's message, without the places in its sources, naming the file.
Error ConvertError(ErrorCode code, const std::exception& exception,
                   const std::filesystem::path& file);

/// Calls `function`; an exception becomes an Error of `code` that names `file`.
template <typename Function>
auto Guard(ErrorCode code, const std::filesystem::path& file, Function&& function)
    -> decltype(std::forward<Function>(function)()) {
  try {
    return std::forward<Function>(function)();
  } catch (const std::bad_alloc&) {
    return Fail(ErrorCode::kResourceExhausted, file.string() + ": out of memory in OpenVINO");
  } catch (const std::exception& exception) {
    return Fail(ConvertError(code, exception, file));
  } catch (...) {
    return Fail(code, file.string() + ": OpenVINO threw something that is no exception");
  }
}

/// Checks the file or folder, then reads it. \return kNotFound, kInvalidModel, kUnsupported
/// (format, operators).
Result<std::shared_ptr<ov::Model>> ReadModel(const std::filesystem::path& path,
                                             std::string_view format);

/// Names, types and shapes of inputs and outputs, with the quantisation that the graph tells.
Result<ModelSpec> SpecOf(const ov::Model& model);

/// kAnyDim where a dimension is not fixed. \return kUnsupported for an unknown rank.
Result<Shape> ShapeOf(const ov::PartialShape& shape, const std::string& name);
ov::Shape ToOvShape(std::span<const std::int64_t> shape);
/// The tensor's name; the node's where it has none.
std::string NameOf(const ov::Output<const ov::Node>& output);

}  // namespace kenning::openvino
