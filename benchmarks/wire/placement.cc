// SPDX-License-Identifier: Apache-2.0
#include "placement.h"

#include <sched.h>

#include <cstdio>
#include <cstdlib>

namespace kenning::bench {
namespace {

int g_target_cpu = -1;

bool Pin(int cpu) {
  if (cpu < 0 || cpu >= CPU_SETSIZE) return false;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(cpu), &set);
  return ::sched_setaffinity(0, sizeof(set), &set) == 0;
}

}  // namespace

void SetPlacement(int host_cpu, int target_cpu) {
  if (!Pin(target_cpu) || !Pin(host_cpu)) {
    std::fprintf(stderr, "bench_wire: processors %d and %d cannot be used\n", host_cpu, target_cpu);
    std::exit(2);
  }
  g_target_cpu = target_cpu;
}

void TakeTargetPlace() {
  if (g_target_cpu >= 0) Pin(g_target_cpu);
}

}  // namespace kenning::bench
