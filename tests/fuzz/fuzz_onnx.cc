// SPDX-License-Identifier: Apache-2.0
// ONNX models: any bytes give a checked model or an error; a checked model has a specification or
// an error.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kenning/base/check.h"
#include "onnx_graph/onnx_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto model = kenning::onnx_graph::ReadOnnxModelFromBytes(bytes, "fuzz.onnx");
  if (!model) {
    KENNING_CHECK(!model.error().message().empty());
    return 0;
  }
  const auto spec = kenning::onnx_graph::SpecOfModel(*model, "fuzz.onnx");
  KENNING_CHECK(spec.has_value() || !spec.error().message().empty());
  return 0;
}
