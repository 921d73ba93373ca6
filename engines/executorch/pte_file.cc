// SPDX-License-Identifier: Apache-2.0
#include "pte_file.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <string_view>

namespace kenning::executorch_engine {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 32;
// A FlatBuffer: root offset, mark "ET" and two digits; then the extended header: mark "eh" and two
// digits, its length, the FlatBuffer's length, place and length of the segments.
constexpr std::size_t kHeaderBytes = 40;

template <typename T>
T At(std::span<const std::byte> bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

tl::unexpected<Error> Broken(std::string_view what) {
  return Fail(
      ErrorCode::kInvalidModel,
      fmt::format("not a whole program of ExecuTorch ({}); was it cut short or changed?", what));
}

}  // namespace

Result<AlignedBytes> AlignedBytes::Create(std::size_t size) {
  AlignedBytes bytes;
  const std::size_t rounded = (size / kAlignment + 1) * kAlignment;
  bytes.data_.reset(static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded)));
  bytes.size_ = size;
  if (bytes.data_ == nullptr) {
    return Fail(ErrorCode::kResourceExhausted, fmt::format("no memory for {} bytes", size));
  }
  return bytes;
}

Result<> CheckPte(std::span<const std::byte> bytes) {
  if (bytes.size() < kHeaderBytes) return Broken("it is too short");
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.substr(4, 2) != "ET") return Broken("the mark \"ET\" is not there");
  if (text.substr(8, 2) != "eh") return Broken("its header has no lengths");
  const auto program = At<std::uint64_t>(bytes, 16);
  const auto segments = At<std::uint64_t>(bytes, 24);
  if (program < kHeaderBytes || program > bytes.size()) return Broken("it ends too early");
  if (segments != 0 && (segments < program || segments > bytes.size())) {
    return Broken("its data lie outside of it");
  }
  const auto header = At<std::uint32_t>(bytes, 12);
  if (segments != 0 && header >= 32) {
    const auto length = At<std::uint64_t>(bytes, 32);
    if (length > bytes.size() - segments) return Broken("it ends too early");
  }
  return {};
}

Result<AlignedBytes> ReadPte(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    return Fail(ErrorCode::kNotFound, fmt::format("{}: no such file", path.string()));
  }
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) {
    return Fail(ErrorCode::kIo, fmt::format("{}: {}", path.string(), error.message()));
  }
  if (size > kMaxBytes) {
    return Fail(ErrorCode::kResourceExhausted,
                fmt::format("{}: {} bytes; programs of at most {} bytes are read", path.string(),
                            size, kMaxBytes));
  }
  KENNING_ASSIGN_OR_RETURN(AlignedBytes bytes, AlignedBytes::Create(size), path.string());
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(bytes.span().data()), static_cast<std::streamsize>(size));
  if (!file) return Fail(ErrorCode::kIo, fmt::format("{}: cannot be read", path.string()));
  KENNING_RETURN_IF_ERROR(CheckPte(bytes.span()), path.string());
  return bytes;
}

}  // namespace kenning::executorch_engine
