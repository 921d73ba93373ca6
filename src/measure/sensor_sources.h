// SPDX-License-Identifier: Apache-2.0
/// \file
/// Where sensors come from: one function a place. Internal to this folder.
#pragma once

#include <functional>
#include <limits>
#include <utility>

#include "measure/kept_file.h"
#include "measure/sensors.h"

namespace kenning {

inline constexpr double kNoValue = std::numeric_limits<double>::quiet_NaN();

/// Collects sensors with the function that reads each; called with no more files than may be open.
class SourceList {
 public:
  SourceList(std::filesystem::path root, int most_files)
      : root_(std::move(root)), files_left_(most_files) {}

  /// Below the root: "sys/class/hwmon".
  std::filesystem::path Path(const std::filesystem::path& relative) const {
    return root_ / relative;
  }
  /// As people know it: "/sys/class/hwmon/…", whatever the root.
  std::string Shown(const std::filesystem::path& path) const;

  /// Opens within the limit of open files.
  KeptFile Open(const std::filesystem::path& path);
  bool Exists(const std::filesystem::path& path) const;

  void Add(Sensor sensor, std::function<double()> read);
  void AddMissing(Sensor sensor, std::string reason);
  /// A file with one number, times `factor`, within `least` and `most` (else NaN). Where the file
  /// cannot be opened or holds no number now, the sensor is listed as missing, with the reason.
  void AddFile(Sensor sensor, const std::filesystem::path& path, double factor, double least,
               double most);
  /// Why a file that is there could not be opened, and what to do.
  std::string WhyNot(const std::filesystem::path& path, int error) const;

  std::vector<Sensor> sensors;
  std::vector<std::function<double()>> reads;  ///< Empty function: missing.

 private:
  std::filesystem::path root_;
  int files_left_;
};

void AddTemperatures(SourceList& list);
void AddFrequencies(SourceList& list);
void AddThrottling(SourceList& list);
void AddPowercap(SourceList& list);
void AddHwmon(SourceList& list);
void AddIio(SourceList& list);
void AddPowerSupplies(SourceList& list);
void AddNvml(SourceList& list, const std::string& library);

}  // namespace kenning
