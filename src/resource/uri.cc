// SPDX-License-Identifier: Apache-2.0
#include "kenning/base/uri.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "kenning/base/file.h"
#include "kenning/base/modules.h"
#include "kenning/base/strings.h"
#include "resource/resource.h"

namespace kenning {
namespace {

constexpr std::string_view kAllowed =
    "allowed are a path, file:///path, http://…, https://… and kenning:///… (a resource that comes "
    "with kenning)";

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
  const std::string scheme = UriScheme(uri);
  if (scheme.empty()) return std::filesystem::path(uri);
  const std::string_view rest = std::string_view(uri).substr(scheme.size() + 3);
  if (scheme == "http" || scheme == "https") return ResolveDownload(uri, progress, cancel);
  if (scheme == "kenning") return ResolveOwnResource(uri, rest);
  if (scheme == "file") return PathOfFileUri(uri);
  return Fail(ErrorCode::kUnsupported,
              fmt::format("{}: the scheme \"{}://\" is not supported; {}", uri, scheme, kAllowed));
}

}  // namespace kenning
