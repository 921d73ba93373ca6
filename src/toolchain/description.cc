// SPDX-License-Identifier: Apache-2.0
// What toolchains there are, and where.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "kenning/base/file.h"
#include "kenning/base/modules.h"
#include "kenning/base/strings.h"
#include "kenning/toolchain/toolchain.h"
#include "toolchain/layout.h"

namespace kenning {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMostDescription = 1U << 20;

Result<ToolchainInfo> ReadDescription(const fs::path& folder) {
  const fs::path file = folder / "toolchain.json";
  KENNING_ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kMostDescription));
  ToolchainInfo info;
  info.lock_file = folder / "requirements.lock";
  KENNING_ASSIGN_OR_RETURN(info.lock_sha256, Sha256OfFile(info.lock_file), file.string());
  try {
    const nlohmann::json json = nlohmann::json::parse(text);
    info.name = json.at("name").get<std::string>();
    info.summary = json.at("summary").get<std::string>();
    info.python_versions = json.at("python").get<std::vector<std::string>>();
    info.versions = json.at("versions").get<std::map<std::string, std::string>>();
    info.imports = json.at("imports").get<std::vector<std::string>>();
    info.download_bytes = json.at("download_bytes").get<std::uint64_t>();
    info.disk_bytes = json.at("disk_bytes").get<std::uint64_t>();
    info.minutes = json.at("minutes").get<double>();
  } catch (const nlohmann::json::exception& exception) {
    return Fail(ErrorCode::kInvalidData, fmt::format("{}: {}", file.string(), exception.what()));
  }
  return info;
}

}  // namespace

fs::path ToolchainRoot() {
  const auto set = [](const char* name) -> const char* {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0' ? value : nullptr;
  };
  if (const char* given = set("KENNING_TOOLCHAIN_DIR")) return given;
  if (const char* data = set("XDG_DATA_HOME")) return fs::path(data) / "kenning" / "toolchains";
  const char* home = set("HOME");
  return fs::path(home != nullptr ? home : ".") / ".local" / "share" / "kenning" / "toolchains";
}

Result<std::vector<ToolchainInfo>> ListToolchains() {
  std::map<std::string, ToolchainInfo> by_name;
  for (const fs::path& resources : ResourceFolders()) {
    std::error_code ignored;
    for (const auto& engine : fs::directory_iterator(resources / "engines", ignored)) {
      const fs::path folder = engine.path() / "toolchain";
      if (!fs::exists(folder / "toolchain.json", ignored)) continue;
      KENNING_ASSIGN_OR_RETURN(ToolchainInfo info, ReadDescription(folder));
      by_name.emplace(info.name, std::move(info));  // The first folder wins.
    }
  }
  std::vector<ToolchainInfo> list;
  for (auto& [name, info] : by_name) list.push_back(std::move(info));
  return list;
}

Result<ToolchainInfo> FindToolchain(std::string_view name) {
  KENNING_ASSIGN_OR_RETURN(const std::vector<ToolchainInfo> all, ListToolchains());
  const auto found = std::ranges::find(all, name, &ToolchainInfo::name);
  if (found != all.end()) return *found;
  std::vector<std::string> names;
  for (const ToolchainInfo& info : all) names.push_back(info.name);
  const std::vector<std::string> nearest = NearestNames(name, names, 1);
  return Fail(ErrorCode::kNotFound,
              fmt::format("there is no toolchain \"{}\"{}; there are: {}", name,
                          nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest[0]),
                          Join(names)));
}

fs::path ToolchainFolder(const ToolchainInfo& info) {
  return ToolchainRoot() / fmt::format("{}-{}", info.name, info.lock_sha256.substr(0, 12));
}

fs::path ToolchainMark(const fs::path& folder) { return folder / "kenning-toolchain.json"; }

fs::path ToolchainPython(const fs::path& folder) { return folder / "bin" / "python"; }

bool ToolchainInstalled(const ToolchainInfo& info) {
  std::error_code ignored;
  return fs::exists(ToolchainMark(ToolchainFolder(info)), ignored);
}

Error ToolchainMissing(const ToolchainInfo& info) {
  return Error(ErrorCode::kUnavailable,
               fmt::format("the toolchain \"{0}\" is not installed; run: kenning toolchain install "
                           "{0} ({1} to download, {2} on disk, about {3:.0f} minutes)",
                           info.name, HumanBytes(info.download_bytes), HumanBytes(info.disk_bytes),
                           std::max(1.0, info.minutes)));
}

Result<fs::path> ToolchainSitePackages(std::string_view name) {
  KENNING_ASSIGN_OR_RETURN(const ToolchainInfo info, FindToolchain(name));
  if (!ToolchainInstalled(info)) return Fail(ToolchainMissing(info));
  std::error_code ignored;
  const fs::path libraries = ToolchainFolder(info) / "lib";
  for (const auto& entry : fs::directory_iterator(libraries, ignored)) {
    if (fs::is_directory(entry.path() / "site-packages", ignored)) {
      return entry.path() / "site-packages";
    }
  }
  return Fail(ErrorCode::kUnavailable,
              fmt::format("the toolchain \"{0}\" is damaged: no site-packages below {1}; run: "
                          "kenning toolchain remove {0}, then install it again",
                          name, libraries.string()));
}

}  // namespace kenning
