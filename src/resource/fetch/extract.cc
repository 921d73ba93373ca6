// SPDX-License-Identifier: Apache-2.0
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <system_error>

#include "kenning/base/strings.h"
#include "resource/fetch/fetch.h"

namespace kenning::internal {
namespace {

constexpr std::size_t kBlockBytes = 1 << 16;
constexpr std::uint64_t kMostEntries = 4'000'000;
constexpr std::size_t kLongestName = 4096;

struct FreeArchive {
  void operator()(archive* reader) const { archive_read_free(reader); }
};

/// Removes the unfinished tree unless told to keep it.
class Scratch {
 public:
  explicit Scratch(std::filesystem::path path) : path_(std::move(path)) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

Error DiskError(const std::filesystem::path& path, int error_number) {
  if (error_number == ENOSPC || error_number == EDQUOT) {
    return {ErrorCode::kResourceExhausted,
            fmt::format("{}: no space left on the device; free some space or unpack elsewhere",
                        path.string())};
  }
  return {ErrorCode::kIo, fmt::format("{}: {} (unpacking)", path.string(),
                                      std::generic_category().message(error_number))};
}

class Extraction {
 public:
  Extraction(const std::filesystem::path& archive_path, const std::filesystem::path& root,
             std::uint64_t max_bytes)
      : archive_path_(archive_path), root_(root), max_bytes_(max_bytes) {}

  Result<> Run(ProgressSink& progress, const CancelToken& cancel) {
    reader_.reset(archive_read_new());
    if (!reader_) return Fail(ErrorCode::kResourceExhausted, "libarchive cannot start");
    archive_read_support_filter_gzip(reader_.get());
    archive_read_support_filter_xz(reader_.get());
    archive_read_support_filter_zstd(reader_.get());
    archive_read_support_format_tar(reader_.get());
    archive_read_support_format_zip(reader_.get());
    if (archive_read_open_filename(reader_.get(), archive_path_.c_str(), kBlockBytes) !=
        ARCHIVE_OK) {
      return Fail(Damaged());
    }
    for (;;) {
      archive_entry* entry = nullptr;
      const int status = archive_read_next_header(reader_.get(), &entry);
      if (status == ARCHIVE_EOF) return {};
      if (status != ARCHIVE_OK && status != ARCHIVE_WARN) return Fail(Damaged());
      if (++entries_ > kMostEntries) {
        return Fail(ErrorCode::kResourceExhausted,
                    fmt::format("{}: more than {} entries", archive_path_.string(), kMostEntries));
      }
      KENNING_RETURN_IF_ERROR(ExtractEntry(entry, cancel));
      progress.Update(static_cast<std::uint64_t>(archive_filter_bytes(reader_.get(), -1)));
    }
  }

 private:
  Error Damaged() const {
    const char* reason = archive_error_string(reader_.get());
    return {ErrorCode::kInvalidData,
            fmt::format("{}: not a whole tar or zip archive ({}); delete it and fetch it again",
                        archive_path_.string(), reason != nullptr ? reason : "unknown reason")};
  }

  Error Refused(std::string_view name, std::string_view why) const {
    return {ErrorCode::kInvalidData, fmt::format("{}: the entry \"{}\" {}; nothing was unpacked",
                                                 archive_path_.string(), name.substr(0, 200), why)};
  }

  Error TooLarge() const {
    return {ErrorCode::kResourceExhausted,
            fmt::format("{}: unpacks to more than the {} allowed; nothing was unpacked",
                        archive_path_.string(), HumanBytes(max_bytes_))};
  }

  Result<std::filesystem::path> SafePath(archive_entry* entry) const {
    const char* raw = archive_entry_pathname(entry);
    if (raw == nullptr) raw = archive_entry_pathname_utf8(entry);
    if (raw == nullptr || *raw == '\0') return Fail(Refused("", "has no name"));
    const std::string_view name = raw;
    if (name.size() > kLongestName) return Fail(Refused(name, "has too long a name"));
    if (name.starts_with('/') || name.find('\\') != std::string_view::npos) {
      return Fail(Refused(name, "has an absolute path"));
    }
    const std::filesystem::path relative{std::string(name)};
    for (const std::filesystem::path& part : relative) {
      if (part == "..") return Fail(Refused(name, "climbs out of the folder with \"..\""));
    }
    return root_ / relative;
  }

  Result<> ExtractEntry(archive_entry* entry, const CancelToken& cancel) {
    KENNING_ASSIGN_OR_RETURN(const std::filesystem::path path, SafePath(entry));
    const std::string name = path.lexically_relative(root_).string();
    if (archive_entry_hardlink(entry) != nullptr) return Fail(Refused(name, "is a hard link"));
    const auto type = archive_entry_filetype(entry);
    if (type == AE_IFLNK) return Fail(Refused(name, "is a symbolic link"));
    std::error_code error;
    if (type == AE_IFDIR) {
      std::filesystem::create_directories(path, error);
      if (error) return Fail(DiskError(path, error.value()));
      return {};
    }
    if (type != AE_IFREG) return Fail(Refused(name, "is neither a file nor a folder"));
    if (archive_entry_size_is_set(entry) != 0) {
      const auto size = archive_entry_size(entry);
      if (size < 0 || static_cast<std::uint64_t>(size) > max_bytes_ - written_) {
        return Fail(TooLarge());
      }
    }
    std::filesystem::create_directories(path.parent_path(), error);
    if (error) return Fail(DiskError(path.parent_path(), error.value()));
    const int fd =
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0) return Fail(DiskError(path, errno));
    Result<> result = WriteBlocks(fd, path, cancel);
    if (::close(fd) != 0 && result) return Fail(DiskError(path, errno));
    return result;
  }

  Result<> WriteBlocks(int fd, const std::filesystem::path& path, const CancelToken& cancel) {
    std::uint64_t end_of_file = 0;
    for (;;) {
      if (cancel.cancelled()) {
        return Fail(ErrorCode::kCancelled,
                    fmt::format("{}: unpacking was cancelled", archive_path_.string()));
      }
      const void* block = nullptr;
      std::size_t size = 0;
      la_int64_t offset = 0;
      const int status = archive_read_data_block(reader_.get(), &block, &size, &offset);
      if (status == ARCHIVE_EOF) return {};
      if (status != ARCHIVE_OK && status != ARCHIVE_WARN) return Fail(Damaged());
      // Holes count as if they were written: a sparse file may claim any length.
      const std::uint64_t end = static_cast<std::uint64_t>(offset) + size;
      if (offset < 0 || end < end_of_file || end - end_of_file > max_bytes_ - written_) {
        return Fail(TooLarge());
      }
      written_ += end - end_of_file;
      end_of_file = end;
      KENNING_RETURN_IF_ERROR(WriteAt(fd, path, {static_cast<const char*>(block), size}, offset));
    }
  }

  static Result<> WriteAt(int fd, const std::filesystem::path& path, std::string_view bytes,
                          off_t offset) {
    while (!bytes.empty()) {
      const ssize_t wrote = ::pwrite(fd, bytes.data(), bytes.size(), offset);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return Fail(DiskError(path, errno));
      offset += wrote;
      bytes.remove_prefix(static_cast<std::size_t>(wrote));
    }
    return {};
  }

  const std::filesystem::path& archive_path_;
  const std::filesystem::path& root_;
  std::uint64_t max_bytes_;
  std::uint64_t written_ = 0;
  std::uint64_t entries_ = 0;
  std::unique_ptr<archive, FreeArchive> reader_;
};

/// Moves every file of `from` to the same place below `to`, over files of the same name.
Result<> MoveInto(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::error_code error;
  std::filesystem::create_directories(to, error);
  if (error) return Fail(DiskError(to, error.value()));
  // Listed first: moving files away from under an iterator may hide others from it.
  std::vector<std::filesystem::directory_entry> entries;
  std::filesystem::recursive_directory_iterator it(from, error);
  for (; !error && it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
    entries.push_back(*it);
  }
  if (error) return Fail(DiskError(from, error.value()));
  for (const std::filesystem::directory_entry& entry : entries) {
    const std::filesystem::path target = to / entry.path().lexically_relative(from);
    if (entry.is_directory(error)) {
      std::filesystem::create_directories(target, error);
    } else {
      std::filesystem::rename(entry.path(), target, error);
    }
    if (error) return Fail(DiskError(target, error.value()));
  }
  return {};
}

}  // namespace

Result<> ExtractWithLibarchive(const std::filesystem::path& archive_path,
                               const std::filesystem::path& destination, std::uint64_t max_bytes,
                               ProgressSink& progress, const CancelToken& cancel) {
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(archive_path, error);
  if (error) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("{}: {}", archive_path.string(), error.message()));
  }
  std::filesystem::create_directories(destination, error);
  if (error) return Fail(DiskError(destination, error.value()));
  // Inside the destination: on the same disk, so that moving is renaming.
  const Scratch scratch(destination / fmt::format(".unpacking-{}", ::getpid()));
  std::filesystem::create_directories(scratch.path(), error);
  if (error) return Fail(DiskError(scratch.path(), error.value()));
  progress.Begin("unpack " + archive_path.filename().string(), size, "bytes");
  const Result<> unpacked =
      Extraction(archive_path, scratch.path(), max_bytes).Run(progress, cancel);
  progress.End();
  KENNING_RETURN_IF_ERROR(unpacked);
  return MoveInto(scratch.path(), destination);
}

}  // namespace kenning::internal
