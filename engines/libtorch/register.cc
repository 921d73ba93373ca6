// SPDX-License-Identifier: Apache-2.0
// Descriptors: what `kenning list`, `info` and the scenario check know without loading LibTorch.
#include "kenning/base/check.h"
#include "kenning/registry/common_params.h"
#include "kenning/registry/engine_module.h"

namespace kenning {
namespace {

constexpr const char* kEngine = "libtorch";

Availability Probe() {
  Availability found = ProbeEngine(kEngine);
  if (!found.available) {
    found.reason +=
        "; LibTorch comes with scripts/fetch-deps libtorch (554 MB to download, 500 MB kept), then "
        "build again";
  }
  return found;
}

ParamSchema RuntimeSchema() {
  return {{
      SaveModelPathParam(),
      {.name = "skip_jit",
       .type = ParamType::kBool,
       .description = "Run the module as stored, neither frozen nor optimised for inference.",
       .default_value = ParamValue{false}},
      {.name = "num_threads",
       .type = ParamType::kInt,
       .description = "Threads inside an operator; 0 lets LibTorch take the physical cores.",
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

std::vector<ParamSpec> OptimizerParams(std::vector<std::string> frameworks) {
  frameworks.insert(frameworks.begin(), "any");
  return {
      {.name = "compiled_model_path",
       .type = ParamType::kUri,
       .description = "Where the compiled model goes.",
       .required = true,
       .flag = "--compiled-model-path"},
      {.name = "model_framework",
       .type = ParamType::kString,
       .description = "Format of the input model; \"any\" goes by what the previous block gives.",
       .default_value = ParamValue{std::string("any")},
       .allowed = std::move(frameworks),
       .flag = "--model-framework"},
      LocationParam()};
}

void AddOrDie(Registry& registry, BlockInfo block) {
  block.engine = kEngine;
  block.probe = Probe;
  KENNING_CHECK(registry.Add(std::move(block)).has_value());
}

void AddRuntime(Registry& registry) {
  BlockInfo runtime;
  runtime.category = BlockCategory::kRuntime;
  runtime.name = "PyTorchRuntime";
  runtime.aliases = {"kenning.runtimes.pytorch.PyTorchRuntime"};
  runtime.summary =
      "Runs TorchScript models and programs of torch.export with LibTorch, in process.";
  runtime.schema = RuntimeSchema();
  runtime.accepts = {"torchscript", "torch_export"};
  runtime.make_runtime = LazyRuntime(kEngine, runtime.name);
  AddOrDie(registry, std::move(runtime));
}

void AddOptimizers(Registry& registry) {
  BlockInfo compiler;
  compiler.category = BlockCategory::kOptimizer;
  compiler.name = "PyTorchCompiler";
  compiler.summary = "Turns ONNX models and programs of torch.export into TorchScript.";
  compiler.schema = {OptimizerParams({"onnx", "torchscript", "torch_export"})};
  compiler.accepts = {"onnx", "torchscript", "torch_export"};
  compiler.produces = {"torchscript"};
  compiler.make_optimizer = LazyOptimizer(kEngine, compiler.name);
  AddOrDie(registry, std::move(compiler));

  BlockInfo exporter;
  exporter.category = BlockCategory::kOptimizer;
  exporter.name = "PyTorchONNXExporter";
  exporter.summary = "Turns TorchScript models and programs of torch.export into ONNX.";
  exporter.schema = {OptimizerParams({"torchscript", "torch_export"})};
  exporter.accepts = {"torchscript", "torch_export"};
  exporter.produces = {"onnx"};
  exporter.make_optimizer = LazyOptimizer(kEngine, exporter.name);
  AddOrDie(registry, std::move(exporter));
}

}  // namespace

void RegisterLibTorchEngine(Registry& registry) {
  AddRuntime(registry);
  AddOptimizers(registry);
  registry.AddInspector(
      {"torchscript", {".pt", ".pth", ".ts"}, LazyInspector(kEngine, "torchscript")});
  registry.AddInspector({"torch_export", {".pt2"}, LazyInspector(kEngine, "torch_export")});
}

}  // namespace kenning
