// SPDX-License-Identifier: Apache-2.0
/// \file
/// The state of machine and software at the start of a run.
#pragma once

#include "kenning/core/run_record.h"

namespace kenning {

/// Reads governor, load, time, own version and revision, and lists reasons to distrust the numbers
/// (high load, powersave governor, throttling).
Environment CaptureEnvironment(const PlatformInfo& platform);
/// Facts about this machine from /proc and /sys.
PlatformInfo DescribeHost();

}  // namespace kenning
