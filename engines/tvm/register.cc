// SPDX-License-Identifier: Apache-2.0
// Descriptors: what `kenning list`, `info` and the scenario check know without loading TVM.
#include "kenning/base/check.h"
#include "kenning/registry/common_params.h"
#include "kenning/registry/engine_module.h"

namespace kenning {
namespace {

constexpr const char* kEngine = "tvm";

Availability Probe() {
  Availability found = ProbeEngine(kEngine);
  if (!found.available) {
    found.reason += "; to build it: scripts/fetch-deps tvm, then configure and build again";
  }
  return found;
}

ParamSpec Text(std::string name, std::string default_text, std::string description) {
  return {.name = std::move(name),
          .type = ParamType::kString,
          .description = std::move(description),
          .default_value = ParamValue{std::move(default_text)}};
}

ParamSpec NullableText(std::string name, std::string description) {
  return {.name = std::move(name),
          .type = ParamType::kString,
          .description = std::move(description),
          .default_value = ParamValue{},
          .nullable = true};
}

ParamSpec Flag(std::string name, std::string description) {
  return {.name = std::move(name),
          .type = ParamType::kBool,
          .description = std::move(description),
          .default_value = ParamValue{false}};
}

ParamSpec Number(std::string name, std::int64_t value, double minimum, double maximum,
                 std::string description) {
  return {.name = std::move(name),
          .type = ParamType::kInt,
          .description = std::move(description),
          .default_value = ParamValue{value},
          .minimum = minimum,
          .maximum = maximum};
}

ParamSchema RuntimeSchema() {
  ParamSchema schema;
  schema.params = {
      SaveModelPathParam(),
      {.name = "target_device_context",
       .type = ParamType::kString,
       .description = "Kind of device; this build of TVM's run time has the CPU.",
       .default_value = ParamValue{std::string("cpu")},
       .allowed = {"cpu", "cuda", "opencl", "vulkan", "metal", "rocm", "hexagon"},
       .flag = "--target-device-context"},
      Number("target_device_context_id", 0, 0, 64,
             "Accepted for Kenning's scenarios; there is one CPU."),
      {.name = "runtime_use_vm",
       .type = ParamType::kBool,
       .description = "Accepted for Kenning's scenarios; TVM's virtual machine is always used.",
       .default_value = ParamValue{true},
       .aliases = {"use_tvm_vm"}},
      Number("num_threads", 0, 0, 1024,
             "Threads inside an operator; 0 takes all processors that kenning may use."),
      Flag("profiling",
           "Record the time of each operator. Slows the run; not for latency "
           "figures."),
      Number("batch_size", 1, 1, 1 << 20,
             "Accepted for Kenning's scenarios; a compiled model has a fixed batch."),
      NullableText("llext_binary_path", "Accepted for Kenning's scenarios; of Zephyr alone."),
      DisableMeasurementsParam(),
  };
  return schema;
}

std::vector<ParamSpec> TuningParams() {
  return {
      {.name = "tuning",
       .type = ParamType::kString,
       .description = "\"auto\" measures schedules of each operator on this machine; \"off\" takes "
                      "the first that fits, unmeasured.",
       .default_value = ParamValue{std::string("auto")},
       .allowed = {"auto", "off"}},
      Number("tuning_trials", 32, 1, 100000, "Most schedules that are measured for an operator."),
      Number(
          "tuning_time_s", 600, 1, 1000000,
          "Most seconds that tuning takes; operators left over get the first schedule that fits."),
      {.name = "tuning_database",
       .type = ParamType::kPath,
       .description = "Folder of measured schedules, used again by later runs; by default in "
                      "kenning's cache.",
       .default_value = ParamValue{},
       .nullable = true},
      Number("tuning_threads", 0, 0, 1024,
             "Threads that schedules are measured with; 0 takes all processors."),
  };
}

ParamSchema CompilerSchema() {
  ParamSchema schema;
  schema.params = {
      {.name = "compiled_model_path",
       .type = ParamType::kUri,
       .description = "Where the compiled model goes: a .tar or a .so.",
       .required = true,
       .flag = "--compiled-model-path"},
      {.name = "model_framework",
       .type = ParamType::kString,
       .description = "Format of the input model; \"any\" goes by what the previous block gives.",
       .default_value = ParamValue{std::string("any")},
       .allowed = {"any", "onnx", "tflite", "keras", "torch", "darknet"},
       .flag = "--model-framework"},
      LocationParam(),
      Text("target", "llvm",
           "What the code is for, as \"llvm -mcpu=core-avx2\"; \"llvm\" is any x86-64, and "
           "\"llvm -mcpu=native\" this machine."),
      Text("target_attrs", "", "Further words of the target, as \"-mattr=+avx2\"."),
      NullableText("target_host", "Accepted for Kenning's scenarios; the host is the target."),
      NullableText("target_microtvm_board", "Of Kenning; microcontrollers are not supported."),
      NullableText("zephyr_header_template", "Of Kenning; Zephyr is not supported."),
      NullableText("zephyr_llext_source_template", "Of Kenning; Zephyr is not supported."),
      NullableText("module_name", "Of Kenning; microcontrollers are not supported."),
      Number("opt_level", 3, 0, 4, "TVM's level of optimisation."),
      Text("libdarknet_path", "/usr/local/lib/libdarknet.so",
           "Accepted for Kenning's scenarios; TVM no longer reads Darknet models."),
      {.name = "compile_use_vm",
       .type = ParamType::kBool,
       .description = "Accepted for Kenning's scenarios; TVM's virtual machine is always used.",
       .default_value = ParamValue{true},
       .flag = "--compile-use-vm",
       .aliases = {"use_tvm_vm"}},
      {.name = "output_conversion_function",
       .type = ParamType::kString,
       .description = "Accepted for Kenning's scenarios; it is about PyTorch models.",
       .default_value = ParamValue{std::string("default")},
       .allowed = {"default", "dict_to_tuple"},
       .flag = "--output-conversion-function",
       .aliases = {"conversion_func"}},
      Text("conv2d_data_layout", "",
           "Layout wished for convolutions; they are computed as NHWC whatever it says."),
      Text("conv2d_kernel_layout", "",
           "Layout wished for kernels; they are stored as HWIO whatever it says."),
      Flag("use_fp16_precision", "Of Kenning; refused, as float16 is slower on a CPU."),
      Flag("use_int8_precision",
           "Of Kenning; refused, as TVM no longer quantises: give it a "
           "quantised model."),
      Flag("use_tensorrt", "Of Kenning; refused, as this build of TVM has no TensorRT."),
      {.name = "dataset_percentage",
       .type = ParamType::kFloat,
       .description = "Accepted for Kenning's scenarios; TVM no longer quantises.",
       .default_value = ParamValue{0.25},
       .minimum = 0,
       .maximum = 1},
  };
  return ParamSchema{TuningParams()}.Extending(schema);
}

void AddOrDie(Registry& registry, BlockInfo block) {
  block.engine = kEngine;
  block.probe = Probe;
  KENNING_CHECK(registry.Add(std::move(block)).has_value());
}

}  // namespace

void RegisterTvmEngine(Registry& registry) {
  BlockInfo runtime;
  runtime.category = BlockCategory::kRuntime;
  runtime.name = "TVMRuntime";
  runtime.aliases = {"kenning.runtimes.tvm.TVMRuntime"};
  runtime.summary = "Runs models that TVMCompiler made, with TVM's C++ run time, in process.";
  runtime.schema = RuntimeSchema();
  runtime.accepts = {"tvm"};
  runtime.make_runtime = LazyRuntime(kEngine, runtime.name);
  AddOrDie(registry, std::move(runtime));

  BlockInfo compiler;
  compiler.category = BlockCategory::kOptimizer;
  compiler.name = "TVMCompiler";
  compiler.aliases = {"kenning.optimizers.tvm.TVMCompiler", "kenning.compilers.tvm.TVMCompiler"};
  compiler.summary =
      "Compiles ONNX and TensorFlow Lite models to machine code with Apache TVM, "
      "and tunes it.";
  compiler.schema = CompilerSchema();
  compiler.accepts = {"onnx", "tflite"};
  compiler.produces = {"tvm"};
  compiler.toolchains = {{"", {"tvm"}}};
  compiler.make_optimizer = LazyOptimizer(kEngine, compiler.name);
  AddOrDie(registry, std::move(compiler));

  registry.AddInspector({"tvm", {".tar", ".so"}, LazyInspector(kEngine, "tvm")});
}

}  // namespace kenning
