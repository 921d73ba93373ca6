// SPDX-License-Identifier: Apache-2.0
/// \file
/// Toolchains: frameworks that exist only in Python, each in an isolated environment of its own
/// with locked versions, which kenning makes and owns. Nothing of them ever runs in kenning's
/// process.
///
/// A toolchain is described by engines/<engine>/toolchain/: toolchain.json (name, summary, sizes,
/// time, the import that proves it) and requirements.lock (every package with version and SHA-256).
/// It is installed below ToolchainRoot() as <name>-<first 12 digits of the lock's SHA-256>.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kenning/base/progress.h"
#include "kenning/base/result.h"

namespace kenning {

/// What engines/<engine>/toolchain/toolchain.json says.
struct ToolchainInfo {
  std::string name;     ///< "tensorflow"
  std::string summary;  ///< One sentence.
  std::filesystem::path lock_file;
  std::string lock_sha256;
  std::vector<std::string> python_versions;     ///< "3.11", "3.12": those that the lock serves.
  std::map<std::string, std::string> versions;  ///< Main packages: "tensorflow-cpu": "2.21.0".
  std::vector<std::string> imports;             ///< Modules that must load.
  std::uint64_t download_bytes = 0;
  std::uint64_t disk_bytes = 0;
  double minutes = 0;  ///< To install, on two cores and 10 MB/s.
};

/// Where toolchains are: $KENNING_TOOLCHAIN_DIR, else $XDG_DATA_HOME/kenning/toolchains, else
/// ~/.local/share/kenning/toolchains.
std::filesystem::path ToolchainRoot();

/// All toolchains of this build, by name. \return kInvalidData naming a broken description.
Result<std::vector<ToolchainInfo>> ListToolchains();
/// \return kNotFound with the nearest names.
Result<ToolchainInfo> FindToolchain(std::string_view name);

/// Where a toolchain is, or would be.
std::filesystem::path ToolchainFolder(const ToolchainInfo& info);
/// Whether it is whole; quick, starts nothing.
bool ToolchainInstalled(const ToolchainInfo& info);
/// Root of its Python packages (the folder "site-packages"), for engines that load a shared library
/// out of a package. \return kUnavailable with the command that installs it.
Result<std::filesystem::path> ToolchainSitePackages(std::string_view name);
/// The error that says what to type: kUnavailable, "… kenning toolchain install tensorflow (262 MB
/// to download, 1.6 GB on disk, about 2 minutes)".
Error ToolchainMissing(const ToolchainInfo& info);

/// Downloads what is missing, one package at a time (a later run goes on where one stopped), checks
/// every SHA-256, installs, proves the imports, and only then marks the toolchain as whole. A
/// second process waits for the first. Nothing is done where it is whole already. \return kIo,
/// kInvalidData (hash), kResourceExhausted, kUnavailable (no Python that the lock serves),
/// kCancelled.
Result<> InstallToolchain(const ToolchainInfo& info, ProgressSink& progress,
                          const CancelToken& cancel);
/// Removes it and its downloads; returns the bytes freed.
Result<std::uint64_t> RemoveToolchain(const ToolchainInfo& info);
/// Imports every main package and compares every installed version with the lock; one finding a
/// line, empty where all is well.
Result<std::vector<std::string>> CheckToolchain(const ToolchainInfo& info,
                                                const CancelToken& cancel);

}  // namespace kenning
