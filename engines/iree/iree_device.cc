// SPDX-License-Identifier: Apache-2.0
#include "iree_device.h"

#include <iree/async/util/proactor_pool.h>
#include <iree/hal/drivers/local_sync/sync_device.h>
#include <iree/hal/drivers/local_task/task_device.h>
#include <iree/hal/local/executable_plugin_manager.h>
#include <iree/hal/local/loaders/embedded_elf_loader.h>
#include <iree/hal/local/loaders/vmvx_module_loader.h>
#include <iree/task/executor.h>
#include <iree/task/topology.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <vector>

namespace kenning::iree {
namespace {

using LoaderPtr = Owner<iree_hal_executable_loader_t, iree_hal_executable_loader_release>;
using PluginsPtr =
    Owner<iree_hal_executable_plugin_manager_t, iree_hal_executable_plugin_manager_release>;
using AllocatorPtr = Owner<iree_hal_allocator_t, iree_hal_allocator_release>;
using ExecutorPtr = Owner<iree_task_executor_t, iree_task_executor_release>;
using PoolPtr = Owner<iree_async_proactor_pool_t, iree_async_proactor_pool_release>;

// A worker's stack: the compiler lets a tile of quantised models take up to 128 kB of it, which is
// all that IREE gives by default. Only what is touched takes memory.
constexpr iree_host_size_t kWorkerStackBytes = iree_host_size_t{2} << 20;
constexpr iree_host_size_t kWorkerLocalBytes = iree_host_size_t{256} << 10;

Result<> Check(iree_status_t status) {
  return ToResult(status, ErrorCode::kEngineFailure, "making a device");
}

int CoresOfThisProcess() {
  const auto topology = std::make_unique<iree_task_topology_t>();
  iree_task_topology_initialize(topology.get());
  const iree_status_t status = iree_task_topology_initialize_from_physical_cores(
      IREE_TASK_TOPOLOGY_NODE_ID_ANY, IREE_TASK_TOPOLOGY_PERFORMANCE_LEVEL_ANY,
      IREE_TASK_TOPOLOGY_DISTRIBUTION_COMPACT, 64, topology.get());
  int cores = iree_status_is_ok(status)
                  ? static_cast<int>(iree_task_topology_group_count(topology.get()))
                  : 64;
  iree_status_free(status);
  iree_task_topology_deinitialize(topology.get());
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof(allowed), &allowed) == 0) {
    cores = std::min(cores, CPU_COUNT(&allowed));
  }
  return std::max(cores, 1);
}

/// Loaders of machine code that lies in the module itself, and of IREE's portable bytecode.
Result<std::vector<LoaderPtr>> MakeLoaders(iree_allocator_t allocator) {
  iree_hal_executable_plugin_manager_t* plugins = nullptr;
  KENNING_RETURN_IF_ERROR(Check(iree_hal_executable_plugin_manager_create(0, allocator, &plugins)));
  const PluginsPtr owned_plugins(plugins);
  std::vector<LoaderPtr> loaders;
  iree_hal_executable_loader_t* loader = nullptr;
  KENNING_RETURN_IF_ERROR(Check(iree_hal_embedded_elf_loader_create(plugins, allocator, &loader)));
  loaders.emplace_back(loader);
  KENNING_RETURN_IF_ERROR(
      Check(iree_hal_vmvx_module_loader_create_isolated(0, nullptr, allocator, &loader)));
  loaders.emplace_back(loader);
  return loaders;
}

Result<ExecutorPtr> MakeExecutor(int threads, iree_allocator_t allocator) {
  iree_task_executor_options_t options;
  iree_task_executor_options_initialize(&options);
  options.worker_stack_size = kWorkerStackBytes;
  options.worker_local_memory_size = kWorkerLocalBytes;
  const auto topology = std::make_unique<iree_task_topology_t>();
  // Threads without a fixed core: two sessions would otherwise sit on the same ones.
  iree_task_topology_initialize_from_group_count(static_cast<iree_host_size_t>(threads),
                                                 topology.get());
  iree_task_executor_t* executor = nullptr;
  const iree_status_t status =
      iree_task_executor_create(options, topology.get(), allocator, &executor);
  iree_task_topology_deinitialize(topology.get());
  KENNING_RETURN_IF_ERROR(Check(status));
  return ExecutorPtr(executor);
}

}  // namespace

std::string DriverFor(const DeviceSettings& settings) {
  if (!settings.driver.empty()) return settings.driver;
  return settings.num_threads == 1 ? "local-sync" : "local-task";
}

Result<DevicePtr> MakeDevice(const DeviceSettings& settings) {
  const iree_allocator_t allocator = iree_allocator_system();
  const std::string driver = DriverFor(settings);
  KENNING_ASSIGN_OR_RETURN(const std::vector<LoaderPtr> loaders, MakeLoaders(allocator));
  std::vector<iree_hal_executable_loader_t*> raw_loaders;
  for (const LoaderPtr& loader : loaders) raw_loaders.push_back(loader.get());

  iree_hal_allocator_t* heap = nullptr;
  KENNING_RETURN_IF_ERROR(
      Check(iree_hal_allocator_create_heap(ToIree("local"), allocator, allocator, &heap)));
  const AllocatorPtr owned_heap(heap);
  iree_async_proactor_pool_t* pool = nullptr;
  KENNING_RETURN_IF_ERROR(Check(iree_async_proactor_pool_create(
      1, nullptr, iree_async_proactor_pool_options_default(), allocator, &pool)));
  const PoolPtr owned_pool(pool);
  iree_hal_device_create_params_t create_params = iree_hal_device_create_params_default();
  create_params.proactor_pool = pool;

  iree_hal_device_t* device = nullptr;
  if (driver == "local-sync") {
    iree_hal_sync_device_params_t params;
    iree_hal_sync_device_params_initialize(&params);
    KENNING_RETURN_IF_ERROR(Check(
        iree_hal_sync_device_create(ToIree(driver), &params, &create_params, raw_loaders.size(),
                                    raw_loaders.data(), heap, allocator, &device)));
    return DevicePtr(device);
  }
  const int threads = settings.num_threads > 0 ? settings.num_threads : CoresOfThisProcess();
  KENNING_ASSIGN_OR_RETURN(const ExecutorPtr executor, MakeExecutor(threads, allocator));
  const std::array<iree_task_executor_t*, 1> executors = {executor.get()};
  iree_hal_task_device_params_t params;
  iree_hal_task_device_params_initialize(&params);
  KENNING_RETURN_IF_ERROR(Check(iree_hal_task_device_create(
      ToIree(driver), &params, executors.size(), executors.data(), raw_loaders.size(),
      raw_loaders.data(), heap, &create_params, allocator, &device)));
  return DevicePtr(device);
}

}  // namespace kenning::iree
