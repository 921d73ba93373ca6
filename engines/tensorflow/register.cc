// SPDX-License-Identifier: Apache-2.0
// Descriptors: what is known of TensorFlow without loading it.
#include <cstdlib>

#include "kenning/base/check.h"
#include "kenning/registry/common_params.h"
#include "kenning/registry/engine_module.h"
#include "kenning/toolchain/toolchain.h"

namespace kenning {
namespace {

constexpr const char* kEngine = "tensorflow";

Availability Probe() {
  Availability module = ProbeEngine(kEngine);
  if (!module.available) return module;
  const char* root = std::getenv("TENSORFLOW_ROOT");
  if (root != nullptr && *root != '\0') return {};
  const auto packages = ToolchainSitePackages("tensorflow");
  if (!packages) return {false, packages.error().message()};
  return {};
}

ParamSchema RuntimeSchema() {
  return {{
      SaveModelPathParam(),
      {.name = "num_threads",
       .type = ParamType::kInt,
       .description =
           "Threads inside an operator; 0 takes all cores. The first session of a process decides.",
       .default_value = ParamValue{std::int64_t{0}},
       .minimum = 0,
       .maximum = 1024},
      {.name = "inter_op_threads",
       .type = ParamType::kInt,
       .description = "Threads that run independent operators side by side; 0 takes all cores.",
       .default_value = ParamValue{std::int64_t{0}},
       .minimum = 0,
       .maximum = 1024},
      {.name = "profiling",
       .type = ParamType::kBool,
       .description = "Record the time of each operator. Slows the run; not for latency figures.",
       .default_value = ParamValue{false}},
      BatchSizeParam(),
      DisableMeasurementsParam(),
  }};
}

}  // namespace

void RegisterTensorFlowEngine(Registry& registry) {
  BlockInfo runtime;
  runtime.category = BlockCategory::kRuntime;
  runtime.name = "TensorFlowRuntime";
  runtime.summary = "Runs SavedModels and Keras models with TensorFlow itself, in process.";
  runtime.engine = kEngine;
  runtime.schema = RuntimeSchema();
  runtime.accepts = {"savedmodel", "keras"};
  runtime.probe = Probe;
  runtime.make_runtime = LazyRuntime(kEngine, runtime.name);
  KENNING_CHECK(registry.Add(std::move(runtime)).has_value());

  registry.AddInspector({"keras", {".h5", ".hdf5", ".keras"}, LazyInspector(kEngine, "keras")});
  registry.AddInspector({.format = "savedmodel",
                         .extensions = {},
                         .inspect = LazyInspector(kEngine, "savedmodel"),
                         .folder_marker = "saved_model.pb"});
}

}  // namespace kenning
