// SPDX-License-Identifier: Apache-2.0
/// \file
/// Builds a TorchScript module from lines of its source and tensors. Knows no model format.
#pragma once

#include <torch/csrc/jit/api/module.h>

#include <span>
#include <string>
#include <vector>

namespace kenning::libtorch {

/// Names are made here and never come from a model, so that no file can write source of its own.
class ScriptBuilder {
 public:
  ScriptBuilder();
  /// A parameter of forward, as an expression.
  std::string AddInput();
  /// A tensor of the module (a weight, a constant), as an expression.
  std::string AddTensor(const at::Tensor& tensor);
  /// Adds the line `<new name> = <expression>` and gives the name.
  std::string Assign(const std::string& expression);
  /// The same with a type ("List[int]"), where the source does not tell it.
  std::string AssignTyped(const std::string& type, const std::string& expression);
  /// Adds `<a>, <b>, … = <expression>`.
  std::vector<std::string> AssignMany(std::size_t count, const std::string& expression);
  /// Throws LibTorch's exceptions where the source does not compile.
  torch::jit::Module Build(std::span<const std::string> outputs);
  const std::string& body() const { return body_; }

 private:
  std::string NewName();
  torch::jit::Module module_;
  std::string body_;
  std::size_t inputs_ = 0;
  std::size_t tensors_ = 0;
  std::size_t names_ = 0;
};

/// Python spelling of numbers and lists: 1.0, float("inf"), [1, 2].
std::string PyFloat(double value);
std::string PyBool(bool value);
std::string PyInts(std::span<const std::int64_t> values);

}  // namespace kenning::libtorch
