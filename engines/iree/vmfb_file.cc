// SPDX-License-Identifier: Apache-2.0
#include "vmfb_file.h"

#include <fmt/format.h>
#include <zlib.h>

#include <cstring>
#include <fstream>
#include <optional>

namespace kenning::iree {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 32;
constexpr std::uint64_t kMaxMembers = 4096;
// Signatures of ZIP records.
constexpr std::uint32_t kLocalHeader = 0x04034B50;
constexpr std::uint32_t kCentralHeader = 0x02014B50;
constexpr std::uint32_t kEnd = 0x06054B50;
constexpr std::uint32_t kEnd64 = 0x06064B50;
constexpr std::uint32_t kEnd64Locator = 0x07064B50;
constexpr std::uint16_t kExtra64 = 1;
constexpr std::uint32_t kIn64 = 0xFFFFFFFF;

using Bytes = std::span<const std::byte>;

/// Little-endian number at `offset`; empty outside the bytes.
template <typename T>
std::optional<T> At(Bytes bytes, std::uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

tl::unexpected<Error> Broken(std::string_view what) {
  return Fail(ErrorCode::kInvalidModel,
              fmt::format("not a whole IREE module ({}); was it cut short or changed?", what));
}

/// The FlatBuffer at the start of `bytes`: size prefix, root offset, mark.
Result<> CheckFlatBuffer(Bytes bytes) {
  const auto size = At<std::uint32_t>(bytes, 0);
  const auto mark = At<std::uint32_t>(bytes, 8);
  constexpr std::uint32_t kMark = 0x45455249;  // "IREE"
  if (!size || !mark || *mark != kMark) return Broken("the mark \"IREE\" is not there");
  if (*size > bytes.size() - sizeof(std::uint32_t)) return Broken("it ends too early");
  return {};
}

struct Member {
  std::uint64_t offset = 0;  ///< Of the local header.
  std::uint64_t size = 0;
  std::uint32_t crc = 0;
};

/// Replaces what does not fit into 32 bits by its value in the ZIP64 field.
bool Widen(Bytes extra, std::uint32_t size, std::uint32_t packed, std::uint32_t offset,
           Member& member) {
  if (size != kIn64 && packed != kIn64 && offset != kIn64) return true;
  for (std::uint64_t at = 0; at + 4 <= extra.size();) {
    const auto id = At<std::uint16_t>(extra, at);
    const auto length = At<std::uint16_t>(extra, at + 2);
    if (*id == kExtra64) {
      std::uint64_t field = at + 4;
      if (size == kIn64) {
        const auto value = At<std::uint64_t>(extra, field);
        if (!value) return false;
        member.size = *value;
        field += 8;
      }
      if (packed == kIn64) field += 8;
      if (offset == kIn64) {
        const auto value = At<std::uint64_t>(extra, field);
        if (!value) return false;
        member.offset = *value;
      }
      return true;
    }
    at += std::uint64_t{4} + *length;
  }
  return false;
}

Result<> CheckMember(Bytes bytes, const Member& member) {
  const auto signature = At<std::uint32_t>(bytes, member.offset);
  const auto name = At<std::uint16_t>(bytes, member.offset + 26);
  const auto extra = At<std::uint16_t>(bytes, member.offset + 28);
  if (!signature || *signature != kLocalHeader || !name || !extra) {
    return Broken("a member of the archive is not where its table says");
  }
  const std::uint64_t start = member.offset + 30 + *name + *extra;
  if (start > bytes.size() || member.size > bytes.size() - start) {
    return Broken("a member of the archive ends outside of the file");
  }
  const auto crc = ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data() + start), member.size);
  if (crc != member.crc) return Broken("the checksum of a member of the archive is wrong");
  return {};
}

struct Table {
  std::uint64_t members = 0;
  std::uint64_t offset = 0;
};

/// The end record is the last thing in the file, but for a comment.
std::optional<Table> FindTable(Bytes bytes) {
  constexpr std::uint64_t kEndSize = 22;
  constexpr std::uint64_t kMaxComment = 65535;
  if (bytes.size() < kEndSize) return std::nullopt;
  const std::uint64_t last = bytes.size() - kEndSize;
  for (std::uint64_t back = 0; back <= std::min(last, kMaxComment); ++back) {
    const std::uint64_t end = last - back;
    if (*At<std::uint32_t>(bytes, end) != kEnd) continue;
    Table table{*At<std::uint16_t>(bytes, end + 10), *At<std::uint32_t>(bytes, end + 16)};
    if (table.offset != kIn64 && table.members != 0xFFFF) return table;
    constexpr std::uint64_t kLocatorSize = 20;
    if (end < kLocatorSize) return std::nullopt;
    const std::uint64_t locator = end - kLocatorSize;
    if (*At<std::uint32_t>(bytes, locator) != kEnd64Locator) return std::nullopt;
    const std::uint64_t end64 = *At<std::uint64_t>(bytes, locator + 8);
    const auto signature = At<std::uint32_t>(bytes, end64);
    const auto members = At<std::uint64_t>(bytes, end64 + 32);
    const auto offset = At<std::uint64_t>(bytes, end64 + 48);
    if (!signature || *signature != kEnd64 || !members || !offset) return std::nullopt;
    return Table{*members, *offset};
  }
  return std::nullopt;
}

Result<> CheckArchive(Bytes bytes) {
  const auto table = FindTable(bytes);
  if (!table) return Broken("the table at its end is not there");
  if (table->members == 0 || table->members > kMaxMembers) {
    return Broken("the number of members in its table is wrong");
  }
  std::uint64_t at = table->offset;
  for (std::uint64_t i = 0; i < table->members; ++i) {
    const auto signature = At<std::uint32_t>(bytes, at);
    const auto comment = At<std::uint16_t>(bytes, at + 32);
    const auto offset = At<std::uint32_t>(bytes, at + 42);
    if (!signature || *signature != kCentralHeader || !comment || !offset) {
      return Broken("its table is damaged");
    }
    if (*At<std::uint16_t>(bytes, at + 10) != 0) return Broken("a member is compressed");
    const std::uint32_t packed = *At<std::uint32_t>(bytes, at + 20);
    const std::uint32_t size = *At<std::uint32_t>(bytes, at + 24);
    const std::uint64_t name = *At<std::uint16_t>(bytes, at + 28);
    const std::uint64_t extra = *At<std::uint16_t>(bytes, at + 30);
    Member member{*offset, size, *At<std::uint32_t>(bytes, at + 16)};
    const std::uint64_t fields = at + 46 + name;
    if (fields > bytes.size() || extra > bytes.size() - fields ||
        !Widen(bytes.subspan(fields, extra), size, packed, *offset, member)) {
      return Broken("its table is damaged");
    }
    KENNING_RETURN_IF_ERROR(CheckMember(bytes, member));
    at = fields + extra + *comment;
  }
  return {};
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

Result<> CheckVmfb(std::span<const std::byte> bytes) {
  const auto signature = At<std::uint32_t>(bytes, 0);
  if (!signature) return Broken("it is empty");
  if (*signature != kLocalHeader) return CheckFlatBuffer(bytes);
  const auto name = At<std::uint16_t>(bytes, 26);
  const auto extra = At<std::uint16_t>(bytes, 28);
  if (!name || !extra || std::size_t{30} + *name + *extra > bytes.size()) {
    return Broken("it ends too early");
  }
  KENNING_RETURN_IF_ERROR(CheckFlatBuffer(bytes.subspan(std::size_t{30} + *name + *extra)));
  return CheckArchive(bytes);
}

std::span<const std::byte> FlatBufferOf(std::span<const std::byte> module) {
  std::size_t start = 0;
  if (At<std::uint32_t>(module, 0) == kLocalHeader) {
    start = std::size_t{30} + *At<std::uint16_t>(module, 26) + *At<std::uint16_t>(module, 28);
  }
  const std::uint32_t size = *At<std::uint32_t>(module, start);
  return module.subspan(start, size + sizeof(std::uint32_t));
}

Result<AlignedBytes> ReadVmfb(const std::filesystem::path& path) {
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
                fmt::format("{}: {} bytes; IREE modules of at most {} bytes are read",
                            path.string(), size, kMaxBytes));
  }
  KENNING_ASSIGN_OR_RETURN(AlignedBytes bytes, AlignedBytes::Create(size), path.string());
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(bytes.span().data()), static_cast<std::streamsize>(size));
  if (!file) return Fail(ErrorCode::kIo, fmt::format("{}: cannot be read", path.string()));
  KENNING_RETURN_IF_ERROR(CheckVmfb(bytes.span()), path.string());
  return bytes;
}

}  // namespace kenning::iree
