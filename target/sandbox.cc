// SPDX-License-Identifier: Apache-2.0
#include "sandbox.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <system_error>

#include "kenning/base/log.h"
#include "landlock.h"
#include "syscall_filter.h"

namespace kenning::target {
namespace {

constexpr rlim_t kMostOpenFiles = 1024;
constexpr rlim_t kMostThreads = 4096;
constexpr const char* kBadlyMatchedScore = "500";

void Lower(__rlimit_resource_t resource, rlim_t value) {
  rlimit now{};
  ::getrlimit(resource, &now);
  const rlim_t wanted = std::min(value, now.rlim_max);
  const rlimit limit = {wanted, wanted};
  ::setrlimit(resource, &limit);
}

void SetLimits(const SandboxPlan& plan) {
  Lower(RLIMIT_CORE, 0);
  Lower(RLIMIT_NOFILE, kMostOpenFiles);
  Lower(RLIMIT_NPROC, kMostThreads);
  if (plan.max_file_bytes > 0) {
    Lower(RLIMIT_FSIZE, plan.max_file_bytes);
    // The write fails then, and the process lives.
    std::signal(SIGXFSZ, SIG_IGN);
  }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  // Untouched memory counts here: some more than what may be resident, which the main process
  // watches.
  if (plan.max_memory_bytes > 0) {
    Lower(RLIMIT_DATA, plan.max_memory_bytes + plan.max_memory_bytes / 4);
  }
#endif
  // Where memory ends all the same, the kernel shall take this process and not the agent.
  std::ofstream("/proc/self/oom_score_adj") << kBadlyMatchedScore;
}

Error UserError(const std::string& user, const char* doing) {
  return {ErrorCode::kIo, fmt::format("cannot become user {}: {}: {}", user, doing,
                                      std::generic_category().message(errno))};
}

}  // namespace

std::vector<std::string> EnterSandbox(const SandboxPlan& plan) {
  std::vector<std::string> layers;
  SetLimits(plan);
  layers.emplace_back("rlimits");
  if (!plan.enabled) return layers;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) layers.emplace_back("no-new-privs");
  if (const auto version = RestrictFiles({plan.writable_folders, plan.writable_files})) {
    layers.push_back(fmt::format("landlock-{}", *version));
  } else {
    LogWarning("{}: sessions can write wherever this user can", version.error().message());
  }
  if (const auto done = InstallSyscallFilter({plan.allow_processes, ::getpid()})) {
    layers.emplace_back(plan.allow_processes ? "seccomp-with-processes" : "seccomp");
  } else {
    LogWarning("{}: sessions can make any system call", done.error().message());
  }
  return layers;
}

Result<std::string> LeaveRoot(const std::string& user,
                              const std::vector<std::filesystem::path>& folders_to_hand_over) {
  std::string name = user;
  if (name.empty()) name = ::getpwnam("kenning") != nullptr ? "kenning" : "nobody";
  errno = 0;
  const passwd* entry = ::getpwnam(name.c_str());
  if (entry == nullptr) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("there is no user {}; name another with --user", name));
  }
  const uid_t uid = entry->pw_uid;
  const gid_t gid = entry->pw_gid;
  if (uid == 0) {
    return Fail(ErrorCode::kInvalidArgument,
                "--user root is no unprivileged user; --allow-root says that root is meant");
  }
  for (const auto& folder : folders_to_hand_over) {
    if (::lchown(folder.c_str(), uid, gid) != 0) return Fail(UserError(name, folder.c_str()));
  }
  if (::initgroups(name.c_str(), gid) != 0) return Fail(UserError(name, "groups"));
  if (::setresgid(gid, gid, gid) != 0) return Fail(UserError(name, "group"));
  if (::setresuid(uid, uid, uid) != 0) return Fail(UserError(name, "user"));
  // Another user's process may not look at its own executable, beside which the engines are.
  ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  if (::setuid(0) == 0) return Fail(ErrorCode::kInternal, "the way back to root is open");
  return name;
}

}  // namespace kenning::target
