// SPDX-License-Identifier: Apache-2.0
/// \file
/// Small files of /proc and /sys that are read again and again: opened once, read with one system
/// call, no allocation.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kenning {

/// Movable; closes at the end. Reading from several threads is fine.
class KeptFile {
 public:
  KeptFile() = default;
  explicit KeptFile(const std::filesystem::path& path);
  KeptFile(KeptFile&& other) noexcept;
  KeptFile& operator=(KeptFile&& other) noexcept;
  KeptFile(const KeptFile&) = delete;
  KeptFile& operator=(const KeptFile&) = delete;
  ~KeptFile();

  bool is_open() const { return descriptor_ >= 0; }
  /// errno of opening; 0 where it is open.
  int error() const { return error_; }
  /// What fits, from the file's start; empty where it cannot be read (any more).
  std::string_view Read(std::span<char> buffer) const;
  /// All of it, up to a mebibyte; `buffer` grows where it must and is kept between calls.
  std::string_view ReadAll(std::vector<char>& buffer) const;
  /// The number that the file starts with ("0x" for hexadecimal); NaN where there is none.
  double Number() const;

 private:
  int descriptor_ = -1;
  int error_ = 0;
};

/// The number that a text starts with, after white space; NaN where there is none.
double NumberIn(std::string_view text);
/// A file's first line for people: printable ASCII, at most 64 characters; empty where unreadable.
std::string ShortText(const std::filesystem::path& path);
/// Names in a folder that start with `prefix`, in natural order (zone2 before zone10); empty where
/// the folder cannot be read. At most 4096.
std::vector<std::string> NamesIn(const std::filesystem::path& folder, std::string_view prefix);

}  // namespace kenning
