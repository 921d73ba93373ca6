// SPDX-License-Identifier: Apache-2.0
// Descriptors: what `kenning list`, `info` and the scenario check know without loading the engine.
#include "kenning/base/check.h"
#include "kenning/registry/common_params.h"
#include "kenning/registry/engine_module.h"

namespace kenning {
namespace {

constexpr const char* kEngine = "tflite";

ParamSchema RuntimeSchema() {
  return {{
      SaveModelPathParam(),
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
      BatchSizeParam(),
      DisableMeasurementsParam(),
  }};
}

ParamSpec Choice(std::string name, std::string description, std::string default_value,
                 std::vector<std::string> allowed) {
  return {.name = std::move(name),
          .type = ParamType::kString,
          .description = std::move(description),
          .default_value = ParamValue{std::move(default_value)},
          .allowed = std::move(allowed)};
}

ParamSpec Flag(std::string name, std::string description) {
  return {.name = std::move(name),
          .type = ParamType::kBool,
          .description = std::move(description),
          .default_value = ParamValue{false}};
}

ParamSpec NullableUri(std::string name, std::string description) {
  return {.name = std::move(name),
          .type = ParamType::kUri,
          .description = std::move(description),
          .default_value = ParamValue{},
          .nullable = true};
}

/// Of Kenning's class, for training, which this one does not do.
std::vector<ParamSpec> TrainingParams() {
  return {
      {.name = "epochs",
       .type = ParamType::kInt,
       .description = "Accepted for Kenning's scenarios; without effect, as nothing is trained.",
       .default_value = ParamValue{std::int64_t{3}}},
      {.name = "batch_size",
       .type = ParamType::kInt,
       .description = "Accepted for Kenning's scenarios; without effect, as nothing is trained.",
       .default_value = ParamValue{std::int64_t{32}}},
      Choice("optimizer",
             "Accepted for Kenning's scenarios; without effect, as nothing is trained.", "adam",
             {"adam", "SGD", "RMSprop"}),
      Flag("disable_from_logits",
           "Accepted for Kenning's scenarios; without effect, as nothing is trained."),
      Flag("quantization_aware_training", "Refused: quantise after training with target int8."),
      Flag("save_to_zip", "Refused: for Kenning's Zephyr runtime."),
      NullableUri("resolver_template_path", "Refused: for Kenning's Zephyr runtime."),
      NullableUri("resolver_output_path", "Refused: for Kenning's Zephyr runtime."),
  };
}

ParamSchema CompilerSchema() {
  ParamSchema schema{{
      {.name = "compiled_model_path",
       .type = ParamType::kUri,
       .description = "Where the compiled model goes.",
       .required = true,
       .flag = "--compiled-model-path"},
      Choice("location", "Where the compiler runs.", "host", {"host", "target"}),
      Choice("model_framework",
             "Format of the input model; \"any\" goes by what the previous block gives.", "any",
             {"any", "keras", "savedmodel", "tensorflow", "onnx"}),
      Choice("target",
             "\"default\" keeps float32; \"float16\" stores weights in half the size; \"dynamic\" "
             "stores them as int8 and computes in float where it must; \"int8\" computes in int8, "
             "with calibration data; \"edgetpu\" is int8 compiled for the Edge TPU.",
             "default", {"default", "int8", "float16", "dynamic", "edgetpu"}),
      Choice("inference_input_type", "Type of the inputs of an int8 model.", "float32",
             {"float32", "int8", "uint8"}),
      Choice("inference_output_type", "Type of the outputs of an int8 model.", "float32",
             {"float32", "int8", "uint8"}),
      {.name = "dataset_percentage",
       .type = ParamType::kFloat,
       .description = "Share of the dataset's calibration samples that are used, spread over all.",
       .default_value = ParamValue{1.0},
       .minimum = 0,
       .maximum = 1},
      {.name = "max_calibration_samples",
       .type = ParamType::kInt,
       .description = "At most this many calibration samples are used.",
       .default_value = ParamValue{std::int64_t{512}},
       .minimum = 1},
      {.name = "static_batch",
       .type = ParamType::kInt,
       .description = "Batch size that the model is made for where its own is open; 0 leaves it "
                      "open, at the price of operators that work out shapes.",
       .default_value = ParamValue{std::int64_t{1}},
       .minimum = 0,
       .maximum = 4096},
      Flag("use_tf_select_ops",
           "Let TensorFlow's operators stand in for those that TensorFlow Lite lacks; such a model "
           "runs only with a Flex delegate."),
  }};
  for (ParamSpec& param : TrainingParams()) schema.params.push_back(std::move(param));
  return schema;
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

  BlockInfo compiler;
  compiler.category = BlockCategory::kOptimizer;
  compiler.name = "TFLiteCompiler";
  compiler.aliases = {"kenning.optimizers.tflite.TFLiteCompiler",
                      "kenning.compilers.tflite.TFLiteCompiler"};
  compiler.summary =
      "Converts Keras, SavedModel and ONNX models to TensorFlow Lite, as float or int8.";
  compiler.schema = CompilerSchema();
  compiler.accepts = {"keras", "savedmodel", "onnx"};
  compiler.produces = {"tflite"};
  compiler.toolchains = {{"", {"tensorflow"}}};
  compiler.probe = [] { return ProbeEngine(kEngine); };
  compiler.make_optimizer = LazyOptimizer(kEngine, compiler.name);
  AddOrDie(registry, std::move(compiler));

  registry.AddInspector({.format = "tflite",
                         .extensions = {".tflite"},
                         .inspect = LazyInspector(kEngine, "tflite"),
                         .read_graph = LazyGraphReader(kEngine, "tflite")});
}

}  // namespace kenning
