// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "kenning/base/file.h"
#include "kenning/base/strings.h"
#include "resource/resource.h"

namespace kenning {
namespace {

constexpr std::string_view kAllowed =
    "allowed are a path, file:///path, http://…, https://… and kenning:///… (a resource that comes "
    "with kenning)";

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string PercentDecoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 &&
        HexDigit(text[i + 2]) >= 0) {
      decoded += static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2]));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

/// The scheme in lower case; empty for a plain path.
std::string SchemeOf(std::string_view uri) {
  const std::size_t colon = uri.find("://");
  if (colon == std::string_view::npos || colon == 0) return "";
  std::string scheme;
  for (const char c : uri.substr(0, colon)) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) == 0 && c != '+' && c != '-' && c != '.') return "";
    scheme += static_cast<char>(std::tolower(byte));
  }
  return scheme;
}

std::vector<std::filesystem::path> ResourceFolders() {
  std::vector<std::filesystem::path> folders;
  if (const char* given = std::getenv("KENNING_RESOURCES"); given != nullptr && *given != '\0') {
    folders.emplace_back(given);
  }
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  // In a build tree this is a link to the source tree's resources, made by CMake.
  if (!error) folders.push_back(self.parent_path().parent_path() / "share" / "kenning");
  return folders;
}

Result<std::filesystem::path> ResolveOwnResource(const std::string& uri, std::string_view rest) {
  while (rest.starts_with('/')) rest.remove_prefix(1);
  const std::filesystem::path relative = PercentDecoded(rest);
  for (const std::filesystem::path& part : relative) {
    if (part == "..") {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: \"..\" is not allowed in a kenning:// resource", uri));
    }
  }
  std::vector<std::string> tried;
  for (const std::filesystem::path& folder : ResourceFolders()) {
    const std::filesystem::path path = folder / relative;
    std::error_code ignored;
    if (!relative.empty() && std::filesystem::exists(path, ignored)) return path;
    tried.push_back(path.string());
  }
  return Fail(ErrorCode::kNotFound,
              fmt::format("{}: this kenning has no such resource; looked for {} (set "
                          "KENNING_RESOURCES, or give the file's path)",
                          uri, Join(tried)));
}

Result<std::filesystem::path> ResolveDownload(const std::string& uri, ProgressSink& progress,
                                              const CancelToken& cancel) {
  const std::string_view without_query =
      std::string_view(uri).substr(0, std::min(uri.find('?'), uri.find('#')));
  std::string name = PercentDecoded(without_query.substr(without_query.rfind('/') + 1));
  std::ranges::replace_if(
      name, [](char c) { return c == '/' || c == '\0'; }, '_');
  if (name.empty() || name == "." || name == "..") name = "download";
  const std::filesystem::path path = CacheDir() / "downloads" / Sha256Hex(uri).substr(0, 16) / name;
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) return path;
  KENNING_RETURN_IF_ERROR(Download({.url = uri, .destination = path}, progress, cancel));
  return path;
}

}  // namespace

Result<std::filesystem::path> ResolveUri(const std::string& uri, ProgressSink& progress,
                                         const CancelToken& cancel) {
  if (uri.empty()) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("an empty URI; {}", kAllowed));
  }
  const std::string scheme = SchemeOf(uri);
  if (scheme.empty()) return std::filesystem::path(uri);
  const std::string_view rest = std::string_view(uri).substr(scheme.size() + 3);
  if (scheme == "http" || scheme == "https") return ResolveDownload(uri, progress, cancel);
  if (scheme == "kenning") return ResolveOwnResource(uri, rest);
  if (scheme == "file") {
    const std::string_view path = rest.starts_with("localhost/") ? rest.substr(9) : rest;
    if (path.starts_with('/')) return std::filesystem::path(PercentDecoded(path));
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: file:// URIs need an absolute path (file:///path), and no other "
                            "machine",
                            uri));
  }
  return Fail(ErrorCode::kUnsupported,
              fmt::format("{}: the scheme \"{}://\" is not supported; {}", uri, scheme, kAllowed));
}

}  // namespace kenning
