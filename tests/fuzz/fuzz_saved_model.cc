// SPDX-License-Identifier: Apache-2.0
// saved_model.pb: any bytes give a signature or an error.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kenning/base/check.h"
#include "saved_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto signature = kenning::tensorflow::ParseSignature(bytes);
  KENNING_CHECK(signature.has_value() || !signature.error().message().empty());
  return 0;
}
