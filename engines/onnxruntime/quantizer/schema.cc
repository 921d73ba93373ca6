// SPDX-License-Identifier: Apache-2.0
#include "quantizer/schema.h"

namespace kenning {
namespace {

ParamSpec Choice(std::string name, std::string description, std::string default_value,
                 std::vector<std::string> allowed) {
  return {.name = std::move(name),
          .type = ParamType::kString,
          .description = std::move(description),
          .default_value = ParamValue{std::move(default_value)},
          .allowed = std::move(allowed)};
}

ParamSpec Flag(std::string name, std::string description, bool default_value) {
  return {.name = std::move(name),
          .type = ParamType::kBool,
          .description = std::move(description),
          .default_value = ParamValue{default_value}};
}

ParamSpec Names(std::string name, std::string description) {
  return {.name = std::move(name),
          .type = ParamType::kStringList,
          .description = std::move(description),
          .default_value = ParamValue{std::vector<std::string>{}}};
}

std::vector<ParamSpec> GeneralParams() {
  return {
      {.name = "compiled_model_path",
       .type = ParamType::kUri,
       .description = "Where the quantised model goes.",
       .required = true,
       .flag = "--compiled-model-path"},
      Choice("model_framework",
             "Format of the input model; \"any\" goes by what the previous block gives.", "any",
             {"any", "onnx"}),
      Choice("location", "Where the quantiser runs.", "host", {"host", "target"}),
  };
}

std::vector<ParamSpec> CalibrationParams() {
  return {
      Choice("calibration_method",
             "How activation ranges are found: the extremes, a percentile, the least loss of "
             "information (entropy), the least mean squared error (mse); or auto: all of them are "
             "tried, and the one whose outputs are nearest to the float model's is taken.",
             "auto", {"auto", "minmax", "percentile", "entropy", "mse"}),
      {.name = "percentile",
       .type = ParamType::kFloat,
       .description = "Share of values, in percent, that the range of \"percentile\" keeps.",
       .default_value = ParamValue{99.99},
       .minimum = 50,
       .maximum = 100},
      {.name = "max_calibration_samples",
       .type = ParamType::kInt,
       .description = "At most this many calibration samples are used, spread over all of them.",
       .default_value = ParamValue{std::int64_t{512}},
       .minimum = 1},
  };
}

std::vector<ParamSpec> NumberFormatParams() {
  return {
      Choice("activation_type", "Type of quantised activations.", "uint8", {"uint8", "int8"}),
      Choice("weight_type", "Type of quantised weights.", "int8", {"int8"}),
      Flag("per_channel", "One weight scale for each output channel.", true),
      Flag("symmetric_activations", "Activation ranges are symmetric around zero.", false),
      Choice("weight_range",
             "\"full\" is -127..127, \"reduced\" -64..64. \"auto\" reduces only layers whose sums "
             "could saturate in 16 bits, and only where the target CPU has that flaw.",
             "auto", {"auto", "full", "reduced"}),
      Flag("bias_correction", "Shift biases by the mean error that quantised weights cause.", true),
      Flag("cross_layer_equalization",
           "Balance the channel ranges of successive convolutions before quantising.", false),
  };
}

std::vector<ParamSpec> SelectionParams() {
  return {
      Names("nodes_to_quantize", "Only these nodes are quantised; empty: all that can be."),
      Names("nodes_to_exclude", "Nodes that stay in floating point."),
      Names("op_types_to_quantize", "Only these operator types; empty: all that can be."),
      Names("op_types_to_exclude", "Operator types that stay in floating point."),
  };
}

}  // namespace

ParamSchema OnnxQuantizerSchema() {
  ParamSchema schema;
  for (const auto& group :
       {GeneralParams(), CalibrationParams(), NumberFormatParams(), SelectionParams()}) {
    schema.params.insert(schema.params.end(), group.begin(), group.end());
  }
  return schema;
}

}  // namespace kenning
