// SPDX-License-Identifier: Apache-2.0
#include "classifier.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "kenning/base/file.h"
#include "kenning/base/strings.h"
#include "model_file.h"

namespace kenning {
namespace {

constexpr std::uint64_t kMostClassNameBytes = 16U << 20;

std::vector<float> ToFloats(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

/// The numbers of "normalization": the model's own, the dataset's, the scenario's, or none.
Result<InputOptions> ReadInputOptions(const Params& params, const TensorSpec& input,
                                      const Dataset* dataset) {
  InputOptions options;
  options.layout = params.String("input_layout");
  options.reverse_channels = params.String("channel_order") == "BGR";
  options.scale = static_cast<float>(params.Float("scale"));
  std::string kind = params.String("normalization");
  const bool given = params.Has("mean") || params.Has("std");
  if (kind == "model" && given) kind = "custom";
  if (kind == "custom") {
    if (!params.Has("mean") || !params.Has("std")) {
      return Fail(ErrorCode::kInvalidScenario,
                  "normalization \"custom\" needs both parameters, mean and std");
    }
    options.mean = ToFloats(params.FloatList("mean"));
    options.stddev = ToFloats(params.FloatList("std"));
  } else if (given) {
    return Fail(ErrorCode::kInvalidScenario,
                fmt::format("mean and std have no use with normalization \"{}\": leave them out, "
                            "or choose \"custom\"",
                            kind));
  } else if (kind == "model") {
    options.mean = input.mean;
    options.stddev = input.stddev;
  } else if (kind == "dataset" && dataset != nullptr) {
    if (dataset->info().mean.empty()) {
      return Fail(ErrorCode::kInvalidScenario,
                  fmt::format("dataset {} has no published mean and deviation; use normalization "
                              "\"custom\" with mean and std",
                              dataset->info().name));
    }
    options.mean = dataset->info().mean;
    options.stddev = dataset->info().stddev;
  }
  return options;
}

/// Samples arrive as float32. Other floats are cast, and quantised inputs by their scale; whole
/// numbers would lose what lies between, unless the scenario says that it means them.
Result<> CheckInputType(const TensorSpec& input, const Params& params) {
  const bool is_float = input.dtype == DType::kFloat32 || input.dtype == DType::kFloat16 ||
                        input.dtype == DType::kBFloat16 || input.dtype == DType::kFloat64;
  if (is_float || input.quant) return {};
  const bool small = input.dtype == DType::kUint8 || input.dtype == DType::kInt8;
  if (small && params.Float("scale") != 1.0) return {};
  return Fail(ErrorCode::kInvalidScenario,
              fmt::format("the model's input \"{}\" {} takes {}, the samples are float32 of 0..1{}",
                          input.name, ToString(input), DTypeName(input.dtype),
                          small ? "; set the model wrapper's scale to 255 for a model that takes "
                                  "pixels as they are stored"
                                : ""));
}

Result<std::size_t> FindOutput(const Params& params, const ModelSpec& spec) {
  if (!params.Has("output_name")) return std::size_t{0};
  std::vector<std::string> names;
  for (std::size_t i = 0; i < spec.outputs.size(); ++i) {
    if (spec.outputs[i].name == params.String("output_name")) return i;
    names.push_back(spec.outputs[i].name);
  }
  return Fail(ErrorCode::kInvalidScenario,
              fmt::format("the model has no output \"{}\"; its outputs: {}",
                          params.String("output_name"), Join(names)));
}

}  // namespace

Result<> ClassifierWrapper::Preprocess(const Batch& batch, std::vector<Tensor>& out) const {
  if (batch.inputs.empty()) return Fail(ErrorCode::kInvalidData, "a batch without inputs");
  out.resize(1);
  return input_.Apply(batch.inputs[0], out[0]);
}

Result<> ClassifierWrapper::Postprocess(std::span<const TensorView> outputs, const Batch& batch,
                                        std::vector<Prediction>& out) const {
  if (output_index_ >= outputs.size()) {
    return Fail(ErrorCode::kEngineFailure,
                fmt::format("the model gave {} outputs", outputs.size()));
  }
  return scores_.Read(outputs[output_index_], batch, out);
}

Result<std::vector<std::string>> GivenClassNames(const Params& params, BlockContext& context) {
  if (params.Has("class_names") && !params.StringList("class_names").empty()) {
    return params.StringList("class_names");
  }
  std::vector<std::string> names;
  if (!params.Has("class_names_file")) return names;
  KENNING_ASSIGN_OR_RETURN(const auto path, context.resolve_uri(params.String("class_names_file")));
  KENNING_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMostClassNameBytes),
                           "class_names_file");
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) names.push_back(line);
  }
  return names;
}

Result<std::unique_ptr<ModelWrapper>> MakeClassifier(ModelArtifact model,
                                                     const ClassifierOptions& options,
                                                     const Dataset* dataset) {
  const ModelSpec& spec = model.spec;
  InputAdapter input;
  std::vector<std::string> dataset_classes;
  if (dataset != nullptr) {
    if (dataset->info().sample_specs.size() != 1) {
      return Fail(ErrorCode::kInvalidScenario,
                  fmt::format("dataset {} gives {} tensors a sample, the model takes one",
                              dataset->info().name, dataset->info().sample_specs.size()));
    }
    KENNING_ASSIGN_OR_RETURN(
        input, InputAdapter::Make(dataset->info().sample_specs[0], spec.inputs[0], options.input));
    dataset_classes = dataset->info().class_names;
  }
  KENNING_ASSIGN_OR_RETURN(
      ClassScoreReader scores,
      ClassScoreReader::Make(spec.outputs[options.output_index], options.classes, dataset_classes,
                             options.softmax));
  return std::make_unique<ClassifierWrapper>(std::move(model), options.framework, std::move(input),
                                             std::move(scores), options.output_index);
}

namespace {

Result<std::unique_ptr<ModelWrapper>> MakeClassifierOfFormat(const Params& params,
                                                             const std::string& format,
                                                             const Dataset* dataset,
                                                             BlockContext& context) {
  KENNING_ASSIGN_OR_RETURN(ModelArtifact model,
                           DescribeModelFile(params.String("model_path"), format, context));
  const ModelSpec& spec = model.spec;
  if (spec.inputs.size() != 1 || spec.outputs.empty()) {
    return Fail(ErrorCode::kInvalidScenario,
                fmt::format("{} has {} inputs and {} outputs; a classifier has one input and at "
                            "least one output",
                            model.path.string(), spec.inputs.size(), spec.outputs.size()));
  }
  KENNING_RETURN_IF_ERROR(CheckInputType(spec.inputs[0], params));
  ClassifierOptions options;
  options.framework =
      params.Has("framework") ? params.String("framework") : FrameworkOfFormat(model.format);
  options.softmax = params.Bool("softmax");
  KENNING_ASSIGN_OR_RETURN(options.output_index, FindOutput(params, spec));
  KENNING_ASSIGN_OR_RETURN(options.classes, GivenClassNames(params, context));
  if (options.classes.empty()) options.classes = spec.outputs[options.output_index].class_names;
  KENNING_ASSIGN_OR_RETURN(options.input, ReadInputOptions(params, spec.inputs[0], dataset));
  return MakeClassifier(std::move(model), options, dataset);
}

}  // namespace

ModelWrapperFactory ClassifierFactory(std::vector<std::string> formats) {
  return [formats = std::move(formats)](
             const Params& params, const Dataset* dataset,
             BlockContext& context) -> Result<std::unique_ptr<ModelWrapper>> {
    KENNING_ASSIGN_OR_RETURN(const std::string format,
                             ModelFormat(params.String("model_path"), formats, context));
    return MakeClassifierOfFormat(params, format, dataset, context);
  };
}

ParamSchema ClassifierSchema(std::string_view model) {
  return {{
      {.name = "model_path",
       .type = ParamType::kUri,
       .description =
           fmt::format("The {}: a path, file://, http(s):// or kenning:///models/… .", model),
       .required = true},
      {.name = "model_name",
       .type = ParamType::kString,
       .description = "Name of the run in reports, where the command line gives none.",
       .default_value = ParamValue{},
       .nullable = true},
      {.name = "input_layout",
       .type = ParamType::kString,
       .description = "Order of the input's dimensions; \"auto\" goes by the shapes.",
       .default_value = ParamValue{std::string("auto")},
       .allowed = {"auto", "NCHW", "NHWC"}},
      {.name = "channel_order",
       .type = ParamType::kString,
       .description = "Order of colours that the model expects.",
       .default_value = ParamValue{std::string("RGB")},
       .allowed = {"RGB", "BGR"}},
      {.name = "normalization",
       .type = ParamType::kString,
       .description = "Which mean and deviation normalise the input: those that the model's file "
                      "or its <model>.json names, the dataset's published ones, those of this "
                      "scenario, or none.",
       .default_value = ParamValue{std::string("model")},
       .allowed = {"model", "dataset", "custom", "none"},
       .aliases = {"normalisation"}},
      {.name = "mean",
       .type = ParamType::kFloatList,
       .description = "Subtracted from each channel, after scale.",
       .default_value = ParamValue{},
       .nullable = true},
      {.name = "std",
       .type = ParamType::kFloatList,
       .description = "Divides each channel, after mean.",
       .default_value = ParamValue{},
       .nullable = true},
      {.name = "scale",
       .type = ParamType::kFloat,
       .description = "Multiplies the samples first: 255 for models that take 0..255 where the "
                      "dataset gives 0..1.",
       .default_value = ParamValue{1.0}},
      {.name = "class_names",
       .type = ParamType::kStringList,
       .description = "The model's classes in its own order; matched with the dataset's by name.",
       .default_value = ParamValue{},
       .nullable = true},
      {.name = "class_names_file",
       .type = ParamType::kUri,
       .description = "The same from a file with one name a line.",
       .default_value = ParamValue{},
       .nullable = true},
      {.name = "softmax",
       .type = ParamType::kBool,
       .description = "Turn the output into probabilities: for models that give logits, where a "
                      "report should show probabilities. Accuracy does not change.",
       .default_value = ParamValue{false}},
      {.name = "output_name",
       .type = ParamType::kString,
       .description = "The output with the class scores; by default the first one.",
       .default_value = ParamValue{},
       .nullable = true},
      {.name = "framework",
       .type = ParamType::kString,
       .description = "Framework that trained the model, shown in reports; by default the one that "
                      "the model's format belongs to.",
       .default_value = ParamValue{},
       .nullable = true},
  }};
}

}  // namespace kenning
