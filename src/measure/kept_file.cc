// SPDX-License-Identifier: Apache-2.0
#include "measure/kept_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace kenning {
namespace {

constexpr std::size_t kMostNames = 4096;
constexpr std::size_t kLongestText = 64;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

/// Compares runs of digits by value, everything else by character.
bool NaturalLess(const std::string& a, const std::string& b) {
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() && j < b.size()) {
    if (!IsDigit(a[i]) || !IsDigit(b[j])) {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i;
      ++j;
      continue;
    }
    std::uint64_t left = 0;
    std::uint64_t right = 0;
    const auto* const left_end = std::from_chars(&a[i], a.data() + a.size(), left).ptr;
    const auto* const right_end = std::from_chars(&b[j], b.data() + b.size(), right).ptr;
    if (left != right) return left < right;
    i = static_cast<std::size_t>(left_end - a.data());
    j = static_cast<std::size_t>(right_end - b.data());
  }
  return a.size() - i < b.size() - j;
}

}  // namespace

KeptFile::KeptFile(const std::filesystem::path& path)
    : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  if (descriptor_ < 0) error_ = errno;
}

KeptFile::KeptFile(KeptFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), error_(other.error_) {}

KeptFile& KeptFile::operator=(KeptFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(error_, other.error_);
  return *this;
}

KeptFile::~KeptFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::string_view KeptFile::Read(std::span<char> buffer) const {
  if (descriptor_ < 0) return {};
  const ssize_t count = ::pread(descriptor_, buffer.data(), buffer.size(), 0);
  if (count <= 0) return {};
  return {buffer.data(), static_cast<std::size_t>(count)};
}

std::string_view KeptFile::ReadAll(std::vector<char>& buffer) const {
  constexpr std::size_t kMost = std::size_t{1} << 20;
  if (descriptor_ < 0) return {};
  std::size_t size = 0;
  while (size < kMost) {
    // Files of /proc come in pieces; only a read of nothing is the end.
    if (buffer.size() < size + 4096) buffer.resize(2 * size + 8192);
    const ssize_t count =
        ::pread(descriptor_, buffer.data() + size, buffer.size() - size, static_cast<off_t>(size));
    if (count <= 0) break;
    size += static_cast<std::size_t>(count);
  }
  return {buffer.data(), size};
}

double KeptFile::Number() const {
  std::array<char, 64> buffer;
  return NumberIn(Read(buffer));
}

double NumberIn(std::string_view text) {
  const double none = std::numeric_limits<double>::quiet_NaN();
  while (!text.empty() && (text[0] == ' ' || text[0] == '\t')) text.remove_prefix(1);
  if (text.starts_with("0x") || text.starts_with("0X")) {
    text.remove_prefix(2);
    std::uint64_t value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    return parsed.ec == std::errc() ? static_cast<double>(value) : none;
  }
  double value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() && std::isfinite(value) ? value : none;
}

std::string ShortText(const std::filesystem::path& path) {
  std::array<char, 256> buffer;
  const std::string_view text = KeptFile(path).Read(buffer);
  std::string line;
  for (const char c : text) {
    if (c == '\n' || c == '\0' || line.size() == kLongestText) break;
    line += c >= ' ' && c <= '~' ? c : '?';
  }
  const std::size_t last = line.find_last_not_of(' ');
  line.erase(last == std::string::npos ? 0 : last + 1);
  return line;
}

std::vector<std::string> NamesIn(const std::filesystem::path& folder, std::string_view prefix) {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  const std::filesystem::directory_iterator end;
  while (!error && entry != end && names.size() < kMostNames) {
    std::string name = entry->path().filename().string();
    if (name.starts_with(prefix)) names.push_back(std::move(name));
    entry.increment(error);
  }
  std::ranges::sort(names, NaturalLess);
  return names;
}

}  // namespace kenning
