// SPDX-License-Identifier: Apache-2.0
// Descriptors: what `kenning list`, `info` and the scenario check know without loading the engine.
#include "kenning/base/check.h"
#include "kenning/registry/engine_module.h"

namespace kenning {

void RegisterNullEngine(Registry& registry) {
  BlockInfo runtime;
  runtime.category = BlockCategory::kRuntime;
  runtime.name = "NullRuntime";
  runtime.summary = "Computes nothing; measures what kenning itself costs.";
  runtime.engine = "null";
  runtime.accepts = {"null"};
  runtime.schema.params = {{.name = "save_model_path",
                            .type = ParamType::kUri,
                            .description = "Model to load; by default the scenario's artifact.",
                            .default_value = ParamValue{},
                            .nullable = true,
                            .flag = "--save-model-path"}};
  runtime.probe = [] { return ProbeEngine("null"); };
  runtime.make_runtime = LazyRuntime("null", "NullRuntime");
  KENNING_CHECK(registry.Add(std::move(runtime)).has_value());
  registry.AddInspector({"null", {".null"}, LazyInspector("null", "null")});
}

}  // namespace kenning
