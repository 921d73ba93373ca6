// SPDX-License-Identifier: Apache-2.0
/// \file
/// Pieces of a file, by their places.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "kenning/base/result.h"

namespace kenning::tensorflow {

/// Bytes by place. A read that goes past the end is kInvalidModel, one of more than kMostPiece
/// bytes kResourceExhausted.
class RandomAccess {
 public:
  static constexpr std::uint64_t kMostPiece = std::uint64_t{64} << 20;
  virtual ~RandomAccess() = default;
  virtual std::uint64_t size() const = 0;
  Result<std::string> Read(std::uint64_t offset, std::uint64_t length) const;

 private:
  virtual Result<> ReadInto(std::uint64_t offset, std::string& piece) const = 0;
};

/// A regular file, open while the object lives.
class RandomFile final : public RandomAccess {
 public:
  /// \return kNotFound, kIo.
  static Result<RandomFile> Open(const std::filesystem::path& path);
  RandomFile(RandomFile&& other) noexcept;
  RandomFile& operator=(RandomFile&&) = delete;
  RandomFile(const RandomFile&) = delete;
  RandomFile& operator=(const RandomFile&) = delete;
  ~RandomFile() override;
  std::uint64_t size() const override { return size_; }

 private:
  RandomFile(int descriptor, std::uint64_t size) : descriptor_(descriptor), size_(size) {}
  Result<> ReadInto(std::uint64_t offset, std::string& piece) const override;
  int descriptor_;
  std::uint64_t size_;
};

/// Bytes in memory, for tests.
class RandomBytes final : public RandomAccess {
 public:
  explicit RandomBytes(std::string_view bytes) : bytes_(bytes) {}
  std::uint64_t size() const override { return bytes_.size(); }

 private:
  Result<> ReadInto(std::uint64_t offset, std::string& piece) const override;
  std::string_view bytes_;
};

/// Unsigned little-endian number of `size` bytes (at most 8) at `offset` of `bytes`. The caller has
/// checked that they are there.
std::uint64_t LittleEndian(std::string_view bytes, std::size_t offset, std::size_t size);

}  // namespace kenning::tensorflow
