// SPDX-License-Identifier: Apache-2.0
#include "model_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "kenning/base/cache_dir.h"
#include "kenning/base/file.h"
#include "kenning/base/strings.h"
#include "transport/unique_fd.h"

namespace kenning::target {
namespace {

constexpr std::size_t kSha256Digits = 64;

Error StoreError(int error_number, std::string_view doing) {
  const std::string reason = std::generic_category().message(error_number);
  if (error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG) {
    return {ErrorCode::kResourceExhausted,
            fmt::format("the target's disk is full ({}: {}); free some space there, or start the "
                        "agent with another --state folder",
                        doing, reason)};
  }
  return {ErrorCode::kIo, fmt::format("the target's model store: {}: {}", doing, reason)};
}

Result<> CheckName(const std::string& sha256) {
  const bool hex = std::ranges::all_of(
      sha256, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (sha256.size() == kSha256Digits && hex) return {};
  return Fail(ErrorCode::kInvalidArgument,
              "a model is named by its SHA-256: 64 lower-case hexadecimal digits");
}

std::uint64_t FileSize(const std::filesystem::path& path) {
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) return 0;
  return static_cast<std::uint64_t>(facts.st_size);
}

bool IsFile(const std::filesystem::path& path) {
  struct stat facts {};
  return ::lstat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode);
}

Result<> WriteAt(int fd, ConstBytes bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return Fail(StoreError(written == 0 ? ENOSPC : errno, "writing a model"));
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return {};
}

struct StoredFile {
  std::filesystem::path path;
  std::uint64_t size = 0;
  timespec used{};
};

/// Models and parts, the least recently used first.
std::vector<StoredFile> ListFiles(const std::filesystem::path& folder) {
  std::vector<StoredFile> files;
  for (const char* kind : {"models", "parts"}) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder / kind, error)) {
      struct stat facts {};
      if (::lstat(entry.path().c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) continue;
      files.push_back({entry.path(), static_cast<std::uint64_t>(facts.st_size), facts.st_mtim});
    }
  }
  std::ranges::sort(files, [](const StoredFile& a, const StoredFile& b) {
    return std::pair(a.used.tv_sec, a.used.tv_nsec) < std::pair(b.used.tv_sec, b.used.tv_nsec);
  });
  return files;
}

void Touch(const std::filesystem::path& path) {
  ::utimensat(AT_FDCWD, path.c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
}

}  // namespace

std::filesystem::path DefaultStateFolder() {
  if (const char* given = std::getenv("KENNING_AGENT_STATE"); given != nullptr && *given != '\0') {
    return given;
  }
  return CacheDir() / "agent";
}

FileModelStore::FileModelStore(std::filesystem::path folder, StoreLimits limits)
    : folder_(std::move(folder)), limits_(limits) {}

Result<FileModelStore> FileModelStore::Open(const std::filesystem::path& folder,
                                            StoreLimits limits) {
  for (const char* kind : {"models", "parts", "sessions"}) {
    std::error_code error;
    std::filesystem::create_directories(folder / kind, error);
    if (error || ::access((folder / kind).c_str(), W_OK | X_OK) != 0) {
      return Fail(ErrorCode::kIo,
                  fmt::format("{}: cannot be written ({}); name another folder with --state or "
                              "KENNING_AGENT_STATE",
                              (folder / kind).string(),
                              error ? error.message() : std::generic_category().message(errno)));
    }
  }
  return FileModelStore(folder, limits);
}

std::filesystem::path FileModelStore::ModelFile(const std::string& sha256) const {
  return folder_ / "models" / sha256;
}

std::filesystem::path FileModelStore::PartFile(const std::string& sha256) const {
  return folder_ / "parts" / sha256;
}

std::uint64_t FileModelStore::UsedBytes() const {
  std::uint64_t used = 0;
  for (const StoredFile& file : ListFiles(folder_)) used += file.size;
  return used;
}

Result<> FileModelStore::MakeRoom(std::uint64_t bytes, const std::string& keep) {
  std::vector<StoredFile> files = ListFiles(folder_);
  std::uint64_t used = 0;
  for (const StoredFile& file : files) used += file.size;
  const auto fits = [&] {
    if (used + bytes > limits_.max_bytes) return false;
    struct statvfs disk {};
    if (::statvfs(folder_.c_str(), &disk) != 0) return true;
    const std::uint64_t free = std::uint64_t{disk.f_bavail} * disk.f_frsize;
    return free >= bytes && free - bytes >= limits_.keep_free_bytes;
  };
  for (const StoredFile& file : files) {
    if (fits()) return {};
    if (file.path.filename() == keep) continue;
    std::error_code ignored;
    if (std::filesystem::remove(file.path, ignored)) used -= file.size;
  }
  if (fits()) return {};
  return Fail(ErrorCode::kResourceExhausted,
              fmt::format("no room for {} on the target: its model store may hold {}, and {} of "
                          "the disk stay free; free some space there",
                          HumanBytes(bytes), HumanBytes(limits_.max_bytes),
                          HumanBytes(limits_.keep_free_bytes)));
}

Result<std::uint64_t> FileModelStore::Have(const std::string& sha256, std::uint64_t size) {
  KENNING_RETURN_IF_ERROR(CheckName(sha256));
  if (size == 0) return Fail(ErrorCode::kInvalidModel, "a model of 0 bytes");
  if (size > limits_.max_model_bytes || size > limits_.max_bytes) {
    return Fail(
        ErrorCode::kResourceExhausted,
        fmt::format("the model has {}; this target takes models of at most {}", HumanBytes(size),
                    HumanBytes(std::min(limits_.max_model_bytes, limits_.max_bytes))));
  }
  if (IsFile(ModelFile(sha256))) {
    const std::uint64_t whole = FileSize(ModelFile(sha256));
    if (whole == size) return whole;
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the model {} has {} bytes, not {}", sha256, whole, size));
  }
  std::uint64_t have = FileSize(PartFile(sha256));
  if (have >= size) {
    // A part that never became whole, or of another size: start again.
    std::error_code ignored;
    std::filesystem::remove(PartFile(sha256), ignored);
    have = 0;
  }
  KENNING_RETURN_IF_ERROR(MakeRoom(size - have, sha256));
  return have;
}

Result<std::uint64_t> FileModelStore::Append(const std::string& sha256, std::uint64_t size,
                                             std::uint64_t offset, ConstBytes bytes) {
  KENNING_ASSIGN_OR_RETURN(const std::uint64_t have, Have(sha256, size));
  if (offset != have) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the part begins at {}, but {} bytes are here", offset, have));
  }
  if (bytes.size() > size - have) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the part ends at {}, behind the model's {} bytes",
                            offset + bytes.size(), size));
  }
  if (have == size) return have;
  {
    const UniqueFd file(
        ::open(PartFile(sha256).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return Fail(StoreError(errno, "opening a model's file"));
    if (const auto written = WriteAt(file.get(), bytes, offset); !written) {
      // What was there before stays, so that the upload can go on where it was.
      if (::ftruncate(file.get(), static_cast<off_t>(offset)) != 0) {
        ::unlink(PartFile(sha256).c_str());
      }
      return Fail(written.error());
    }
    if (offset + bytes.size() == size && ::fdatasync(file.get()) != 0) {
      return Fail(StoreError(errno, "writing a model to the disk"));
    }
  }
  if (offset + bytes.size() == size) KENNING_RETURN_IF_ERROR(Finish(sha256));
  return offset + bytes.size();
}

Result<> FileModelStore::Finish(const std::string& sha256) {
  const std::filesystem::path part = PartFile(sha256);
  KENNING_ASSIGN_OR_RETURN(const std::string found, Sha256OfFile(part));
  std::error_code error;
  if (found != sha256) {
    std::filesystem::remove(part, error);
    return Fail(ErrorCode::kInvalidData,
                fmt::format("the model that arrived has the SHA-256 {}, not {}; send it again",
                            found, sha256));
  }
  std::filesystem::rename(part, ModelFile(sha256), error);
  if (error) return Fail(StoreError(error.value(), "keeping a model"));
  verified_.insert(sha256);
  return {};
}

Result<std::string> FileModelStore::Put(ConstBytes bytes) {
  const std::string sha256 = Sha256Hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  KENNING_ASSIGN_OR_RETURN(const std::uint64_t have, Have(sha256, bytes.size()));
  if (have == bytes.size()) {
    if (PathOf(sha256)) return sha256;
    // The file in the store was damaged, and is gone now.
    KENNING_RETURN_IF_ERROR(Append(sha256, bytes.size(), 0, bytes));
    return sha256;
  }
  KENNING_RETURN_IF_ERROR(Append(sha256, bytes.size(), have, bytes.subspan(have)));
  return sha256;
}

Result<std::string> FileModelStore::Adopt(const std::filesystem::path& file) {
  KENNING_ASSIGN_OR_RETURN(const std::string sha256, Sha256OfFile(file));
  KENNING_RETURN_IF_ERROR(MakeRoom(FileSize(file), sha256));
  std::error_code error;
  std::filesystem::rename(file, ModelFile(sha256), error);
  if (error) return Fail(StoreError(error.value(), "keeping a model"));
  verified_.insert(sha256);
  return sha256;
}

Result<std::filesystem::path> FileModelStore::PathOf(const std::string& sha256) {
  KENNING_RETURN_IF_ERROR(CheckName(sha256));
  const std::filesystem::path path = ModelFile(sha256);
  if (!IsFile(path)) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("the model {} is not on the target; send it first", sha256));
  }
  if (!verified_.contains(sha256)) {
    KENNING_ASSIGN_OR_RETURN(const std::string found, Sha256OfFile(path));
    if (found != sha256) {
      std::error_code ignored;
      std::filesystem::remove(path, ignored);
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("the model {} was damaged on the target's disk and is removed; send "
                              "it again",
                              sha256));
    }
    verified_.insert(sha256);
  }
  Touch(path);
  return path;
}

Result<std::vector<std::byte>> FileModelStore::Get(const std::string& sha256, std::uint64_t offset,
                                                   std::size_t max_bytes) {
  KENNING_RETURN_IF_ERROR(CheckName(sha256));
  const UniqueFd file(::open(ModelFile(sha256).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) {
    return Fail(ErrorCode::kNotFound, fmt::format("the model {} is not on the target", sha256));
  }
  const std::uint64_t size = FileSize(ModelFile(sha256));
  if (offset > size) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("offset {} lies behind the model's {} bytes", offset, size));
  }
  std::vector<std::byte> bytes(
      static_cast<std::size_t>(std::min<std::uint64_t>(max_bytes, size - offset)));
  std::size_t got = 0;
  while (got < bytes.size()) {
    const ssize_t count = ::pread(file.get(), bytes.data() + got, bytes.size() - got,
                                  static_cast<off_t>(offset + got));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return Fail(StoreError(count == 0 ? EIO : errno, "reading a model"));
    got += static_cast<std::size_t>(count);
  }
  return bytes;
}

Result<std::string> FileModelStore::Latest() const {
  const std::vector<StoredFile> files = ListFiles(folder_);
  for (auto file = files.rbegin(); file != files.rend(); ++file) {
    if (file->path.parent_path().filename() == "models") return file->path.filename().string();
  }
  return Fail(ErrorCode::kNotFound, "there is no model on the target; send one");
}

}  // namespace kenning::target
