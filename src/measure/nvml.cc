// SPDX-License-Identifier: Apache-2.0
// NVIDIA's management library, loaded at run time. The few functions that are used are declared
// here after its public reference manual; nothing of its headers is needed to build.
#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <memory>
#include <mutex>

#include "measure/sensor_sources.h"

namespace kenning {
namespace {

using NvmlDevice = struct NvmlDeviceOpaque*;
constexpr int kNvmlSuccess = 0;
constexpr unsigned kNvmlTemperatureGpu = 0;
constexpr unsigned kMostGpus = 16;

struct NvmlUtilization {
  unsigned gpu;     // Percent of the last sample period with a kernel running.
  unsigned memory;  // Percent of it with memory being read or written.
};
struct NvmlMemory {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};

/// The library; stays initialised as long as a sensor of it lives.
class Nvml {
 public:
  /// Why it cannot be used; empty where it can.
  std::string Load(const std::string& name) {
    handle_ = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ == nullptr) return fmt::format("{} is not installed (no NVIDIA driver)", name);
    const bool all =
        Bind(init_, "nvmlInit_v2") && Bind(shutdown_, "nvmlShutdown") &&
        Bind(error_string_, "nvmlErrorString") && Bind(count_, "nvmlDeviceGetCount_v2") &&
        Bind(device_, "nvmlDeviceGetHandleByIndex_v2") && Bind(name_, "nvmlDeviceGetName") &&
        Bind(utilization_, "nvmlDeviceGetUtilizationRates") &&
        Bind(memory_, "nvmlDeviceGetMemoryInfo") &&
        Bind(temperature_, "nvmlDeviceGetTemperature") && Bind(power_, "nvmlDeviceGetPowerUsage") &&
        Bind(energy_, "nvmlDeviceGetTotalEnergyConsumption");
    if (!all) return fmt::format("{} lacks functions that are needed: update the driver", name);
    const int result = init_();
    if (result != kNvmlSuccess) return fmt::format("{}: {}", name, error_string_(result));
    initialised_ = true;
    return "";
  }
  Nvml() = default;
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;
  // The library itself stays: NVIDIA's does not like to be unloaded.
  ~Nvml() {
    if (initialised_) shutdown_();
  }

  unsigned Count() const {
    unsigned count = 0;
    return count_(&count) == kNvmlSuccess ? std::min(count, kMostGpus) : 0;
  }
  NvmlDevice Device(unsigned index) const {
    NvmlDevice device = nullptr;
    return device_(index, &device) == kNvmlSuccess ? device : nullptr;
  }
  std::string Name(NvmlDevice device) const {
    std::array<char, 96> name{};
    if (name_(device, name.data(), name.size() - 1) != kNvmlSuccess) return "GPU";
    return name.data();
  }
  /// Every value and what the library says where there is none.
  int Utilization(NvmlDevice device, NvmlUtilization& out) const {
    return utilization_(device, &out);
  }
  int Memory(NvmlDevice device, NvmlMemory& out) const { return memory_(device, &out); }
  int Temperature(NvmlDevice device, unsigned& out) const {
    return temperature_(device, kNvmlTemperatureGpu, &out);
  }
  int Power(NvmlDevice device, unsigned& milliwatts) const { return power_(device, &milliwatts); }
  int Energy(NvmlDevice device, unsigned long long& millijoules) const {
    return energy_(device, &millijoules);
  }
  std::string ErrorText(int result) const { return error_string_(result); }

 private:
  template <typename Function>
  bool Bind(Function& function, const char* symbol) {
    function = reinterpret_cast<Function>(::dlsym(handle_, symbol));
    return function != nullptr;
  }

  void* handle_ = nullptr;
  bool initialised_ = false;
  int (*init_)() = nullptr;
  int (*shutdown_)() = nullptr;
  const char* (*error_string_)(int) = nullptr;
  int (*count_)(unsigned*) = nullptr;
  int (*device_)(unsigned, NvmlDevice*) = nullptr;
  int (*name_)(NvmlDevice, char*, unsigned) = nullptr;
  int (*utilization_)(NvmlDevice, NvmlUtilization*) = nullptr;
  int (*memory_)(NvmlDevice, NvmlMemory*) = nullptr;
  int (*temperature_)(NvmlDevice, unsigned, unsigned*) = nullptr;
  int (*power_)(NvmlDevice, unsigned*) = nullptr;
  int (*energy_)(NvmlDevice, unsigned long long*) = nullptr;
};

/// Adds what the device tells; the first call decides whether it does.
class Gpu {
 public:
  Gpu(SourceList& list, std::shared_ptr<Nvml> nvml, unsigned index, NvmlDevice device)
      : list_(list),
        nvml_(std::move(nvml)),
        device_(device),
        name_(fmt::format("gpu{} {}", index, nvml_->Name(device))) {}

  void AddAll() {
    const auto nvml = nvml_;
    NvmlDevice const device = device_;
    Add(SensorKind::kUtilization, 1, 0.1, [nvml, device](double& value) {
      NvmlUtilization utilization{};
      const int result = nvml->Utilization(device, utilization);
      value = utilization.gpu;
      return result;
    });
    Add(SensorKind::kMemory, 0, 0, [nvml, device](double& value) {
      NvmlMemory memory{};
      const int result = nvml->Memory(device, memory);
      value = memory.total == 0
                  ? kNoValue
                  : 100 * static_cast<double>(memory.used) / static_cast<double>(memory.total);
      return result;
    });
    Add(SensorKind::kTemperature, 1, 0, [nvml, device](double& value) {
      unsigned degrees = 0;
      const int result = nvml->Temperature(device, degrees);
      value = degrees;
      return result;
    });
    Add(SensorKind::kPower, 0.001, 0.1, [nvml, device](double& value) {
      unsigned milliwatts = 0;
      const int result = nvml->Power(device, milliwatts);
      value = milliwatts * 1e-3;
      return result;
    });
    auto counter = std::make_shared<EnergyCounter>(0);
    Add(SensorKind::kEnergy, 0.001, 0.1, [nvml, device, counter](double& value) {
      unsigned long long millijoules = 0;
      const int result = nvml->Energy(device, millijoules);
      if (result == kNvmlSuccess) value = counter->Update(static_cast<double>(millijoules) * 1e3);
      return result;
    });
  }

 private:
  template <typename Read>
  void Add(SensorKind kind, double resolution, double refresh_s, Read read) {
    Sensor sensor{name_, kind, "nvml", "", resolution, refresh_s};
    double first = kNoValue;
    if (const int result = read(first); result != kNvmlSuccess) {
      return list_.AddMissing(std::move(sensor), nvml_->ErrorText(result));
    }
    list_.Add(std::move(sensor), [read] {
      double now = kNoValue;
      return read(now) == kNvmlSuccess ? now : kNoValue;
    });
  }

  SourceList& list_;
  std::shared_ptr<Nvml> nvml_;
  NvmlDevice device_;
  std::string name_;
};

}  // namespace

void AddNvml(SourceList& list, const std::string& library) {
  if (library.empty()) return;
  auto nvml = std::make_shared<Nvml>();
  if (std::string why = nvml->Load(library); !why.empty()) {
    return list.AddMissing({"gpu", SensorKind::kUtilization, "nvml", "", 0, 0}, std::move(why));
  }
  const unsigned count = nvml->Count();
  if (count == 0) {
    list.AddMissing({"gpu", SensorKind::kUtilization, "nvml", "", 0, 0},
                    "the NVIDIA driver shows no GPU");
  }
  for (unsigned i = 0; i < count; ++i) {
    if (NvmlDevice const device = nvml->Device(i); device != nullptr) {
      Gpu(list, nvml, i, device).AddAll();
    }
  }
}

}  // namespace kenning
