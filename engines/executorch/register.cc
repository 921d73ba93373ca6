// SPDX-License-Identifier: Apache-2.0
// Descriptors: what `kenning list`, `info` and the scenario check know without loading ExecuTorch.
#include "kenning/base/check.h"
#include "kenning/registry/common_params.h"
#include "kenning/registry/engine_module.h"

namespace kenning {
namespace {

constexpr const char* kEngine = "executorch";

Availability Probe() {
  Availability found = ProbeEngine(kEngine);
  if (!found.available) {
    found.reason += "; to build it: scripts/fetch-deps executorch, then configure and build again";
  }
  return found;
}

ParamSchema RuntimeSchema() {
  return {{
      SaveModelPathParam(),
      {.name = "num_threads",
       .type = ParamType::kInt,
       .description = "Threads of operators and of XNNPACK; 0 takes ExecuTorch's own choice. All "
                      "sessions of a process with more than one thread share them.",
       .default_value = ParamValue{std::int64_t{0}},
       .minimum = 0,
       .maximum = 1024},
      BatchSizeParam(),
      {.name = "image_memory_layout",
       .type = ParamType::kString,
       .description = "Accepted for Kenning's scenarios; the model's specification decides.",
       .default_value = ParamValue{std::string("NCHW")},
       .allowed = {"NCHW", "NHWC"}},
      DisableMeasurementsParam(),
  }};
}

}  // namespace

void RegisterExecuTorchEngine(Registry& registry) {
  BlockInfo runtime;
  runtime.category = BlockCategory::kRuntime;
  runtime.name = "ExecuTorchRuntime";
  runtime.aliases = {"kenning.runtimes.executorch.ExecuTorchRuntime"};
  runtime.summary = "Runs programs of ExecuTorch on the CPU, in process, with XNNPACK.";
  runtime.schema = RuntimeSchema();
  runtime.engine = kEngine;
  runtime.accepts = {"executorch"};
  runtime.probe = Probe;
  runtime.make_runtime = LazyRuntime(kEngine, runtime.name);
  KENNING_CHECK(registry.Add(std::move(runtime)).has_value());
  registry.AddInspector({.format = "executorch",
                         .extensions = {".pte"},
                         .inspect = LazyInspector(kEngine, "executorch")});
}

}  // namespace kenning
