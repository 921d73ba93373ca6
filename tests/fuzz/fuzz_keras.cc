// SPDX-License-Identifier: Apache-2.0
// Keras files: any bytes give a configuration or an error, any configuration a specification or an
// error. Bytes that are no HDF5 file and no zip archive are taken as a configuration.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kenning/base/check.h"
#include "keras/keras_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto config = kenning::tensorflow::ReadKerasConfig(kenning::tensorflow::RandomBytes(bytes));
  KENNING_CHECK(config.has_value() || !config.error().message().empty());
  const auto spec = kenning::tensorflow::SpecOfKerasConfig(config ? *config : bytes);
  KENNING_CHECK(spec.has_value() || !spec.error().message().empty());
  return 0;
}
