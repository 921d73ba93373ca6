// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <map>

#include "kenning/base/file.h"

namespace kenning {
namespace {

namespace fs = std::filesystem;

Error TreeError(const fs::path& path, const std::error_code& error) {
  const ErrorCode code = error == std::errc::no_such_file_or_directory ? ErrorCode::kNotFound
                         : error == std::errc::no_space_on_device ? ErrorCode::kResourceExhausted
                                                                  : ErrorCode::kIo;
  return Error(code, fmt::format("{}: {}", path.string(), error.message()));
}

/// Regular files below a folder by their relative path; links and devices are refused.
Result<std::map<std::string, fs::path>> FilesBelow(const fs::path& folder) {
  std::map<std::string, fs::path> files;
  std::error_code error;
  for (auto it = fs::recursive_directory_iterator(folder, error);
       !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (it->is_directory() && !it->is_symlink()) continue;
    if (it->is_symlink() || !it->is_regular_file()) {
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("{}: a model's folder holds regular files and folders only",
                              it->path().string()));
    }
    files[it->path().lexically_relative(folder).generic_string()] = it->path();
  }
  if (error) return Fail(TreeError(folder, error));
  return files;
}

/// Where something is made before it gets its name.
fs::path TemporaryFor(const fs::path& destination) {
  fs::path temporary = destination;
  temporary += fmt::format(".tmp-{}", ::getpid());
  return temporary;
}

}  // namespace

Result<std::string> Sha256OfTree(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return Sha256OfFile(path);
  KENNING_ASSIGN_OR_RETURN(const auto files, FilesBelow(path));
  std::string list;
  for (const auto& [name, file] : files) {
    KENNING_ASSIGN_OR_RETURN(const std::string hash, Sha256OfFile(file));
    list += fmt::format("{}  {}\n", hash, name);
  }
  return Sha256Hex(list);
}

Result<std::uint64_t> TreeSizeBytes(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    const std::uint64_t size = fs::file_size(path, error);
    if (error) return Fail(TreeError(path, error));
    return size;
  }
  KENNING_ASSIGN_OR_RETURN(const auto files, FilesBelow(path));
  std::uint64_t total = 0;
  for (const auto& [name, file] : files) {
    total += fs::file_size(file, error);
    if (error) return Fail(TreeError(file, error));
  }
  return total;
}

Result<> CopyTree(const fs::path& from, const fs::path& destination) {
  std::error_code error;
  if (fs::exists(fs::symlink_status(destination, error))) {
    return Fail(ErrorCode::kIo, fmt::format("{}: is there already", destination.string()));
  }
  if (!destination.parent_path().empty()) fs::create_directories(destination.parent_path(), error);
  const fs::path temporary = TemporaryFor(destination);
  fs::remove_all(temporary, error);
  error.clear();
  fs::copy(from, temporary, fs::copy_options::recursive, error);
  if (!error) fs::rename(temporary, destination, error);
  if (!error) return {};
  const Error failed = TreeError(destination, error);
  fs::remove_all(temporary, error);
  return Fail(failed);
}

Result<> ReplaceTree(const fs::path& temporary, const fs::path& destination) {
  std::error_code error;
  fs::path old;
  if (fs::is_directory(destination, error) || fs::is_directory(temporary, error)) {
    // A folder does not take a place that is taken.
    if (fs::exists(destination, error)) {
      old = TemporaryFor(destination);
      old += ".old";
      fs::rename(destination, old, error);
      if (error) return Fail(TreeError(destination, error));
    }
  }
  error.clear();
  fs::rename(temporary, destination, error);
  if (error) {
    const Error failed = TreeError(destination, error);
    if (!old.empty()) fs::rename(old, destination, error);
    return Fail(failed);
  }
  if (!old.empty()) fs::remove_all(old, error);
  return {};
}

}  // namespace kenning
