// SPDX-License-Identifier: Apache-2.0
// Descriptors: what `kenning list`, `info` and the scenario check know without loading OpenVINO.
#include "kenning/base/check.h"
#include "kenning/registry/common_params.h"
#include "kenning/registry/engine_module.h"

namespace kenning {
namespace {

constexpr const char* kEngine = "openvino";

Availability Probe() {
  Availability found = ProbeEngine(kEngine);
  if (!found.available) {
    found.reason += "; to build it: scripts/fetch-deps openvino, then configure and build again";
  }
  return found;
}

ParamSchema RuntimeSchema() {
  return {{
      SaveModelPathParam(),
      {.name = "performance_hint",
       .type = ParamType::kString,
       .description = "What OpenVINO tunes threads for; kenning runs one inference at a time.",
       .default_value = ParamValue{std::string("latency")},
       .allowed = {"latency", "throughput", "none"}},
      {.name = "num_threads",
       .type = ParamType::kInt,
       .description = "Threads of an inference; 0 lets OpenVINO take the physical cores.",
       .default_value = ParamValue{std::int64_t{0}},
       .minimum = 0,
       .maximum = 1024},
      {.name = "num_streams",
       .type = ParamType::kInt,
       .description = "Groups that the threads are shared out to; 0 goes by the performance hint.",
       .default_value = ParamValue{std::int64_t{0}},
       .minimum = 0,
       .maximum = 1024},
      {.name = "inference_precision",
       .type = ParamType::kString,
       .description = "Type of floating-point arithmetic; \"auto\" is OpenVINO's own choice, which "
                      "is bfloat16 where the CPU has it. Quantised operators stay int8.",
       .default_value = ParamValue{std::string("float32")},
       .allowed = {"float32", "bfloat16", "float16", "auto"}},
      {.name = "profiling",
       .type = ParamType::kBool,
       .description = "Record the time of each operator. Slows the run; not for latency figures.",
       .default_value = ParamValue{false},
       .aliases = {"enable_profiling"}},
      DisableMeasurementsParam(),
  }};
}

ParamSchema CompilerSchema() {
  return {{
      {.name = "compiled_model_path",
       .type = ParamType::kUri,
       .description = "Where the model's folder goes, by custom named *.openvino.",
       .required = true,
       .flag = "--compiled-model-path"},
      {.name = "model_framework",
       .type = ParamType::kString,
       .description = "Format of the input model; \"any\" goes by what the previous block gives.",
       .default_value = ParamValue{std::string("any")},
       .allowed = {"any", "onnx", "tflite", "openvino"},
       .flag = "--model-framework"},
      LocationParam(),
      {.name = "compress_to_fp16",
       .type = ParamType::kBool,
       .description = "Store float32 weights as float16; arithmetic stays as the runtime says.",
       .default_value = ParamValue{false}},
  }};
}

void AddOrDie(Registry& registry, BlockInfo block) {
  block.engine = kEngine;
  block.probe = Probe;
  block.accepts = {"openvino", "onnx", "tflite"};
  KENNING_CHECK(registry.Add(std::move(block)).has_value());
}

}  // namespace

void RegisterOpenVinoEngine(Registry& registry) {
  BlockInfo runtime;
  runtime.category = BlockCategory::kRuntime;
  runtime.name = "OpenVINORuntime";
  runtime.summary = "Runs ONNX, TensorFlow Lite and OpenVINO models on the CPU, in process.";
  runtime.schema = RuntimeSchema();
  runtime.make_runtime = LazyRuntime(kEngine, runtime.name);
  AddOrDie(registry, std::move(runtime));

  BlockInfo compiler;
  compiler.category = BlockCategory::kOptimizer;
  compiler.name = "OpenVINOCompiler";
  compiler.summary = "Converts ONNX and TensorFlow Lite models to OpenVINO's own form.";
  compiler.schema = CompilerSchema();
  compiler.produces = {"openvino"};
  compiler.make_optimizer = LazyOptimizer(kEngine, compiler.name);
  AddOrDie(registry, std::move(compiler));

  registry.AddInspector({.format = "openvino",
                         .extensions = {".openvino", ".xml"},
                         .inspect = LazyInspector(kEngine, "openvino"),
                         .read_graph = LazyGraphReader(kEngine, "openvino"),
                         .folder_marker = "model.xml"});
}

}  // namespace kenning
