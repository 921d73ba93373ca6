// SPDX-License-Identifier: Apache-2.0
#include "keras/zip_member.h"

#include <zlib.h>

#include <algorithm>

namespace kenning::tensorflow {
namespace {

constexpr std::string_view kLocalHeader{"PK\x03\x04", 4};
constexpr std::string_view kCentralHeader{"PK\x01\x02", 4};
constexpr std::string_view kEndHeader{"PK\x05\x06", 4};
constexpr std::size_t kEndSize = 22;
constexpr std::size_t kCentralSize = 46;
constexpr std::size_t kLocalSize = 30;

tl::unexpected<Error> Broken(const char* what) {
  return Fail(ErrorCode::kInvalidModel,
              std::string("the file is truncated or corrupt (zip: ") + what + ")");
}

struct Member {
  std::uint64_t method = 0;
  std::uint64_t packed_size = 0;
  std::uint64_t size = 0;
  std::uint64_t crc = 0;
  std::uint64_t place = 0;
};

/// The list of members, which stands before the archive's end; its place is given there.
Result<std::string> ReadDirectory(const RandomAccess& file) {
  const std::uint64_t tail_size = std::min<std::uint64_t>(file.size(), 65535 + kEndSize);
  KENNING_ASSIGN_OR_RETURN(const std::string tail, file.Read(file.size() - tail_size, tail_size));
  const std::size_t end = tail.rfind(kEndHeader);
  if (end == std::string::npos || tail.size() - end < kEndSize) return Broken("no end");
  const std::uint64_t size = LittleEndian(tail, end + 12, 4);
  const std::uint64_t place = LittleEndian(tail, end + 16, 4);
  if (place == 0xFFFFFFFF) {
    return Fail(ErrorCode::kUnsupported, "a zip archive above 4 GiB");
  }
  return file.Read(place, size);
}

Result<Member> FindMember(std::string_view directory, const std::string& name) {
  for (std::size_t at = 0; directory.size() - at >= kCentralSize;) {
    if (directory.substr(at, 4) != kCentralHeader) return Broken("its list");
    const std::uint64_t name_size = LittleEndian(directory, at + 28, 2);
    const std::uint64_t rest = LittleEndian(directory, at + 30, 2) +  // Extra field.
                               LittleEndian(directory, at + 32, 2);   // Comment.
    if (name_size + rest > directory.size() - at - kCentralSize) return Broken("its list");
    if (directory.substr(at + kCentralSize, name_size) == name) {
      return Member{.method = LittleEndian(directory, at + 10, 2),
                    .packed_size = LittleEndian(directory, at + 20, 4),
                    .size = LittleEndian(directory, at + 24, 4),
                    .crc = LittleEndian(directory, at + 16, 4),
                    .place = LittleEndian(directory, at + 42, 4)};
    }
    at += kCentralSize + name_size + rest;
  }
  return Fail(ErrorCode::kNotFound, "there is no " + name + " in it");
}

Result<std::string> Inflate(const std::string& packed, std::uint64_t size) {
  std::string text(size, '\0');
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) {
    return Fail(ErrorCode::kResourceExhausted, "out of memory");
  }
  // zlib reads its input only.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  const int code = inflate(&stream, Z_FINISH);
  const bool whole = code == Z_STREAM_END && stream.avail_out == 0;
  inflateEnd(&stream);
  if (!whole) return Broken("a packed member");
  return text;
}

}  // namespace

bool IsZip(const RandomAccess& file) {
  const auto bytes = file.Read(0, kLocalHeader.size());
  return bytes && *bytes == kLocalHeader;
}

Result<std::string> ReadZipMember(const RandomAccess& file, const std::string& name) {
  KENNING_ASSIGN_OR_RETURN(const std::string directory, ReadDirectory(file));
  KENNING_ASSIGN_OR_RETURN(const Member member, FindMember(directory, name));
  if (member.size > RandomAccess::kMostPiece) {
    return Fail(ErrorCode::kResourceExhausted, name + " in it is too large");
  }
  KENNING_ASSIGN_OR_RETURN(const std::string local, file.Read(member.place, kLocalSize));
  if (!local.starts_with(kLocalHeader)) return Broken("a member");
  const std::uint64_t data =
      member.place + kLocalSize + LittleEndian(local, 26, 2) + LittleEndian(local, 28, 2);
  KENNING_ASSIGN_OR_RETURN(std::string text, file.Read(data, member.packed_size));
  if (member.method == 8) {
    KENNING_ASSIGN_OR_RETURN(text, Inflate(text, member.size));
  } else if (member.method != 0) {
    return Fail(ErrorCode::kUnsupported, name + " in it is packed in an unusual way");
  }
  const uLong crc =
      crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size()));
  if (text.size() != member.size || crc != member.crc) return Broken("a checksum");
  return text;
}

}  // namespace kenning::tensorflow
