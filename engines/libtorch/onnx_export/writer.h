// SPDX-License-Identifier: Apache-2.0
/// \file
/// The ONNX graph that grows while a TorchScript graph is translated.
#pragma once

#include <ATen/core/Tensor.h>
#include <fmt/format.h>
#include <torch/csrc/jit/ir/ir.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kenning/base/result.h"
#include "onnx/onnx.pb.h"

namespace kenning::libtorch::onnx_export {

using Ints = std::vector<std::int64_t>;

class Writer {
 public:
  explicit Writer(onnx::GraphProto& graph) : graph_(graph) {}

  /// Adds a node with one output and gives that output's name.
  std::string Add(const std::string& type, const std::vector<std::string>& inputs);
  /// Attributes of the node that was added last.
  void SetInt(const char* name, std::int64_t value);
  void SetFloat(const char* name, double value);
  void SetInts(const char* name, const Ints& values);
  void SetString(const char* name, const std::string& value);

  /// A tensor of the file; gives its name.
  std::string AddTensor(const at::Tensor& tensor);
  std::string AddInts(const Ints& values);
  std::string AddScalar(double value, at::ScalarType type);

  void Name(const torch::jit::Value* value, std::string name);
  /// The name of a tensor, constants included. \return kUnsupported for what was not translated.
  Result<std::string> NameOf(const torch::jit::Value* value);

 private:
  onnx::AttributeProto* AddAttribute(const char* name);
  onnx::GraphProto& graph_;
  std::map<const torch::jit::Value*, std::string> names_;
  std::size_t tensors_ = 0;
  std::size_t values_ = 0;
};

/// One node of the TorchScript graph and the writer, with its inputs in a convenient form.
class Op {
 public:
  Op(torch::jit::Node& node, Writer& writer) : node_(node), writer_(writer) {}
  Writer& writer() { return writer_; }
  torch::jit::Node& node() { return node_; }

  bool IsNone(std::size_t index) const;
  Result<std::string> In(std::size_t index);
  /// Number of dimensions, -1 where it is not known.
  std::int64_t Rank(std::size_t index) const;
  std::optional<at::Tensor> Constant(std::size_t index) const;
  Result<std::int64_t> Int(std::size_t index) const;
  Result<double> Float(std::size_t index) const;
  Result<bool> Bool(std::size_t index) const;
  Result<Ints> IntList(std::size_t index) const;
  /// A tensor or a number, as a tensor of the other operand's type.
  Result<std::string> Operand(std::size_t index, std::size_t other);
  at::ScalarType TypeOf(std::size_t index) const;

  Result<> Out(std::string name);
  tl::unexpected<Error> Unsupported(const std::string& what) const;

 private:
  torch::jit::Node& node_;
  Writer& writer_;
};

using Translate = std::function<Result<>(Op&)>;
using TranslateMap = std::map<std::string, Translate>;
void AddLayerOps(TranslateMap& ops);
void AddMathOps(TranslateMap& ops);
void AddShapeOps(TranslateMap& ops);
std::optional<int> OnnxTypeOf(at::ScalarType type);

}  // namespace kenning::libtorch::onnx_export
