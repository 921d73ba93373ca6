// SPDX-License-Identifier: Apache-2.0
// Descriptors: what `kenning list`, `info` and the scenario check know without loading ONNX
// Runtime.
#include "kenning/base/check.h"
#include "kenning/registry/common_params.h"
#include "kenning/registry/engine_module.h"
#include "quantizer/schema.h"

namespace kenning {
namespace {

constexpr const char* kEngine = "onnxruntime";

ParamSpec ThreadsParam() {
  return {.name = "num_threads",
          .type = ParamType::kInt,
          .description = "Threads inside an operator; 0 lets ONNX Runtime take the physical cores.",
          .default_value = ParamValue{std::int64_t{0}},
          .minimum = 0,
          .maximum = 1024};
}

ParamSpec GraphLevelParam(std::string default_level, std::string description) {
  return {.name = "graph_optimization_level",
          .type = ParamType::kString,
          .description = std::move(description),
          .default_value = ParamValue{std::move(default_level)},
          .allowed = {"disabled", "basic", "extended", "all"}};
}

ParamSchema RuntimeSchema() {
  return {{
      SaveModelPathParam(),
      {.name = "execution_providers",
       .type = ParamType::kStringList,
       .description = "ONNX Runtime execution providers, in order of preference.",
       .default_value = ParamValue{std::vector<std::string>{"CPUExecutionProvider"}}},
      ThreadsParam(),
      {.name = "inter_op_threads",
       .type = ParamType::kInt,
       .description = "Threads that run independent operators side by side; 1 runs them in order.",
       .default_value = ParamValue{std::int64_t{1}},
       .minimum = 1,
       .maximum = 1024},
      GraphLevelParam("all", "Graph optimisations when the model is loaded."),
      {.name = "profiling",
       .type = ParamType::kBool,
       .description = "Record the time of each operator. Slows the run; not for latency figures.",
       .default_value = ParamValue{false}},
      {.name = "allow_spinning",
       .type = ParamType::kBool,
       .description = "Let idle worker threads spin instead of sleep between operators.",
       .default_value = ParamValue{true}},
      BatchSizeParam(),
      DisableMeasurementsParam(),
  }};
}

ParamSchema CompilerSchema() {
  return {{
      {.name = "compiled_model_path",
       .type = ParamType::kUri,
       .description = "Where the compiled model goes.",
       .required = true,
       .flag = "--compiled-model-path"},
      {.name = "model_framework",
       .type = ParamType::kString,
       .description = "Format of the input model; \"any\" goes by what the previous block gives.",
       .default_value = ParamValue{std::string("any")},
       .allowed = {"any", "onnx", "keras", "tensorflow", "savedmodel", "tflite"},
       .flag = "--model-framework"},
      LocationParam(),
      GraphLevelParam("basic",
                      "Graph optimisations stored in the model. \"basic\" is portable; "
                      "\"extended\" and \"all\" tie the file to this version and kind of CPU."),
      {.name = "precision",
       .type = ParamType::kString,
       .description = "float16 halves the weights; inputs and outputs stay float32.",
       .default_value = ParamValue{std::string("float32")},
       .allowed = {"float32", "float16"}},
  }};
}

void AddOrDie(Registry& registry, BlockInfo block) {
  block.engine = kEngine;
  block.probe = [] { return ProbeEngine(kEngine); };
  KENNING_CHECK(registry.Add(std::move(block)).has_value());
}

BlockInfo OptimizerBlock(std::string name, std::string summary, ParamSchema schema) {
  BlockInfo block;
  block.category = BlockCategory::kOptimizer;
  block.summary = std::move(summary);
  block.schema = std::move(schema);
  block.accepts = {"onnx"};
  block.produces = {"onnx"};
  block.make_optimizer = LazyOptimizer(kEngine, name);
  block.name = std::move(name);
  return block;
}

}  // namespace

void RegisterOnnxRuntimeEngine(Registry& registry) {
  BlockInfo runtime;
  runtime.category = BlockCategory::kRuntime;
  runtime.name = "ONNXRuntime";
  runtime.aliases = {"kenning.runtimes.onnx.ONNXRuntime"};
  runtime.summary = "Runs ONNX models with ONNX Runtime, in process.";
  runtime.schema = RuntimeSchema();
  runtime.accepts = {"onnx"};
  runtime.make_runtime = LazyRuntime(kEngine, runtime.name);
  AddOrDie(registry, std::move(runtime));

  BlockInfo compiler = OptimizerBlock("ONNXCompiler",
                                      "Optimises an ONNX graph and stores it, as float32 or "
                                      "float16; converts Keras, TensorFlow and "
                                      "TensorFlow Lite models first.",
                                      CompilerSchema());
  for (const char* format : {"keras", "savedmodel", "tflite"}) {
    compiler.accepts.emplace_back(format);
    compiler.toolchains[format] = {"tensorflow"};
  }
  compiler.aliases = {"kenning.optimizers.onnx.ONNXCompiler",
                      "kenning.compilers.onnx.ONNXCompiler"};
  AddOrDie(registry, std::move(compiler));

  BlockInfo quantizer = OptimizerBlock(
      "ONNXQuantizer", "Quantises an ONNX model to int8 after training, with calibration data.",
      OnnxQuantizerSchema());
  quantizer.aliases = {"kenning.optimizers.onnx.ONNXQuantizer"};
  AddOrDie(registry, std::move(quantizer));

  registry.AddInspector(
      {"onnx", {".onnx"}, LazyInspector(kEngine, "onnx"), LazyGraphReader(kEngine, "onnx")});
}

}  // namespace kenning
