// SPDX-License-Identifier: Apache-2.0
#include "quantizer/settings.h"

#include "kenning/base/uri.h"

namespace kenning::quantizer {

Result<Settings> ReadSettings(const Params& params, bool saturating) {
  Settings settings;
  KENNING_ASSIGN_OR_RETURN(settings.output_path,
                           OutputPathFromUri(params.String("compiled_model_path")),
                           "compiled_model_path");
  const std::string& method = params.String("calibration_method");
  settings.method = method == "auto"         ? RangeMethod::kAuto
                    : method == "percentile" ? RangeMethod::kPercentile
                    : method == "entropy"    ? RangeMethod::kEntropy
                    : method == "mse"        ? RangeMethod::kMse
                                             : RangeMethod::kMinMax;
  settings.percentile = params.Float("percentile");
  settings.max_samples = static_cast<std::size_t>(params.Int("max_calibration_samples"));
  settings.signed_activations = params.String("activation_type") == "int8";
  settings.symmetric_activations = params.Bool("symmetric_activations");
  settings.per_channel = params.Bool("per_channel");
  const std::string& range = params.String("weight_range");
  settings.weight_range_chosen = range == "auto";
  if (range == "reduced") {
    settings.weight_range = WeightRange::kReduced;
  } else if (range == "auto" && saturating) {
    settings.weight_range = WeightRange::kPairSafe;
  }
  settings.bias_correction = params.Bool("bias_correction");
  settings.equalize = params.Bool("cross_layer_equalization");
  settings.only_nodes = params.StringList("nodes_to_quantize");
  settings.excluded_nodes = params.StringList("nodes_to_exclude");
  settings.only_types = params.StringList("op_types_to_quantize");
  settings.excluded_types = params.StringList("op_types_to_exclude");
  return settings;
}

}  // namespace kenning::quantizer
