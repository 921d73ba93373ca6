// SPDX-License-Identifier: Apache-2.0
/// \file
/// What `kenning devices` does with the known targets (transport/devices.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/target_address.h"
#include "transport/devices.h"

namespace kenning {

/// What came out when a device was asked what it is.
struct DeviceProbe {
  std::string name;
  bool reachable = false;
  bool busy = false;  ///< It serves another client.
  bool native = false;
  std::string problem;  ///< Why nothing more is known; empty where it is.
  std::optional<DeviceSeen> seen;
  std::int64_t round_trip_ns = 0;  ///< The shortest of a few; 0: not measured.
};

/// Asks each device, all at the same time, and waits for none longer than about `timeout_s`.
std::vector<DeviceProbe> ProbeDevices(const std::vector<Device>& devices, double timeout_s,
                                      AppContext& context);
/// Keeps what was seen in the devices' file. Devices that were removed meanwhile stay removed.
Result<> KeepSeen(const std::vector<DeviceProbe>& probes);

/// Checks the device's parameters with its protocol, and adds it to the file. \return
/// kInvalidArgument for a name that is none or is taken (unless `replace`), errors of the block.
Result<> AddDevice(const Device& device, bool replace, AppContext& context);
/// \return kNotFound.
Result<> RemoveDevice(const std::string& name);

/// Columns for people.
std::string DevicesTable(const std::vector<Device>& devices);
std::string DescribeDevice(const Device& device);
std::string ProbesTable(const std::vector<DeviceProbe>& probes);
std::string ProbesToJson(const std::vector<DeviceProbe>& probes);

/// "tcp://10.0.0.7:12345", "/dev/ttyUSB0 at 115200 baud".
std::string AddressOf(const Device& device);

}  // namespace kenning
