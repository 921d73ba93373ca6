// SPDX-License-Identifier: Apache-2.0
/// \file
/// Folders as one stream of bytes: the ustar format, regular files and folders alone. The same
/// folder gives the same bytes on every machine (sorted, no owners, no times), so that their
/// SHA-256 names the folder's contents.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kenning/base/result.h"

namespace kenning {

/// A folder seen as an archive that is never made as a whole.
class TarOfTree {
 public:
  /// Lists the folder. \return kNotFound, kIo, kInvalidData for links and devices, kUnsupported
  /// for a name that the format cannot hold (about 250 bytes), kResourceExhausted.
  static Result<TarOfTree> Create(const std::filesystem::path& folder);
  TarOfTree(TarOfTree&& other) noexcept;
  TarOfTree& operator=(TarOfTree&&) = delete;
  ~TarOfTree();

  std::uint64_t size_bytes() const { return size_; }
  /// Fills `out` with the archive's bytes from `offset`; both within the size. Sequential reads are
  /// fast. \return kIo, and kInvalidData where a file got shorter since.
  Result<> Read(std::uint64_t offset, std::span<std::byte> out);

 private:
  struct Entry {
    std::string name;            ///< Within the archive, folders with a final slash.
    std::filesystem::path path;  ///< On this machine.
    std::uint64_t size = 0;      ///< Of the contents.
    std::uint64_t begin = 0;     ///< Where the header is.
  };
  TarOfTree() = default;
  Result<> AddFolder(const std::filesystem::path& folder, const std::string& prefix, int depth);
  Result<> Append(Entry entry);
  Result<> ReadEntry(std::size_t index, std::uint64_t at, std::span<std::byte> out);
  Result<> ReadContents(std::size_t index, std::uint64_t at, std::span<std::byte> out);

  std::vector<Entry> entries_;
  std::uint64_t size_ = 0;
  int open_ = -1;  ///< Of the entry `open_index_`.
  std::size_t open_index_ = 0;
};

struct TarLimits {
  std::uint64_t max_bytes = std::uint64_t{2} << 30;  ///< Of all contents.
  std::size_t max_entries = 10000;
};

/// Whether these first bytes of a file are an archive as TarOfTree makes them.
bool LooksLikeTar(std::span<const std::byte> begin);

/// Unpacks an archive from an unknown sender to `folder`, which must not be there: whole or not at
/// all. Names are relative, without "..", at most 16 folders deep; links, devices and repeated
/// names are refused; files are made with mode 0644. \return kInvalidData, kResourceExhausted, kIo,
/// kNotFound.
Result<> UnpackTar(const std::filesystem::path& archive, const std::filesystem::path& folder,
                   const TarLimits& limits = {});

}  // namespace kenning
