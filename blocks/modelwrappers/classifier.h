// SPDX-License-Identifier: Apache-2.0
/// \file
/// Classifier and its narrower kinds (ONNXClassifier, TensorFlowWrapper, …): any model with one
/// input and class scores as output, of any format that an engine of the build reads.
#pragma once

#include "class_scores.h"
#include "input_adapter.h"
#include "kenning/core/model_wrapper.h"
#include "kenning/registry/registry.h"

namespace kenning {

class ClassifierWrapper final : public ModelWrapper {
 public:
  ClassifierWrapper(ModelArtifact model, std::string framework, InputAdapter input,
                    ClassScoreReader scores, std::size_t output_index)
      : model_(std::move(model)),
        framework_(std::move(framework)),
        input_(std::move(input)),
        scores_(std::move(scores)),
        output_index_(output_index) {}

  const ModelArtifact& model() const override { return model_; }
  std::string framework() const override { return framework_; }
  Result<> Preprocess(const Batch& batch, std::vector<Tensor>& out) const override;
  Result<> Postprocess(std::span<const TensorView> outputs, const Batch& batch,
                       std::vector<Prediction>& out) const override;

 private:
  ModelArtifact model_;
  std::string framework_;
  InputAdapter input_;
  ClassScoreReader scores_;
  std::size_t output_index_;
};

/// What a classifier's wrapper is made of, beside its model.
struct ClassifierOptions {
  std::string framework;
  InputOptions input;
  std::vector<std::string> classes;  ///< The model's; empty: not named.
  std::size_t output_index = 0;
  bool softmax = false;
};
/// Fits a model with one input to the dataset's samples and classes; `dataset` may be null.
/// \return kInvalidScenario where they do not fit.
Result<std::unique_ptr<ModelWrapper>> MakeClassifier(ModelArtifact model,
                                                     const ClassifierOptions& options,
                                                     const Dataset* dataset);

/// `model` says what model_path names: "ONNX model".
ParamSchema ClassifierSchema(std::string_view model);
/// A classifier of one of these formats, which the model's path tells; empty: of any.
ModelWrapperFactory ClassifierFactory(std::vector<std::string> formats);

/// Class names given in a scenario: the list, or the lines of a file.
Result<std::vector<std::string>> GivenClassNames(const Params& params, BlockContext& context);

}  // namespace kenning
