// SPDX-License-Identifier: Apache-2.0
#include "resource/fetch/part_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>
#include <utility>

#include "kenning/base/file.h"

namespace kenning::internal {
namespace {

constexpr auto kLockPoll = std::chrono::milliseconds(50);

std::filesystem::path WithSuffix(std::filesystem::path path, const char* suffix) {
  path += suffix;
  return path;
}

}  // namespace

PartFile::PartFile(std::filesystem::path destination, std::string url)
    : destination_(std::move(destination)),
      path_(WithSuffix(destination_, ".part")),
      origin_path_(WithSuffix(destination_, ".part.from")),
      url_(std::move(url)) {}

PartFile::PartFile(PartFile&& other) noexcept
    : destination_(std::move(other.destination_)),
      path_(std::move(other.path_)),
      origin_path_(std::move(other.origin_path_)),
      url_(std::move(other.url_)),
      validator_(std::move(other.validator_)),
      size_(other.size_),
      fd_(std::exchange(other.fd_, -1)),
      finished_elsewhere_(other.finished_elsewhere_) {}

PartFile::~PartFile() {
  if (fd_ >= 0) ::close(fd_);
}

Error PartFile::WriteError(int error_number) {
  const std::string reason = std::generic_category().message(error_number);
  if (error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG) {
    // A full disk hurts everything else on the machine: give the space back.
    Discard();
    return {ErrorCode::kResourceExhausted,
            fmt::format("{}: no space left on the device; free some space, or set "
                        "KENNING_CACHE_DIR to another disk",
                        path_.string())};
  }
  return {ErrorCode::kIo, fmt::format("{}: {} (writing a download)", path_.string(), reason)};
}

Result<PartFile> PartFile::Open(const std::filesystem::path& destination, const std::string& url,
                                const CancelToken& cancel) {
  std::error_code error;
  if (destination.has_parent_path()) {
    std::filesystem::create_directories(destination.parent_path(), error);
    if (error) {
      return Fail(ErrorCode::kIo, fmt::format("{}: {} (making the folder of a download)",
                                              destination.parent_path().string(), error.message()));
    }
  }
  PartFile part(destination, url);
  KENNING_RETURN_IF_ERROR(part.Lock(cancel));
  part.ReadOrigin();
  return part;
}

Result<> PartFile::Lock(const CancelToken& cancel) {
  bool waited = false;
  for (;;) {
    if (fd_ < 0) fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd_ < 0) return Fail(WriteError(errno));
    struct stat mine {};
    struct stat named {};
    if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) {
      const bool same = ::fstat(fd_, &mine) == 0 && ::stat(path_.c_str(), &named) == 0 &&
                        mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
      if (same) {
        size_ = static_cast<std::uint64_t>(mine.st_size);
        return {};
      }
      // The holder before us renamed or removed what we had opened.
      ::close(std::exchange(fd_, -1));
      std::error_code ignored;
      if (waited && std::filesystem::exists(destination_, ignored)) {
        finished_elsewhere_ = true;
        return {};
      }
      continue;
    }
    if (errno != EWOULDBLOCK && errno != EINTR) return Fail(WriteError(errno));
    waited = true;
    if (cancel.cancelled()) {
      return Fail(ErrorCode::kCancelled,
                  fmt::format("{}: cancelled while waiting for another download of the same file",
                              path_.string()));
    }
    std::this_thread::sleep_for(kLockPoll);
  }
}

void PartFile::ReadOrigin() {
  if (size_ == 0) return;
  const auto text = ReadFile(origin_path_, 1 << 16);
  const std::size_t line = text ? text->find('\n') : std::string::npos;
  if (line != std::string::npos && text->substr(0, line) == url_) {
    validator_ = text->substr(line + 1);
    return;
  }
  // Bytes of an unknown origin are of no use.
  if (::ftruncate(fd_, 0) == 0) size_ = 0;
}

Result<> PartFile::Append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return Fail(WriteError(errno));
    size_ += static_cast<std::uint64_t>(wrote);
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return {};
}

Result<> PartFile::Restart(const std::string& validator) {
  if (::ftruncate(fd_, 0) != 0) return Fail(WriteError(errno));
  size_ = 0;
  validator_ = validator;
  auto noted = WriteFileAtomically(origin_path_, url_ + "\n" + validator_);
  if (!noted && noted.error().code() == ErrorCode::kResourceExhausted) Discard();
  return noted;
}

Result<> PartFile::Commit() {
  if (::fsync(fd_) != 0) return Fail(WriteError(errno));
  std::error_code error;
  std::filesystem::rename(path_, destination_, error);
  if (error) {
    return Fail(ErrorCode::kIo, fmt::format("{}: {} (renaming a finished download)",
                                            destination_.string(), error.message()));
  }
  std::filesystem::remove(origin_path_, error);
  return {};
}

void PartFile::Discard() {
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
  std::filesystem::remove(origin_path_, ignored);
  if (fd_ >= 0 && ::ftruncate(fd_, 0) == 0) size_ = 0;
}

}  // namespace kenning::internal
