// SPDX-License-Identifier: Apache-2.0
/// \file
/// A model loaded in OpenVINO.
#pragma once

#include <deque>

#include "kenning/core/runtime.h"
#include "ov_api.h"
#include "ov_runtime.h"

namespace kenning::openvino {

/// Compile settings of a session as OpenVINO's properties.
ov::AnyMap CompileProperties(const SessionSettings& settings);

/// A model compiled with every tensor inside it as a further output, for one combination of input
/// shapes.
class InsideView {
 public:
  static Result<std::unique_ptr<InsideView>> Make(const std::filesystem::path& path,
                                                  std::string_view format,
                                                  const ov::AnyMap& properties,
                                                  const std::vector<Shape>& input_shapes);
  const std::vector<Shape>& input_shapes() const { return input_shapes_; }
  /// Runs the model; copies of the tensors, in order of computation.
  Result<std::vector<NamedTensor>> Run(std::span<const TensorView> inputs);

 private:
  /// A tensor inside the model and the number of the output that shows it.
  struct Shown {
    std::string name;
    std::size_t output = 0;
    std::optional<QuantParams> quant;
  };
  explicit InsideView(std::filesystem::path path) : path_(std::move(path)) {}
  void ShowAll(ov::Model& model);

  std::filesystem::path path_;
  std::vector<Shape> input_shapes_;
  std::vector<Shown> shown_;
  ov::InferRequest request_;
};

/// Tensors of the caller are wrapped, not copied; the wrapping is kept while the caller passes the
/// same memory. A model with dynamic dimensions is compiled anew for each combination of input
/// shapes, by ResolveOutputs, so that what runs is as fast as a static model.
class OvSession final : public Session {
 public:
  static Result<std::unique_ptr<Session>> Load(const std::filesystem::path& path,
                                               const std::string& format,
                                               const SessionSettings& settings);

  const ModelSpec& spec() const override { return spec_; }
  Result<std::vector<TensorSpec>> ResolveOutputs(std::span<const Shape> input_shapes) override;
  Result<> Invoke(std::span<const TensorView> inputs,
                  std::span<const MutableTensorView> outputs) override;
  Result<std::vector<OperatorProfile>> Profile() override;
  Result<std::vector<NamedTensor>> Intermediates(std::span<const TensorView> inputs) override;

 private:
  /// A caller's memory as OpenVINO was told of it.
  struct Binding {
    const void* data = nullptr;
    std::size_t size_bytes = 0;
    Shape shape;
  };
  /// The model compiled for one combination of input shapes.
  struct Variant {
    std::vector<Shape> input_shapes;  ///< With kAnyDim where it takes any size.
    std::vector<TensorSpec> outputs;  ///< With kAnyDim where the size depends on values.
    ov::CompiledModel compiled;
    ov::InferRequest request;
    std::vector<Binding> bound_inputs;
    std::vector<Binding> bound_outputs;
    std::uint64_t invokes = 0;
  };

  OvSession(std::filesystem::path path, std::string format, SessionSettings settings)
      : path_(std::move(path)), format_(std::move(format)), settings_(std::move(settings)) {}
  Result<> Compile(std::shared_ptr<ov::Model> model);
  Result<Variant*> MakeVariant(const std::vector<Shape>& input_shapes);
  /// The variant that fits, made where there is none.
  Result<Variant*> VariantFor(const std::vector<Shape>& input_shapes);
  Result<> CheckShapes(std::span<const Shape> input_shapes) const;
  Result<> Rebind(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs);
  bool AlreadyBound(std::span<const TensorView> inputs,
                    std::span<const MutableTensorView> outputs) const;
  Result<std::vector<TensorSpec>> OutputsByRunning(Variant& variant,
                                                   std::span<const Shape> input_shapes);

  std::filesystem::path path_;
  std::string format_;
  SessionSettings settings_;
  ModelSpec spec_;
  /// Kept for further variants; null where all input shapes are fixed.
  std::shared_ptr<ov::Model> dynamic_model_;
  std::deque<Variant> variants_;  ///< Newest last; at most kMostVariants.
  Variant* current_ = nullptr;
  std::unique_ptr<InsideView> inside_;  ///< Of the last Intermediates.
};

}  // namespace kenning::openvino
