// SPDX-License-Identifier: Apache-2.0
#include "idx_file.h"

#include <fmt/format.h>

#include "resource/resource.h"

namespace kenning {
namespace {

constexpr unsigned kUnsignedByte = 0x08;

std::uint32_t BigEndian(const std::string& bytes, std::size_t offset) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value = value << 8 | static_cast<unsigned char>(bytes[offset + i]);
  }
  return value;
}

}  // namespace

Result<IdxFile> ReadIdxGz(const std::filesystem::path& path, std::size_t rank,
                          std::uint64_t max_bytes) {
  IdxFile file;
  KENNING_ASSIGN_OR_RETURN(file.bytes, ReadGzipFile(path, max_bytes));
  const auto broken = [&path](const std::string& why) {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("{}: {}; fetch the data set again", path.string(), why));
  };
  file.data_offset = 4 + 4 * rank;
  if (file.bytes.size() < file.data_offset) return broken("too short for an IDX file");
  const std::uint32_t magic = BigEndian(file.bytes, 0);
  if (magic != (kUnsignedByte << 8 | rank)) {
    return broken(fmt::format("not an IDX file of bytes with {} dimensions (magic number {:#010x})",
                              rank, magic));
  }
  std::uint64_t count = 1;
  for (std::size_t i = 0; i < rank; ++i) {
    file.dims.push_back(BigEndian(file.bytes, 4 + 4 * i));
    if (__builtin_mul_overflow(count, std::uint64_t{file.dims[i]}, &count)) {
      return broken("its header promises more than any file holds");
    }
  }
  if (count != file.bytes.size() - file.data_offset) {
    return broken(fmt::format("its header promises {} values, {} are there", count,
                              file.bytes.size() - file.data_offset));
  }
  return file;
}

}  // namespace kenning
