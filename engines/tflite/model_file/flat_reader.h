// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reads the FlatBuffers encoding, every access checked. Knows nothing of TensorFlow Lite.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace kenning::tflite {

/// Bytes of a file with the first error found in them. After an error every read gives zeros and
/// empty vectors, so that a reader may go on and look at the end.
class FlatBuffer {
 public:
  explicit FlatBuffer(std::string_view bytes)
      : bytes_(bytes), budget_(2 * std::uint64_t{bytes.size()} + 4096) {}

  bool ok() const { return error_.empty(); }
  const std::string& error() const { return error_; }
  void SetError(std::string text);
  std::string_view bytes() const { return bytes_; }

  /// A little-endian number at `position`.
  template <typename T>
  T Read(std::uint64_t position) {
    static_assert(std::is_arithmetic_v<T>);
    T value{};
    if (!InRange(position, sizeof(T))) return value;
    std::memcpy(&value, bytes_.data() + position, sizeof(T));
    return value;
  }
  /// Follows the relative offset stored at `position`; 0 on error.
  std::uint64_t Follow(std::uint64_t position);
  /// Whether `size` bytes from `position` are there; sets the error otherwise.
  bool InRange(std::uint64_t position, std::uint64_t size);
  /// Counts elements that a reader is about to visit: shared parts must not multiply its work.
  bool Spend(std::uint64_t elements);

 private:
  std::string_view bytes_;
  std::string error_;
  std::uint64_t budget_;
};

/// A vector of numbers or offsets; empty where absent.
class FlatVector {
 public:
  FlatVector() = default;
  FlatVector(FlatBuffer* buffer, std::uint64_t start, std::uint32_t size)
      : buffer_(buffer), start_(start), size_(size) {}
  std::uint32_t size() const { return size_; }
  std::uint64_t start() const { return start_; }
  template <typename T>
  T At(std::uint32_t index) const {
    return index < size_ ? buffer_->Read<T>(start_ + std::uint64_t{index} * sizeof(T)) : T{};
  }

 private:
  FlatBuffer* buffer_ = nullptr;
  std::uint64_t start_ = 0;
  std::uint32_t size_ = 0;
};

/// A table: numbered fields, each of which may be absent.
class FlatTable {
 public:
  FlatTable() = default;
  /// The table at `position`; checks its field list.
  FlatTable(FlatBuffer* buffer, std::uint64_t position);
  static FlatTable Root(FlatBuffer* buffer);

  bool present() const { return position_ != 0; }
  /// Position of a field's value; 0 where absent.
  std::uint64_t Field(std::uint32_t field) const;
  template <typename T>
  T Number(std::uint32_t field, T fallback) const {
    const std::uint64_t at = Field(field);
    return at == 0 ? fallback : buffer_->Read<T>(at);
  }
  std::string_view Text(std::uint32_t field) const;
  FlatTable Table(std::uint32_t field) const;
  /// `element_size` bytes each.
  FlatVector Vector(std::uint32_t field, std::uint32_t element_size) const;
  /// Element of a vector of tables.
  FlatTable TableAt(const FlatVector& vector, std::uint32_t index) const;

 private:
  FlatBuffer* buffer_ = nullptr;
  std::uint64_t position_ = 0;
  std::uint64_t fields_ = 0;  ///< Where the field list is.
  std::uint32_t fields_size_ = 0;
  std::uint32_t table_size_ = 0;
};

}  // namespace kenning::tflite
