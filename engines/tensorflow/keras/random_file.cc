// SPDX-License-Identifier: Apache-2.0
#include "keras/random_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "kenning/base/check.h"

namespace kenning::tensorflow {

Result<std::string> RandomAccess::Read(std::uint64_t offset, std::uint64_t length) const {
  if (offset > size() || length > size() - offset) {
    return Fail(ErrorCode::kInvalidModel, "the file is truncated or corrupt");
  }
  if (length > kMostPiece) {
    return Fail(
        ErrorCode::kResourceExhausted,
        fmt::format("a part of the file takes {} bytes, at most {} are read", length, kMostPiece));
  }
  std::string piece(length, '\0');
  KENNING_RETURN_IF_ERROR(ReadInto(offset, piece));
  return piece;
}

Result<RandomFile> RandomFile::Open(const std::filesystem::path& path) {
  // Non-blocking: a named pipe would wait for ever.
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    return Fail(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, std::strerror(errno));
  }
  struct stat facts {};
  if (fstat(descriptor, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    close(descriptor);
    return Fail(ErrorCode::kIo, "this is no regular file");
  }
  return RandomFile(descriptor, static_cast<std::uint64_t>(facts.st_size));
}

RandomFile::RandomFile(RandomFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_) {}

RandomFile::~RandomFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

Result<> RandomFile::ReadInto(std::uint64_t offset, std::string& piece) const {
  for (std::size_t done = 0; done < piece.size();) {
    const ssize_t got = pread(descriptor_, piece.data() + done, piece.size() - done,
                              static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail(ErrorCode::kIo, std::strerror(errno));
    if (got == 0) return Fail(ErrorCode::kInvalidModel, "the file shrank while it was read");
    done += static_cast<std::size_t>(got);
  }
  return {};
}

Result<> RandomBytes::ReadInto(std::uint64_t offset, std::string& piece) const {
  piece.assign(bytes_.substr(offset, piece.size()));
  return {};
}

std::uint64_t LittleEndian(std::string_view bytes, std::size_t offset, std::size_t size) {
  KENNING_CHECK(size <= 8 && offset <= bytes.size() && size <= bytes.size() - offset);
  std::uint64_t value = 0;
  for (std::size_t i = size; i > 0; --i) {
    value = value << 8U | static_cast<unsigned char>(bytes[offset + i - 1]);
  }
  return value;
}

}  // namespace kenning::tensorflow
