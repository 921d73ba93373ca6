// SPDX-License-Identifier: Apache-2.0
// For tests: a library with the functions of NVML that are used, of two GPUs. The first tells
// everything; the second tells neither power nor energy. KENNING_TEST_NVML=broken: no driver runs.
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {
constexpr int kNotSupported = 3;
constexpr int kDriverNotLoaded = 9;
unsigned long long energy_mj = 5000;
int devices[2] = {0, 1};

int IndexOf(const void* device) { return *static_cast<const int*>(device); }
}  // namespace

extern "C" {

int nvmlInit_v2() {
  const char* mode = std::getenv("KENNING_TEST_NVML");
  return mode != nullptr && std::string_view(mode) == "broken" ? kDriverNotLoaded : 0;
}
int nvmlShutdown() { return 0; }
const char* nvmlErrorString(int result) {
  return result == kDriverNotLoaded ? "Driver Not Loaded" : "Not Supported";
}
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = 2;
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  *device = &devices[index];
  return 0;
}
int nvmlDeviceGetName(void* device, char* name, unsigned length) {
  std::strncpy(name, IndexOf(device) == 0 ? "First" : "Second", length);
  return 0;
}
int nvmlDeviceGetUtilizationRates(void* device, unsigned* gpu_and_memory) {
  gpu_and_memory[0] = IndexOf(device) == 0 ? 42 : 0;
  gpu_and_memory[1] = 17;
  return 0;
}
int nvmlDeviceGetMemoryInfo(void* device, unsigned long long* total_free_used) {
  static_cast<void>(device);
  total_free_used[0] = 1000;
  total_free_used[1] = 750;
  total_free_used[2] = 250;
  return 0;
}
int nvmlDeviceGetTemperature(void* device, unsigned sensor, unsigned* degrees) {
  *degrees = sensor == 0 && IndexOf(device) == 0 ? 55 : 33;
  return 0;
}
int nvmlDeviceGetPowerUsage(void* device, unsigned* milliwatts) {
  *milliwatts = 70500;
  return IndexOf(device) == 0 ? 0 : kNotSupported;
}
int nvmlDeviceGetTotalEnergyConsumption(void* device, unsigned long long* millijoules) {
  energy_mj += 1500;
  *millijoules = energy_mj;
  return IndexOf(device) == 0 ? 0 : kNotSupported;
}
}
