// SPDX-License-Identifier: Apache-2.0
/// \file
/// Known targets: the file devices.json of the user (docs/formats/devices.md). It knows names and
/// parameters; what a protocol makes of them, the protocol's block knows.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "kenning/base/result.h"

namespace kenning {

/// A parameter as the file has it: JSON's scalars.
using DeviceValue = std::variant<bool, std::int64_t, double, std::string>;

/// What a target said when it was asked last.
struct DeviceSeen {
  std::string at;     ///< UTC, ISO 8601.
  std::string agent;  ///< "kenning-agent 0.5.0"; empty where it speaks Kenning's protocol alone.
  std::string cpu;
  std::vector<std::string> engines;
  std::string authentication;  ///< "none", "token", "tls", …
  bool operator==(const DeviceSeen&) const = default;
};

struct Device {
  std::string name;
  std::string protocol;  ///< Class of the block: "NetworkProtocol".
  std::map<std::string, DeviceValue> parameters;
  std::string note;
  std::optional<DeviceSeen> seen;
  bool operator==(const Device&) const = default;
};

/// $XDG_CONFIG_HOME/kenning/devices.json, else ~/.config/kenning/devices.json.
std::filesystem::path DevicesFile();

/// Letters, digits, '.', '_' and '-', at most 64, the first a letter or digit.
bool IsDeviceName(std::string_view name);

/// In the order of their names; none where there is no file. Strict: anything that the format does
/// not know is an error that names its place. \return kInvalidData, kIo, kResourceExhausted.
Result<std::vector<Device>> ReadDevices(const std::filesystem::path& file);
Result<std::vector<Device>> DevicesFromJson(std::string_view text, const std::string& file_name);
std::string DevicesToJson(const std::vector<Device>& devices);

/// Reads the file, lets `change` change the list, and writes it whole, readable by its owner alone.
/// Other processes that do the same wait. Nothing is written where `change` fails.
Result<> UpdateDevices(const std::filesystem::path& file,
                       const std::function<Result<>(std::vector<Device>&)>& change);

/// The device of that name in DevicesFile(). \return kNotFound with the nearest names, or an error
/// of ReadDevices.
Result<Device> FindDevice(const std::string& name);

}  // namespace kenning
