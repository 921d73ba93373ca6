// SPDX-License-Identifier: Apache-2.0
/// \file
/// Which processor host and target run on. The same for every lane: a round trip between two
/// processors and one on a single processor differ by more than what is measured here.
#pragma once

namespace kenning::bench {

/// Keeps this process on a processor and what it starts from now on on another; ends the program
/// where that cannot be. Without it the system chooses.
void SetPlacement(int host_cpu, int target_cpu);
/// Called in a child, right after fork.
void TakeTargetPlace();

}  // namespace kenning::bench
