// SPDX-License-Identifier: Apache-2.0
#include "kenning/base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

#include "kenning/base/digest.h"
#include "kenning/base/strings.h"

namespace kenning {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using FilePtr = std::unique_ptr<std::FILE, CloseFile>;

Error IoError(const std::filesystem::path& path, const char* doing, int error_number) {
  const std::string reason = std::generic_category().message(error_number);
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return {ErrorCode::kNotFound, fmt::format("{}: {} ({})", path.string(), reason, doing)};
    case ENOSPC:
    case EDQUOT:
      return {
          ErrorCode::kResourceExhausted,
          fmt::format("{}: no space left on the device ({}); free some space or write elsewhere",
                      path.string(), doing)};
    case EACCES:
    case EPERM:
    case EROFS:
      return {ErrorCode::kIo, fmt::format("{}: {} ({}); choose a place that you may write to",
                                          path.string(), reason, doing)};
    default:
      return {ErrorCode::kIo, fmt::format("{}: {} ({})", path.string(), reason, doing)};
  }
}

Result<FilePtr> OpenForReading(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return Fail(ErrorCode::kIo, fmt::format("{}: is a directory, not a file", path.string()));
  }
  FilePtr file(std::fopen(path.c_str(), "rbe"));
  if (!file) return Fail(IoError(path, "opening for reading", errno));
  return file;
}

}  // namespace

Result<std::string> ReadFile(const std::filesystem::path& path, std::uint64_t max_bytes) {
  KENNING_ASSIGN_OR_RETURN(FilePtr file, OpenForReading(path));
  std::string bytes;
  std::array<char, 65536> chunk;
  for (;;) {
    const std::size_t got = std::fread(chunk.data(), 1, chunk.size(), file.get());
    if (bytes.size() + got > max_bytes) {
      return Fail(ErrorCode::kResourceExhausted,
                  fmt::format("{}: larger than the {} that are read of such a file", path.string(),
                              HumanBytes(max_bytes)));
    }
    bytes.append(chunk.data(), got);
    if (got < chunk.size()) break;
  }
  if (std::ferror(file.get()) != 0) return Fail(IoError(path, "reading", errno));
  return bytes;
}

AtomicFile::AtomicFile(std::filesystem::path path, std::filesystem::path temporary, std::FILE* file)
    : path_(std::move(path)), temporary_(std::move(temporary)), file_(file) {}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      file_(std::exchange(other.file_, nullptr)) {
  other.temporary_.clear();
}

AtomicFile::~AtomicFile() {
  if (file_ != nullptr) std::fclose(file_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Result<AtomicFile> AtomicFile::Create(const std::filesystem::path& path) {
  std::error_code error;
  if (path.has_parent_path()) {
    std::filesystem::create_directories(path.parent_path(), error);
    if (error) return Fail(IoError(path.parent_path(), "making the folder", error.value()));
  }
  if (std::filesystem::is_directory(path, error)) {
    return Fail(ErrorCode::kIo, fmt::format("{}: is a directory; name a file", path.string()));
  }
  std::filesystem::path temporary = path;
  temporary += fmt::format(".tmp-{}", ::getpid());
  std::FILE* file = std::fopen(temporary.c_str(), "wbe");
  if (file == nullptr) return Fail(IoError(path, "opening for writing", errno));
  return AtomicFile(path, std::move(temporary), file);
}

Result<> AtomicFile::Write(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) {
    return Fail(IoError(path_, "writing", errno));
  }
  return {};
}

Result<> AtomicFile::Commit() {
  if (file_ != nullptr) {
    const bool flushed = std::fflush(file_) == 0 && ::fsync(::fileno(file_)) == 0;
    const int flush_error = errno;
    const bool closed = std::fclose(std::exchange(file_, nullptr)) == 0;
    if (!flushed) return Fail(IoError(path_, "writing", flush_error));
    if (!closed) return Fail(IoError(path_, "closing", errno));
  }
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    return Fail(IoError(path_, "renaming the finished file", errno));
  }
  temporary_.clear();
  return {};
}

Result<> WriteFileAtomically(const std::filesystem::path& path, std::string_view bytes) {
  KENNING_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  KENNING_RETURN_IF_ERROR(file.Write(bytes));
  return file.Commit();
}

std::string Sha256Hex(std::string_view bytes) {
  Sha256 hash;
  hash.Add(bytes);
  return hash.FinishHex();
}

Result<std::string> Sha256OfFile(const std::filesystem::path& path) {
  KENNING_ASSIGN_OR_RETURN(FilePtr file, OpenForReading(path));
  Sha256 hash;
  std::array<char, 65536> chunk;
  for (;;) {
    const std::size_t got = std::fread(chunk.data(), 1, chunk.size(), file.get());
    hash.Add(std::string_view(chunk.data(), got));
    if (got < chunk.size()) break;
  }
  if (std::ferror(file.get()) != 0) return Fail(IoError(path, "reading", errno));
  return hash.FinishHex();
}

}  // namespace kenning
