// SPDX-License-Identifier: Apache-2.0
#include "kenning/base/uri.h"

#include <fmt/format.h>

#include <cctype>

namespace kenning {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string UriScheme(std::string_view uri) {
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

Result<std::filesystem::path> PathOfFileUri(const std::string& uri) {
  constexpr std::string_view kPrefix = "file://";
  if (UriScheme(uri) == "file") {
    std::string_view path = std::string_view(uri).substr(kPrefix.size());
    if (path.starts_with("localhost/")) path.remove_prefix(9);
    std::string decoded = PercentDecoded(path);
    // The operating system would silently read the name up to a NUL.
    if (path.starts_with('/') && decoded.find('\0') == std::string::npos) return decoded;
  }
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("{}: file:// URIs need an absolute path (file:///path), and no other "
                          "machine",
                          uri));
}

Result<std::filesystem::path> OutputPathFromUri(const std::string& uri) {
  if (uri.empty()) {
    return Fail(ErrorCode::kInvalidScenario, "an empty path; name the file to write");
  }
  const std::string scheme = UriScheme(uri);
  if (scheme.empty()) return uri;
  if (scheme != "file") {
    return Fail(ErrorCode::kInvalidScenario,
                fmt::format("{}: nothing can be written to {}://; give a path or file:///path", uri,
                            scheme));
  }
  auto path = PathOfFileUri(uri);
  if (!path) return Fail(ErrorCode::kInvalidScenario, path.error().message());
  return path;
}

}  // namespace kenning
