// SPDX-License-Identifier: Apache-2.0
#include "session_page.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <new>

#include "kenning/base/check.h"

namespace kenning::target {
namespace {

SessionPage* g_page = nullptr;

const void* ProgramCounter(const void* context) {
  const auto* machine = &static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return reinterpret_cast<const void*>(machine->gregs[REG_RIP]);
#elif defined(__aarch64__)
  return reinterpret_cast<const void*>(machine->pc);
#else
  static_cast<void>(machine);
  return nullptr;
#endif
}

/// Appends without allocation: the heap may be what broke.
void Append(std::array<char, 256>& text, std::size_t& at, const char* part) {
  while (*part != '\0' && at + 1 < text.size()) text[at++] = *part++;
}

const char* LastPart(const char* path) {
  const char* slash = std::strrchr(path, '/');
  return slash == nullptr ? path : slash + 1;
}

/// Of the innermost frame that is not of the C or C++ library, which only carry out an abort; else
/// of the instruction itself.
Dl_info FindFault(const void* context) {
  constexpr int kHandlerFrames = 2;  // This handler, and what the kernel returns to.
  std::array<void*, 48> frames{};
  Dl_info where{};
  const int count = ::backtrace(frames.data(), static_cast<int>(frames.size()));
  for (int i = kHandlerFrames; i < count; ++i) {
    if (::dladdr(frames[static_cast<std::size_t>(i)], &where) == 0) continue;
    const char* file = where.dli_fname == nullptr ? "" : LastPart(where.dli_fname);
    bool support = false;
    for (const char* library : {"libc.so", "libc-", "libpthread", "libstdc++", "libgcc"}) {
      support = support || std::strncmp(file, library, std::strlen(library)) == 0;
    }
    if (!support) return where;
  }
  where = {};
  ::dladdr(ProgramCounter(context), &where);
  return where;
}

extern "C" void OnFatalSignal(int signal, siginfo_t* /*info*/, void* context) {
  // Once only: a fault in here must end the process, too.
  std::signal(signal, SIG_DFL);
  ::alarm(1);
  std::array<char, 256> text{};
  std::size_t at = 0;
  // Best effort: the loader's lock may be taken, which the alarm above bounds.
  const Dl_info where = FindFault(context);
  if (where.dli_fname != nullptr) {
    if (where.dli_sname != nullptr) {
      Append(text, at, where.dli_sname);
      Append(text, at, " of ");
    }
    Append(text, at, LastPart(where.dli_fname));
  }
  g_page->fault.Set({text.data(), at});
  ::raise(signal);
}

}  // namespace

void SharedSessionPage::Unmap::operator()(SessionPage* page) const {
  ::munmap(page, sizeof(SessionPage));
}

Result<SharedSessionPage> SharedSessionPage::Create() {
  void* memory = ::mmap(nullptr, sizeof(SessionPage), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return Fail(ErrorCode::kResourceExhausted, "no shared memory");
  return SharedSessionPage(new (memory) SessionPage);
}

void NoteFatalSignals(SessionPage* page) {
  g_page = page;
  // The first call loads a library, which the handler must not.
  std::array<void*, 1> frame{};
  ::backtrace(frame.data(), 1);
  // A stack of its own: an overflow of the other is among the faults.
  static std::array<std::byte, 65536> stack;
  stack_t alternative{};
  alternative.ss_sp = stack.data();
  alternative.ss_size = stack.size();
  KENNING_CHECK(::sigaltstack(&alternative, nullptr) == 0);
  struct sigaction action {};
  action.sa_sigaction = OnFatalSignal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) {
    ::sigaction(signal, &action, nullptr);
  }
}

}  // namespace kenning::target
