// SPDX-License-Identifier: Apache-2.0
/// \file
/// Models on the target's disk, by content. Names of files come from SHA-256 alone; nothing that a
/// client says becomes a path.
///
/// | below the state folder | holds |
/// |---|---|
/// | models/<sha256> | a whole model whose sum was checked |
/// | parts/<sha256> | the beginning of one whose upload broke off |
/// | sessions/<number> | files of a session, removed when it ends |
#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "wire/target_server.h"

namespace kenning::target {

/// $KENNING_AGENT_STATE, else "agent" in the cache folder (kenning/base/cache_dir.h).
std::filesystem::path DefaultStateFolder();

struct StoreLimits {
  std::uint64_t max_bytes = std::uint64_t{8} << 30;  ///< Of all models; the oldest go first.
  std::uint64_t max_model_bytes = std::uint64_t{2} << 30;
  std::uint64_t keep_free_bytes = std::uint64_t{64} << 20;  ///< Of the file system.
};

/// Not thread-safe. Another process may use the same folder: files appear by renaming.
class FileModelStore final : public wire::ModelStore {
 public:
  /// Makes the folders. \return kIo where they cannot be written.
  static Result<FileModelStore> Open(const std::filesystem::path& folder, StoreLimits limits);

  Result<std::uint64_t> Have(const std::string& sha256, std::uint64_t size) override;
  Result<std::uint64_t> Append(const std::string& sha256, std::uint64_t size, std::uint64_t offset,
                               ConstBytes bytes) override;
  Result<std::string> Put(ConstBytes bytes) override;
  Result<std::vector<std::byte>> Get(const std::string& sha256, std::uint64_t offset,
                                     std::size_t max_bytes) override;

  /// Takes a file by moving it; it must be on the same file system. \return its SHA-256.
  Result<std::string> Adopt(const std::filesystem::path& file);
  /// The file of a whole model, now the most recently used. Its sum is computed again, unless this
  /// object has seen it: what an engine might have written into the store is not trusted.
  /// \return kNotFound, kInvalidData.
  Result<std::filesystem::path> PathOf(const std::string& sha256);
  /// The most recently used model. \return kNotFound.
  Result<std::string> Latest() const;
  std::uint64_t UsedBytes() const;
  const StoreLimits& limits() const { return limits_; }

 private:
  FileModelStore(std::filesystem::path folder, StoreLimits limits);
  std::filesystem::path ModelFile(const std::string& sha256) const;
  std::filesystem::path PartFile(const std::string& sha256) const;
  /// Room for `bytes` more, removing the oldest models but `keep`.
  Result<> MakeRoom(std::uint64_t bytes, const std::string& keep);
  /// Checks a whole part and makes it a model.
  Result<> Finish(const std::string& sha256);
  std::filesystem::path folder_;
  StoreLimits limits_;
  std::set<std::string> verified_;
};

}  // namespace kenning::target
