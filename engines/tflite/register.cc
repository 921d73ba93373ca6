// SPDX-License-Identifier: Apache-2.0
// Descriptors: what `kenning list`, `info` and the scenario check know without loading the engine.
#include "kenning/base/check.h"
#include "kenning/registry/engine_module.h"

namespace kenning {
namespace {

constexpr const char* kEngine = "tflite";

ParamSchema RuntimeSchema() {
  return {{
      {.name = "save_model_path",
       .type = ParamType::kUri,
       .description = "Where the model lies on the target; by default the scenario's artifact.",
       .default_value = ParamValue{},
       .nullable = true,
       .flag = "--save-model-path"},
      {.name = "delegates_list",
       .type = ParamType::kStringList,
       .description = "Libraries of external delegates, for example libedgetpu.so.1, in order.",
       .default_value = ParamValue{},
       .nullable = true,
       .flag = "--delegates-list"},
      {.name = "delegate_options",
       .type = ParamType::kStringList,
       .description = "Options of the external delegates, each \"key=value\".",
       .default_value = ParamValue{std::vector<std::string>{}}},
      {.name = "num_threads",
       .type = ParamType::kInt,
       .description = "Threads of an inference; 0 takes the physical cores that the process may "
                      "use. More than that makes small models slower by far.",
       .default_value = ParamValue{std::int64_t{0}},
       .minimum = 0,
       .maximum = 1024},
      {.name = "use_xnnpack",
       .type = ParamType::kBool,
       .description = "Run what XNNPACK can run with XNNPACK; else with TensorFlow Lite's own "
                      "kernels, which are several times slower.",
       .default_value = ParamValue{true}},
      {.name = "profiling",
       .type = ParamType::kBool,
       .description = "Record the time of each operator. Slows the run; not for latency figures.",
       .default_value = ParamValue{false}},
      {.name = "batch_size",
       .type = ParamType::kInt,
       .description =
           "Accepted for Kenning's scenarios; the dataset's inference_batch_size decides.",
       .default_value = ParamValue{std::int64_t{1}},
       .minimum = 1},
      {.name = "disable_performance_measurements",
       .type = ParamType::kBool,
       .description = "Do not sample CPU and memory during the run.",
       .default_value = ParamValue{false},
       .flag = "--disable-performance-measurements"},
  }};
}

Availability ProbeRuntime() {
#ifdef KENNING_TFLITE_SDK
  return ProbeEngine(kEngine);
#else
  return {
      false,
      "this build has no TensorFlow Lite library: run scripts/fetch-deps tflite, then configure "
      "and build again"};
#endif
}

void AddOrDie(Registry& registry, BlockInfo block) {
  block.engine = kEngine;
  KENNING_CHECK(registry.Add(std::move(block)).has_value());
}

}  // namespace

void RegisterTfliteEngine(Registry& registry) {
  BlockInfo runtime;
  runtime.category = BlockCategory::kRuntime;
  runtime.name = "TFLiteRuntime";
  runtime.aliases = {"kenning.runtimes.tflite.TFLiteRuntime"};
  runtime.summary = "Runs TensorFlow Lite models, in process, with XNNPACK and external delegates.";
  runtime.schema = RuntimeSchema();
  runtime.accepts = {"tflite"};
  runtime.probe = ProbeRuntime;
  runtime.make_runtime = LazyRuntime(kEngine, runtime.name);
  AddOrDie(registry, std::move(runtime));

  registry.AddInspector({.format = "tflite",
                         .extensions = {".tflite"},
                         .inspect = LazyInspector(kEngine, "tflite"),
                         .read_graph = LazyGraphReader(kEngine, "tflite")});
}

}  // namespace kenning
