// SPDX-License-Identifier: Apache-2.0
#include "magic_wand_wrapper.h"

#include <fmt/format.h>

#include "classifier.h"
#include "model_file.h"

namespace kenning {
namespace {

ParamSpec TrainingOnly(std::string name, ParamType type) {
  return {.name = std::move(name),
          .type = type,
          .description = "Accepted for Kenning's scenarios; has a meaning in training only.",
          .default_value = ParamValue{},
          .nullable = true};
}

}  // namespace

Result<std::unique_ptr<ModelWrapper>> MakeMagicWandWrapper(const Params& params,
                                                           const Dataset* dataset,
                                                           BlockContext& context) {
  const std::string& uri = params.String("model_path");
  KENNING_ASSIGN_OR_RETURN(const std::string format, ModelFormat(uri, {}, context));
  KENNING_ASSIGN_OR_RETURN(ModelArtifact model, DescribeModelFile(uri, format, context));
  const ModelSpec& spec = model.spec;
  if (spec.inputs.size() != 1 || spec.outputs.size() != 1) {
    return Fail(ErrorCode::kInvalidScenario,
                fmt::format("{} has {} inputs and {} outputs; a magic wand model has one of each",
                            model.path.string(), spec.inputs.size(), spec.outputs.size()));
  }
  TensorSpec window;
  window.shape = {params.Int("window_size"), 3};
  KENNING_RETURN_IF_ERROR(InputAdapter::Make(window, spec.inputs[0], {}),
                          "window_size of the model wrapper");
  ClassifierOptions options;
  options.framework = FrameworkOfFormat(format);
  options.classes = spec.outputs[0].class_names;
  return MakeClassifier(std::move(model), options, dataset);
}

ParamSchema MagicWandSchema() {
  return {{
      {.name = "model_path",
       .type = ParamType::kUri,
       .description = "The model, of any format that this build reads; for example "
                      "kenning:///models/magic_wand.onnx.",
       .required = true},
      {.name = "model_name",
       .type = ParamType::kString,
       .description = "Name of the run in reports, where the command line gives none.",
       .default_value = ParamValue{},
       .nullable = true},
      {.name = "window_size",
       .type = ParamType::kInt,
       .description = "Readings in a window.",
       .default_value = ParamValue{std::int64_t{128}},
       .minimum = 1,
       .maximum = 1 << 20},
      TrainingOnly("batch_size", ParamType::kInt),
      TrainingOnly("learning_rate", ParamType::kFloat),
      TrainingOnly("num_epochs", ParamType::kInt),
      TrainingOnly("logdir", ParamType::kPath),
  }};
}

}  // namespace kenning
