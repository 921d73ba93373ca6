// SPDX-License-Identifier: Apache-2.0
#include "landlock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <system_error>

#include "transport/unique_fd.h"

namespace kenning::target {
namespace {

// The kernel's interface; headers of Debian 12 know only its second version. The numbers are the
// same on every architecture.
constexpr long kCreateRuleset = 444;
constexpr long kAddRule = 445;
constexpr long kRestrictSelf = 446;
constexpr std::uint32_t kAskVersion = 1;
constexpr int kPathBeneath = 1;

constexpr std::uint64_t kExecute = 1U << 0;
constexpr std::uint64_t kWriteFile = 1U << 1;
constexpr std::uint64_t kReadFile = 1U << 2;
constexpr std::uint64_t kReadDir = 1U << 3;
constexpr std::uint64_t kMakeChar = 1U << 6;
constexpr std::uint64_t kMakeBlock = 1U << 11;
constexpr std::uint64_t kTruncate = 1U << 14;

struct RulesetAttributes {
  std::uint64_t files = 0;
  std::uint64_t network = 0;
  std::uint64_t scopes = 0;
};
struct [[gnu::packed]] PathAttributes {
  std::uint64_t allowed = 0;
  std::int32_t parent = -1;
};

/// All rights on files that this version can handle, but ioctl on devices, which engines for
/// accelerators need.
std::uint64_t FileRights(int version) {
  if (version >= 3) return (std::uint64_t{1} << 15) - 1;
  return (std::uint64_t{1} << (version == 2 ? 14 : 13)) - 1;
}

bool AddPath(int ruleset, const std::filesystem::path& path, std::uint64_t rights) {
  const UniqueFd parent(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!parent) return false;
  const PathAttributes attributes = {rights, parent.get()};
  return ::syscall(kAddRule, ruleset, kPathBeneath, &attributes, 0) == 0;
}

/// Devices of accelerators and the harmless ones.
std::vector<std::filesystem::path> Devices() {
  std::vector<std::filesystem::path> found;
  for (const char* path : {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom",
                           "/dev/tty", "/dev/kfd"}) {
    found.emplace_back(path);
  }
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/dev", error)) {
    const std::string name = entry.path().filename().string();
    for (const char* prefix : {"nvidia", "apex_", "accel", "mali", "galcore", "rknpu", "tty"}) {
      if (name.starts_with(prefix)) found.push_back(entry.path());
    }
  }
  return found;
}

}  // namespace

Result<int> RestrictFiles(const FileRules& rules) {
  const long asked = ::syscall(kCreateRuleset, nullptr, 0, kAskVersion);
  if (asked < 1) return Fail(ErrorCode::kUnsupported, "the kernel has no Landlock");
  const int version = static_cast<int>(std::min(asked, 1000L));
  RulesetAttributes attributes;
  attributes.files = FileRights(version);
  std::size_t size = sizeof(std::uint64_t);
  if (version >= 4) {
    attributes.network = 3;  // Bind and connect, TCP.
    size = 2 * sizeof(std::uint64_t);
  }
  if (version >= 6) {
    attributes.scopes = 3;  // Abstract UNIX sockets and signals.
    size = sizeof(attributes);
  }
  const UniqueFd ruleset(static_cast<int>(::syscall(kCreateRuleset, &attributes, size, 0)));
  if (!ruleset) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("Landlock: {}", std::generic_category().message(errno)));
  }
  const std::uint64_t all = attributes.files;
  bool whole = AddPath(ruleset.get(), "/", kExecute | kReadFile | kReadDir);
  for (const auto& folder : rules.writable_folders) {
    whole = AddPath(ruleset.get(), folder, all & ~(kMakeChar | kMakeBlock)) && whole;
  }
  for (const auto& file : rules.writable_files) {
    whole = AddPath(ruleset.get(), file, all & (kReadFile | kWriteFile | kTruncate)) && whole;
  }
  for (const auto& device : Devices()) {
    AddPath(ruleset.get(), device, all & (kReadFile | kWriteFile | kTruncate));
  }
  AddPath(ruleset.get(), "/dev/dri", all & (kReadFile | kReadDir | kWriteFile | kTruncate));
  if (!whole || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::syscall(kRestrictSelf, ruleset.get(), 0) != 0) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("Landlock: {}", std::generic_category().message(errno)));
  }
  return version;
}

}  // namespace kenning::target
