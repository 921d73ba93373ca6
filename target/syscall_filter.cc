// SPDX-License-Identifier: Apache-2.0
#include "syscall_filter.h"

#include <fmt/format.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <span>
#include <system_error>

namespace kenning::target {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t kArchitecture = 0;
#endif

// Of the 32-bit ABI that shares numbers with the 64-bit one.
constexpr std::uint32_t kX32Bit = 0x40000000;

// clang-format off
constexpr int kAllowed[] = {
    // Files.
    __NR_read, __NR_write, __NR_openat, __NR_close, __NR_fstat, __NR_newfstatat, __NR_statx,
    __NR_lseek, __NR_pread64, __NR_pwrite64, __NR_readv, __NR_writev, __NR_preadv, __NR_pwritev,
    __NR_preadv2, __NR_pwritev2, __NR_faccessat, __NR_faccessat2, __NR_dup, __NR_dup3, __NR_pipe2,
    __NR_fcntl, __NR_flock, __NR_fsync, __NR_fdatasync, __NR_truncate, __NR_ftruncate,
    __NR_fallocate, __NR_getdents64, __NR_getcwd, __NR_chdir, __NR_fchdir, __NR_renameat2,
    __NR_mkdirat, __NR_linkat, __NR_unlinkat, __NR_symlinkat, __NR_readlinkat, __NR_fchmod,
    __NR_fchmodat, __NR_umask, __NR_utimensat, __NR_statfs, __NR_fstatfs, __NR_sendfile,
    __NR_copy_file_range, __NR_fadvise64, __NR_readahead, __NR_close_range, __NR_memfd_create,
    __NR_sync_file_range,
    // Memory.
    __NR_brk, __NR_mmap, __NR_munmap, __NR_mprotect, __NR_mremap, __NR_msync, __NR_mincore,
    __NR_madvise, __NR_mlock, __NR_mlock2, __NR_munlock, __NR_mlockall, __NR_munlockall,
    __NR_pkey_alloc, __NR_pkey_free, __NR_pkey_mprotect, __NR_mbind, __NR_get_mempolicy,
    __NR_set_mempolicy, __NR_membarrier,
    // Threads and time.
    __NR_futex, __NR_set_robust_list, __NR_get_robust_list, __NR_set_tid_address, __NR_rseq,
    __NR_exit, __NR_exit_group, __NR_gettid, __NR_getpid, __NR_getppid, __NR_sched_yield,
    __NR_sched_getaffinity, __NR_sched_setaffinity, __NR_sched_getparam, __NR_sched_getscheduler,
    __NR_sched_setscheduler, __NR_sched_getattr, __NR_sched_get_priority_max,
    __NR_sched_get_priority_min, __NR_getpriority, __NR_nanosleep, __NR_clock_nanosleep,
    __NR_clock_gettime, __NR_clock_getres, __NR_gettimeofday, __NR_times, __NR_getrusage,
    __NR_getitimer, __NR_setitimer, __NR_timer_create, __NR_timer_settime, __NR_timer_gettime,
    __NR_timer_getoverrun, __NR_timer_delete, __NR_timerfd_create, __NR_timerfd_settime,
    __NR_timerfd_gettime, __NR_getcpu, __NR_restart_syscall, __NR_wait4, __NR_waitid,
    // Waiting.
    __NR_ppoll, __NR_pselect6, __NR_epoll_create1, __NR_epoll_ctl, __NR_epoll_pwait,
    __NR_eventfd2, __NR_signalfd4,
    // Signals to oneself.
    __NR_rt_sigaction, __NR_rt_sigprocmask, __NR_rt_sigreturn, __NR_rt_sigpending,
    __NR_rt_sigtimedwait, __NR_rt_sigsuspend, __NR_sigaltstack,
    // The socket that is there.
    __NR_sendto, __NR_recvfrom, __NR_sendmsg, __NR_recvmsg, __NR_shutdown, __NR_getsockname,
    __NR_getpeername, __NR_getsockopt, __NR_setsockopt, __NR_socketpair,
    // Who and where.
    __NR_getuid, __NR_geteuid, __NR_getgid, __NR_getegid, __NR_getresuid, __NR_getresgid,
    __NR_getgroups, __NR_uname, __NR_sysinfo, __NR_getrandom, __NR_prctl, __NR_capget,
    __NR_getpgid, __NR_getsid,
#if defined(__x86_64__)
    __NR_open, __NR_stat, __NR_lstat, __NR_access, __NR_dup2, __NR_pipe, __NR_getdents,
    __NR_rename, __NR_renameat, __NR_mkdir, __NR_rmdir, __NR_link, __NR_unlink, __NR_symlink,
    __NR_readlink, __NR_chmod, __NR_utime, __NR_futimesat, __NR_creat, __NR_poll, __NR_select,
    __NR_epoll_create, __NR_epoll_wait, __NR_eventfd, __NR_signalfd, __NR_alarm, __NR_pause,
    __NR_time, __NR_getrlimit, __NR_getpgrp, __NR_arch_prctl,
#endif
};

constexpr int kRefused[] = {
    __NR_socket, __NR_connect, __NR_bind, __NR_listen, __NR_accept, __NR_accept4,
    __NR_perf_event_open, __NR_io_uring_setup, __NR_io_uring_enter, __NR_io_uring_register,
    __NR_tkill, __NR_pidfd_open, __NR_pidfd_send_signal, __NR_pidfd_getfd, __NR_setpriority,
    __NR_personality,
};

constexpr int kDeadly[] = {
    __NR_ptrace, __NR_process_vm_readv, __NR_process_vm_writev, __NR_mount, __NR_umount2,
    __NR_pivot_root, __NR_chroot, __NR_move_mount, __NR_open_tree, __NR_fsopen, __NR_fsconfig,
    __NR_fsmount, __NR_setns, __NR_unshare, __NR_setuid, __NR_setgid, __NR_setreuid,
    __NR_setregid, __NR_setresuid, __NR_setresgid, __NR_setgroups, __NR_setfsuid, __NR_setfsgid,
    __NR_capset, __NR_init_module, __NR_finit_module, __NR_delete_module, __NR_kexec_load,
    __NR_bpf, __NR_userfaultfd, __NR_add_key, __NR_request_key, __NR_keyctl, __NR_reboot,
    __NR_swapon, __NR_swapoff, __NR_acct, __NR_quotactl, __NR_settimeofday, __NR_clock_settime,
    __NR_adjtimex, __NR_sethostname, __NR_setdomainname, __NR_open_by_handle_at,
#if defined(__x86_64__)
    __NR_iopl, __NR_ioperm, __NR_kexec_file_load, __NR_modify_ldt,
#endif
};

constexpr int kExec[] = {__NR_execve, __NR_execveat};

/// What toolchains in child processes need besides.
constexpr int kForProcesses[] = {
    __NR_clone, __NR_execve, __NR_execveat, __NR_kill, __NR_tgkill, __NR_tkill, __NR_setpgid,
    __NR_setsid, __NR_pidfd_open, __NR_pidfd_send_signal, __NR_prlimit64, __NR_ioctl,
    __NR_setpriority, __NR_personality,
#if defined(__x86_64__)
    __NR_fork, __NR_vfork,
#endif
};
// clang-format on

constexpr std::uint32_t kErrno = SECCOMP_RET_ERRNO;

/// Builds the program; every block that matches a number ends with a verdict.
class FilterBuilder {
 public:
  FilterBuilder() {
    Load(offsetof(seccomp_data, arch));
    IfNot(kArchitecture, SECCOMP_RET_KILL_PROCESS);
    Load(offsetof(seccomp_data, nr));
#if defined(__x86_64__)
    program_.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, kX32Bit, 0, 1));
    Return(SECCOMP_RET_KILL_PROCESS);
#endif
  }
  void Verdict(std::span<const int> numbers, std::uint32_t verdict) {
    for (const int number : numbers) {
      program_.push_back(Jump(BPF_JEQ, static_cast<std::uint32_t>(number), 0, 1));
      Return(verdict);
    }
  }
  /// Allowed where argument `index` has `value`, else `otherwise`.
  void AllowIfEqual(int number, std::size_t index, std::uint32_t value, std::uint32_t otherwise) {
    program_.push_back(Jump(BPF_JEQ, static_cast<std::uint32_t>(number), 0, 4));
    LoadArgument(index);
    program_.push_back(Jump(BPF_JEQ, value, 0, 1));
    Return(SECCOMP_RET_ALLOW);
    Return(otherwise);
  }
  /// Refused where argument `index` has one of two values, else allowed.
  void RefuseIfEither(int number, std::size_t index, std::uint32_t a, std::uint32_t b) {
    program_.push_back(Jump(BPF_JEQ, static_cast<std::uint32_t>(number), 0, 5));
    LoadArgument(index);
    program_.push_back(Jump(BPF_JEQ, a, 1, 0));
    program_.push_back(Jump(BPF_JEQ, b, 0, 1));
    Return(kErrno | EPERM);
    Return(SECCOMP_RET_ALLOW);
  }
  void AllowIfAnyBit(int number, std::size_t index, std::uint32_t bits) {
    program_.push_back(Jump(BPF_JEQ, static_cast<std::uint32_t>(number), 0, 4));
    LoadArgument(index);
    program_.push_back(Jump(BPF_JSET, bits, 0, 1));
    Return(SECCOMP_RET_ALLOW);
    Return(kErrno | EPERM);
  }
  std::vector<sock_filter> Finish(std::uint32_t verdict) {
    Return(verdict);
    return std::move(program_);
  }

 private:
  static sock_filter Jump(std::uint16_t test, std::uint32_t value, std::uint8_t if_true,
                          std::uint8_t if_false) {
    return {static_cast<std::uint16_t>(BPF_JMP | test | BPF_K), if_true, if_false, value};
  }
  void Load(std::size_t offset) {
    program_.push_back({BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(offset)});
  }
  /// The lower half, on little-endian machines.
  void LoadArgument(std::size_t index) {
    Load(offsetof(seccomp_data, args) + index * sizeof(std::uint64_t));
  }
  void Return(std::uint32_t verdict) { program_.push_back({BPF_RET | BPF_K, 0, 0, verdict}); }
  void IfNot(std::uint32_t value, std::uint32_t verdict) {
    program_.push_back(Jump(BPF_JEQ, value, 1, 0));
    Return(verdict);
  }
  std::vector<sock_filter> program_;
};

}  // namespace

Result<std::vector<sock_filter>> MakeSyscallFilter(const FilterOptions& options) {
  if (kArchitecture == 0) {
    return Fail(ErrorCode::kUnsupported, "no filter of system calls for this architecture");
  }
  FilterBuilder filter;
  const auto own = static_cast<std::uint32_t>(options.own_pid);
  if (options.allow_processes) filter.Verdict(kForProcesses, SECCOMP_RET_ALLOW);
  filter.Verdict(kAllowed, SECCOMP_RET_ALLOW);
  filter.AllowIfAnyBit(__NR_clone, 0, CLONE_THREAD);
  // Its flags lie in memory, where a filter cannot look: the C library falls back to clone.
  constexpr int kClone3[] = {__NR_clone3};
  filter.Verdict(kClone3, kErrno | ENOSYS);
  // Bytes put into a terminal's input would be commands of whoever started the agent.
  filter.RefuseIfEither(__NR_ioctl, 1, TIOCSTI, TIOCLINUX);
  for (const int number : {__NR_kill, __NR_tgkill, __NR_rt_sigqueueinfo, __NR_rt_tgsigqueueinfo}) {
    filter.AllowIfEqual(number, 0, own, kErrno | EPERM);
  }
  filter.AllowIfEqual(__NR_prlimit64, 0, 0, kErrno | EPERM);
  filter.Verdict(kRefused, kErrno | EPERM);
  filter.Verdict(kDeadly, SECCOMP_RET_KILL_PROCESS);
  filter.Verdict(kExec, SECCOMP_RET_KILL_PROCESS);
  return filter.Finish(kErrno | ENOSYS);
}

Result<> InstallSyscallFilter(const FilterOptions& options) {
  KENNING_ASSIGN_OR_RETURN(std::vector<sock_filter> filter, MakeSyscallFilter(options));
  const sock_fprog program = {static_cast<unsigned short>(filter.size()), filter.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
      ::syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0) {
    return {};
  }
  return Fail(ErrorCode::kUnsupported,
              fmt::format("no filter of system calls: {}", std::generic_category().message(errno)));
}

}  // namespace kenning::target
