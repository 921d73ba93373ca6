// SPDX-License-Identifier: Apache-2.0
#include "tvm_threads.h"

#include <sched.h>
#include <tvm/ffi/function.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>

// TVM's headers for this are not in its package; the library exports it.
namespace tvm::runtime::threading {
void SetMaxConcurrency(int value);
}  // namespace tvm::runtime::threading

namespace kenning::tvm_engine {
namespace {

/// TVM's name for "the fastest cores".
constexpr int kBigCores = 1;

}  // namespace

int AvailableProcessors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

void PrepareThreads() {
  static std::once_flag once;
  std::call_once(once, [] {
    // Bound threads of two sessions would share cores that others leave idle.
    ::setenv("TVM_BIND_THREADS", "0", 0);
    // TVM's own default is half of the processors. SetMaxConcurrency alone does not enlarge the
    // pools, which ask the environment when they are made: on two processors one thread did all the
    // work.
    const int known = static_cast<int>(std::thread::hardware_concurrency());
    const int most = std::max(AvailableProcessors(), known);
    ::setenv("TVM_NUM_THREADS", std::to_string(most).c_str(), 0);
    tvm::runtime::threading::SetMaxConcurrency(most);
  });
}

void UseThreads(int count) {
  thread_local int current = 0;
  if (current == count) return;
  static const tvm::ffi::Function configure =
      tvm::ffi::Function::GetGlobalRequired("runtime.config_threadpool");
  configure(kBigCores, count);
  current = count;
}

}  // namespace kenning::tvm_engine
