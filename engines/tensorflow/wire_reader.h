// SPDX-License-Identifier: Apache-2.0
/// \file
/// The wire form of Protocol Buffers, read in place. Knows no message: the caller knows the numbers
/// of its fields and skips the rest.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace kenning::tensorflow {

/// One field. `bytes` points into the text that is read.
struct WireField {
  std::uint32_t number = 0;
  std::uint64_t value = 0;  ///< Of a varint or a fixed number.
  std::string_view bytes;   ///< Of a length-delimited field: string, message, packed list.
  bool is_bytes = false;
};

/// Walks over the fields of one message:
///
///     WireReader reader(bytes);
///     while (const auto field = reader.Next()) { … }
///     if (!reader.ok()) …
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : rest_(bytes) {}

  /// Empty at the end, and where the bytes are no message; ok() tells which.
  std::optional<WireField> Next();
  bool ok() const { return ok_; }

 private:
  bool ReadVarint(std::uint64_t& value);
  bool ReadFixed(std::size_t size, std::uint64_t& value);

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace kenning::tensorflow
