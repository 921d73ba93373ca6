// SPDX-License-Identifier: Apache-2.0
/// \file
/// The devices of this build of IREE: the CPU, with and without threads of IREE's own.
#pragma once

#include <string>

#include "iree_api.h"

namespace kenning::iree {

struct DeviceSettings {
  /// "local-sync", "local-task", or empty: what fits the number of threads.
  std::string driver;
  /// 0: as many as there are physical cores that this process may use.
  int num_threads = 0;
};

/// "local-sync" where one thread is enough, else "local-task".
std::string DriverFor(const DeviceSettings& settings);
/// A device of its own, so that sessions share no threads. \return kEngineFailure.
Result<DevicePtr> MakeDevice(const DeviceSettings& settings);

}  // namespace kenning::iree
