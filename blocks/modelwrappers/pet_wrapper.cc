// SPDX-License-Identifier: Apache-2.0
#include "pet_wrapper.h"

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

ParamSchema PetWrapperSchema(std::string_view model) {
  return {{
      {.name = "model_path",
       .type = ParamType::kUri,
       .description = fmt::format("The {}: a path, file:// or http(s):// .", model),
       .required = true,
       .aliases = {"modelpath"}},
      {.name = "model_name",
       .type = ParamType::kString,
       .description = "Name of the run in reports, where the command line gives none.",
       .default_value = ParamValue{},
       .nullable = true},
      {.name = "normalization",
       .type = ParamType::kString,
       .description = "Which mean and deviation normalise the input: the dataset's published ones, "
                      "as Kenning does, or none.",
       .default_value = ParamValue{std::string("dataset")},
       .allowed = {"dataset", "none"},
       .aliases = {"normalisation"}},
      TrainingOnly("batch_size", ParamType::kInt),
      TrainingOnly("learning_rate", ParamType::kFloat),
      TrainingOnly("num_epochs", ParamType::kInt),
      TrainingOnly("logdir", ParamType::kPath),
      TrainingOnly("num_classes", ParamType::kInt),
      TrainingOnly("export_dict", ParamType::kBool),
  }};
}

ModelWrapperFactory PetWrapperFactory(std::vector<std::string> formats) {
  return [formats = std::move(formats)](
             const Params& params, const Dataset* dataset,
             BlockContext& context) -> Result<std::unique_ptr<ModelWrapper>> {
    const std::string& uri = params.String("model_path");
    KENNING_ASSIGN_OR_RETURN(const std::string format, ModelFormat(uri, formats, context));
    KENNING_ASSIGN_OR_RETURN(ModelArtifact model, DescribeModelFile(uri, format, context));
    const ModelSpec& spec = model.spec;
    if (spec.inputs.size() != 1 || spec.outputs.size() != 1) {
      return Fail(ErrorCode::kInvalidScenario,
                  fmt::format("{} has {} inputs and {} outputs; a classifier of pets has one of "
                              "each",
                              model.path.string(), spec.inputs.size(), spec.outputs.size()));
    }
    ClassifierOptions options;
    options.framework = FrameworkOfFormat(format);
    options.classes = spec.outputs[0].class_names;
    if (dataset != nullptr && params.String("normalization") == "dataset") {
      if (dataset->info().mean.empty()) {
        return Fail(ErrorCode::kInvalidScenario,
                    fmt::format("dataset {} has no published mean and deviation; set the model "
                                "wrapper's normalization to \"none\", or use PetDataset",
                                dataset->info().name));
      }
      options.input.mean = dataset->info().mean;
      options.input.stddev = dataset->info().stddev;
    }
    return MakeClassifier(std::move(model), options, dataset);
  };
}

}  // namespace kenning
