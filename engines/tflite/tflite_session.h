// SPDX-License-Identifier: Apache-2.0
/// \file
/// A model loaded in TensorFlow Lite.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kenning/core/runtime.h"
#include "model_file/model_file.h"
#include "tflite_c_api.h"
#include "tflite_delegates.h"
#include "tflite_profiler.h"
#include "tflite_runtime.h"

namespace kenning::tflite {

/// An interpreter with all that it refers to, in the order in which it must be destroyed.
class Interpreter {
 public:
  /// `bytes` are a checked model. \return kUnsupported (an operator without a kernel),
  /// kInvalidModel, kUnavailable (a delegate), with `name` and the engine's own words.
  static Result<std::unique_ptr<Interpreter>> Create(std::string bytes, const std::string& name,
                                                     const SessionSettings& settings,
                                                     TfLiteTelemetryProfilerStruct* profiler);
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  TfLiteInterpreter* get() const { return interpreter_; }
  std::string_view bytes() const { return bytes_; }
  /// What the engine complained of since the last call.
  std::string TakeMessages();

 private:
  Interpreter() = default;
  Result<> Build(const std::string& name, const SessionSettings& settings,
                 TfLiteTelemetryProfilerStruct* profiler);
  Error EngineError(ErrorCode code, const std::string& name, std::string_view what);

  std::string bytes_;
  std::string messages_;
  std::vector<DelegatePtr> delegates_;
  TfLiteModel* model_ = nullptr;
  TfLiteInterpreter* interpreter_ = nullptr;
};

/// Copies the caller's inputs into the engine's tensors and its outputs back: the engine owns its
/// memory. Room for other shapes is made in ResolveOutputs, so that Invoke does not make it.
class TfliteSession final : public Session {
 public:
  static Result<std::unique_ptr<Session>> Load(const std::filesystem::path& path,
                                               const SessionSettings& settings);

  const ModelSpec& spec() const override { return spec_; }
  Result<std::vector<TensorSpec>> ResolveOutputs(std::span<const Shape> input_shapes) override;
  Result<> Invoke(std::span<const TensorView> inputs,
                  std::span<const MutableTensorView> outputs) override;
  Result<std::vector<OperatorProfile>> Profile() override;
  Result<std::vector<NamedTensor>> Intermediates(std::span<const TensorView> inputs) override;

 private:
  TfliteSession(std::string name, SessionSettings settings, ModelFile file)
      : name_(std::move(name)), settings_(std::move(settings)), file_(std::move(file)) {}
  Result<> ReadSpec();
  Result<> CheckInputs(std::span<const TensorView> inputs) const;
  Result<> CheckInput(const TensorView& view, std::size_t index) const;
  /// Takes note of what the engine has just made room for.
  Result<> Allocated();
  Result<> Resize(std::span<const Shape> shapes);
  Result<> RunOnce(TfLiteInterpreter* interpreter);

  std::string name_;
  SessionSettings settings_;
  ModelFile file_;
  std::unique_ptr<Profiler> profiler_;
  std::unique_ptr<Interpreter> interpreter_;
  ModelSpec spec_;
  std::vector<Shape> shapes_;  ///< Of the inputs, as allocated now.
  std::vector<std::size_t> input_bytes_;
  bool allocated_ = false;
};

}  // namespace kenning::tflite
