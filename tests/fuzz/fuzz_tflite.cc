// SPDX-License-Identifier: Apache-2.0
// TensorFlow Lite models: any bytes give a checked model or an error; a checked model has a
// specification or an error, operators, and a form with every tensor as an output.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kenning/base/check.h"
#include "model_file/model_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto model = kenning::tflite::ParseModel(bytes, "fuzz.tflite");
  if (!model) {
    KENNING_CHECK(!model.error().message().empty());
    return 0;
  }
  const auto spec = kenning::tflite::SpecOfModel(*model, "fuzz.tflite");
  KENNING_CHECK(spec.has_value() || !spec.error().message().empty());
  KENNING_CHECK(kenning::tflite::GraphOfModel(*model).operators.size() ==
                model->main().operators.size());
  std::vector<std::int32_t> tensors;
  const std::string changed = kenning::tflite::WithAllOutputs(*model, bytes, tensors);
  KENNING_CHECK(changed.size() > bytes.size());
  return 0;
}
