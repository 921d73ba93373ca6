// SPDX-License-Identifier: Apache-2.0
// Descriptors: what `kenning list`, `info` and the scenario check know without loading IREE.
#include "kenning/base/check.h"
#include "kenning/registry/common_params.h"
#include "kenning/registry/engine_module.h"

namespace kenning {
namespace {

constexpr const char* kEngine = "iree";

Availability Probe() {
  Availability found = ProbeEngine(kEngine);
  if (!found.available) {
    found.reason += "; to build it: scripts/fetch-deps iree, then configure and build again";
  }
  return found;
}

ParamSchema RuntimeSchema() {
  return {{
      SaveModelPathParam(),
      {.name = "driver",
       .type = ParamType::kString,
       .description = "What runs the module: local-sync in the caller's thread, local-task in "
                      "threads of its own; by default what fits num_threads.",
       .default_value = ParamValue{},
       .nullable = true,
       .allowed = {"local-sync", "local-task", "cuda", "hip", "vulkan"}},
      {.name = "num_threads",
       .type = ParamType::kInt,
       .description = "Threads of local-task; 0 takes the physical cores.",
       .default_value = ParamValue{std::int64_t{0}},
       .minimum = 0,
       .maximum = 64},
      BatchSizeParam(),
      DisableMeasurementsParam(),
  }};
}

ParamSchema CompilerSchema() {
  return {{
      {.name = "compiled_model_path",
       .type = ParamType::kUri,
       .description = "Where the module goes, by custom named *.vmfb.",
       .required = true,
       .flag = "--compiled-model-path"},
      {.name = "model_framework",
       .type = ParamType::kString,
       .description = "Format of the input model; \"any\" goes by what the previous block gives.",
       .default_value = ParamValue{std::string("any")},
       .allowed = {"any", "onnx", "keras", "tensorflow", "savedmodel", "tflite"},
       .flag = "--model-framework"},
      LocationParam(),
      {.name = "backend",
       .type = ParamType::kString,
       .description = "llvm-cpu makes machine code, vmvx slow bytecode for any CPU; dylib is an "
                      "older name of llvm-cpu.",
       .default_value = ParamValue{std::string("llvm-cpu")},
       .allowed = {"llvm-cpu", "dylib", "vmvx", "cuda", "vulkan"},
       .flag = "--backend"},
      {.name = "compiler_args",
       .type = ParamType::kStringList,
       .description = "Further options of iree-compile, with or without their leading dashes; they "
                      "win over kenning's.",
       .default_value = ParamValue{},
       .nullable = true,
       .flag = "--compiler-args"},
      {.name = "target_cpu",
       .type = ParamType::kString,
       .description = "CPU that llvm-cpu makes code for: host, generic, or a name of LLVM's such "
                      "as x86-64-v3.",
       .default_value = ParamValue{std::string("host")}},
      {.name = "target_cpu_features",
       .type = ParamType::kString,
       .description = "Features of that CPU to add or leave out, such as +avx2,-avx512f.",
       .default_value = ParamValue{},
       .nullable = true},
      {.name = "opt_level",
       .type = ParamType::kString,
       .description = "Optimisation level of iree-compile.",
       .default_value = ParamValue{std::string("O3")},
       .allowed = {"O0", "O1", "O2", "O3"}},
      {.name = "data_tiling",
       .type = ParamType::kBool,
       .description = "Let the compiler lay out matrices in tiles that fit the CPU.",
       .default_value = ParamValue{true}},
      {.name = "conv_layout",
       .type = ParamType::kString,
       .description =
           "Order of dimensions that convolutions compute in: \"auto\" is channels_last for "
           "float models, where it is several times faster, and the model's own for "
           "quantised ones. Inputs and outputs stay as they are.",
       .default_value = ParamValue{std::string("auto")},
       .allowed = {"auto", "keep", "channels_last"}},
      {.name = "batch_size",
       .type = ParamType::kInt,
       .description = "Size that a batch of any size becomes; 0 keeps it as it is, which the "
                      "compiler does worse on.",
       .default_value = ParamValue{std::int64_t{1}},
       .minimum = 0,
       .maximum = 65536},
      {.name = "verify",
       .type = ParamType::kBool,
       .description = "Run the module once and compare it with ONNX's reference implementation.",
       .default_value = ParamValue{true}},
  }};
}

void AddOrDie(Registry& registry, BlockInfo block) {
  block.engine = kEngine;
  block.probe = Probe;
  KENNING_CHECK(registry.Add(std::move(block)).has_value());
}

}  // namespace

void RegisterIreeEngine(Registry& registry) {
  BlockInfo runtime;
  runtime.category = BlockCategory::kRuntime;
  runtime.name = "IREERuntime";
  runtime.aliases = {"kenning.runtimes.iree.IREERuntime"};
  runtime.summary = "Runs modules of IREE on the CPU, in process.";
  runtime.schema = RuntimeSchema();
  runtime.accepts = {"iree"};
  runtime.make_runtime = LazyRuntime(kEngine, runtime.name);
  AddOrDie(registry, std::move(runtime));

  BlockInfo compiler;
  compiler.category = BlockCategory::kOptimizer;
  compiler.name = "IREECompiler";
  compiler.aliases = {"kenning.optimizers.iree.IREECompiler",
                      "kenning.compilers.iree.IREECompiler"};
  compiler.summary = "Compiles a model to a module of IREE: machine code, or portable bytecode.";
  compiler.schema = CompilerSchema();
  compiler.accepts = {"onnx"};
  compiler.toolchains["onnx"] = {"iree"};
  // By way of ONNX, which TensorFlow's toolchain makes of them.
  for (const char* format : {"keras", "savedmodel", "tflite"}) {
    compiler.accepts.emplace_back(format);
    compiler.toolchains[format] = {"tensorflow", "iree"};
  }
  compiler.produces = {"iree"};
  compiler.make_optimizer = LazyOptimizer(kEngine, compiler.name);
  AddOrDie(registry, std::move(compiler));

  registry.AddInspector(
      {.format = "iree", .extensions = {".vmfb"}, .inspect = LazyInspector(kEngine, "iree")});
}

}  // namespace kenning
