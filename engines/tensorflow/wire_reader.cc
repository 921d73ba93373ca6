// SPDX-License-Identifier: Apache-2.0
#include "wire_reader.h"

namespace kenning::tensorflow {

bool WireReader::ReadVarint(std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
    if ((byte & 0x80U) == 0) return true;
  }
  return false;
}

bool WireReader::ReadFixed(std::size_t size, std::uint64_t& value) {
  if (rest_.size() < size) return false;
  value = 0;
  for (std::size_t i = size; i > 0; --i) {
    value = value << 8U | static_cast<unsigned char>(rest_[i - 1]);
  }
  rest_.remove_prefix(size);
  return true;
}

std::optional<WireField> WireReader::Next() {
  if (!ok_ || rest_.empty()) return std::nullopt;
  ok_ = false;
  std::uint64_t key = 0;
  if (!ReadVarint(key) || key >> 3U == 0 || key >> 3U > 0x1FFFFFFF) return std::nullopt;
  WireField field;
  field.number = static_cast<std::uint32_t>(key >> 3U);
  switch (key & 7U) {
    case 0:
      if (!ReadVarint(field.value)) return std::nullopt;
      break;
    case 1:
      if (!ReadFixed(8, field.value)) return std::nullopt;
      break;
    case 2: {
      std::uint64_t size = 0;
      if (!ReadVarint(size) || size > rest_.size()) return std::nullopt;
      field.is_bytes = true;
      field.bytes = rest_.substr(0, size);
      rest_.remove_prefix(size);
      break;
    }
    case 5:
      if (!ReadFixed(4, field.value)) return std::nullopt;
      break;
    default:  // Groups, which TensorFlow's messages do not have.
      return std::nullopt;
  }
  ok_ = true;
  return field;
}

}  // namespace kenning::tensorflow
