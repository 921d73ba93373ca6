// SPDX-License-Identifier: Apache-2.0
/// \file
/// Parameters that runtimes and optimizers of several engines share, each declared once.
#pragma once

#include "kenning/registry/param_schema.h"

namespace kenning {

/// Of runtimes.
inline ParamSpec SaveModelPathParam() {
  return {.name = "save_model_path",
          .type = ParamType::kUri,
          .description = "Where the model lies on the target; by default the scenario's artifact.",
          .default_value = ParamValue{},
          .nullable = true,
          .flag = "--save-model-path"};
}

/// Of runtimes; Kenning's scenarios give it, the dataset decides.
inline ParamSpec BatchSizeParam() {
  return {.name = "batch_size",
          .type = ParamType::kInt,
          .description =
              "Accepted for Kenning's scenarios; the dataset's inference_batch_size decides.",
          .default_value = ParamValue{std::int64_t{1}},
          .minimum = 1};
}

/// Of runtimes.
inline ParamSpec DisableMeasurementsParam() {
  return {.name = "disable_performance_measurements",
          .type = ParamType::kBool,
          .description = "Do not sample CPU and memory during the run.",
          .default_value = ParamValue{false},
          .flag = "--disable-performance-measurements"};
}

/// Of optimizers.
inline ParamSpec LocationParam() {
  return {.name = "location",
          .type = ParamType::kString,
          .description = "Where the compiler runs.",
          .default_value = ParamValue{std::string("host")},
          .allowed = {"host", "target"}};
}

}  // namespace kenning
