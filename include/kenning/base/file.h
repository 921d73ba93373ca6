// SPDX-License-Identifier: Apache-2.0
/// \file
/// Files: capped reads and atomic writes. Outputs appear whole or not at all.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>

#include "kenning/base/result.h"

namespace kenning {

/// Reads a whole regular file. \return kNotFound, kIo, or kResourceExhausted above `max_bytes`.
Result<std::string> ReadFile(const std::filesystem::path& path,
                             std::uint64_t max_bytes = std::uint64_t{1} << 32);

/// Writes to "<path>.tmp-<pid>" and renames on Commit; the temporary is removed if Commit is never
/// reached. Missing parent folders are made. A full disk surfaces as kResourceExhausted and leaves
/// nothing behind. Not thread-safe.
class AtomicFile {
 public:
  static Result<AtomicFile> Create(const std::filesystem::path& path);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  Result<> Write(std::string_view bytes);
  /// Flushes to disk and renames over the destination.
  Result<> Commit();
  /// The temporary's name, for libraries that insist on writing a file themselves.
  const std::filesystem::path& temporary_path() const { return temporary_; }

 private:
  AtomicFile(std::filesystem::path path, std::filesystem::path temporary, std::FILE* file);
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  std::FILE* file_;
};

/// AtomicFile in one call.
Result<> WriteFileAtomically(const std::filesystem::path& path, std::string_view bytes);

/// Lower-case hexadecimal SHA-256 of bytes, or of a file read in chunks.
std::string Sha256Hex(std::string_view bytes);
Result<std::string> Sha256OfFile(const std::filesystem::path& path);

/// A model is a file, or a folder of files. Of a folder: the SHA-256 of its regular files' relative
/// paths and SHA-256s, in order of the paths. \return kNotFound, kIo, and kInvalidData for a link
/// inside the folder.
Result<std::string> Sha256OfTree(const std::filesystem::path& path);
/// Bytes of a file, or of all regular files below a folder. \return kNotFound, kIo.
Result<std::uint64_t> TreeSizeBytes(const std::filesystem::path& path);
/// Copies a file or a folder to `destination`, which must not be there: whole or not at all.
Result<> CopyTree(const std::filesystem::path& from, const std::filesystem::path& destination);
/// Puts `temporary` (a file or a folder, on the same file system) in the place of `destination`,
/// removing what was there.
Result<> ReplaceTree(const std::filesystem::path& temporary,
                     const std::filesystem::path& destination);

}  // namespace kenning
