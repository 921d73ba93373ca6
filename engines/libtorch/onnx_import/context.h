// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the translations of ONNX operators work on.
#pragma once

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kenning/base/result.h"
#include "onnx/onnx.pb.h"
#include "script_builder.h"

namespace kenning::libtorch::onnx_import {

/// A tensor of the graph.
struct Value {
  std::string name;  ///< Its expression in the source.
  std::optional<at::Tensor> constant;
  at::ScalarType type = at::kFloat;
  int rank = -1;  ///< Number of dimensions; -1 where it is not known.
};

/// One node, with its attributes and inputs in a convenient form.
class Op {
 public:
  Op(const onnx::NodeProto& node, std::int64_t opset, ScriptBuilder& builder,
     std::map<std::string, Value>& values)
      : node_(node), opset_(opset), builder_(builder), values_(values) {}

  const std::string& type() const { return node_.op_type(); }
  std::int64_t opset() const { return opset_; }
  ScriptBuilder& builder() { return builder_; }
  std::size_t outputs() const { return static_cast<std::size_t>(node_.output_size()); }

  std::int64_t Int(const char* name, std::int64_t fallback) const;
  double Float(const char* name, double fallback) const;
  std::string String(const char* name, const std::string& fallback) const;
  std::optional<std::vector<std::int64_t>> Ints(const char* name) const;

  bool Has(int index) const;
  /// \return kInvalidModel for an input that is not there or not defined.
  Result<Value> In(int index) const;
  /// "None" for an input that is not there.
  Result<std::string> InOrNone(int index) const;
  /// A constant input as whole numbers; empty where it is not there. \return kUnsupported where it
  /// is computed by the model.
  Result<std::optional<std::vector<std::int64_t>>> ConstantInts(int index) const;
  Result<std::optional<double>> ConstantFloat(int index) const;
  /// Attribute or, of newer operator sets, input: axes, splits, pads.
  Result<std::optional<std::vector<std::int64_t>>> IntsOf(const char* attribute, int input) const;

  /// Names the result `index`.
  Result<> Out(const std::string& expression, at::ScalarType type, int index = 0);
  tl::unexpected<Error> Unsupported(const std::string& what) const;
  tl::unexpected<Error> Invalid(const std::string& what) const;

 private:
  const onnx::AttributeProto* Find(const char* name) const;
  std::string Name() const;
  /// Of the results, where the operator keeps its inputs'.
  int RankOfResult() const;
  const onnx::NodeProto& node_;
  std::int64_t opset_;
  ScriptBuilder& builder_;
  std::map<std::string, Value>& values_;
};

using Translate = std::function<Result<>(Op&)>;
using TranslateMap = std::map<std::string, Translate>;
void AddMathOps(TranslateMap& ops);
void AddLayerOps(TranslateMap& ops);
void AddShapeOps(TranslateMap& ops);

/// \return kInvalidModel, kUnsupported.
Result<at::Tensor> TensorOf(const onnx::TensorProto& proto);
std::optional<at::ScalarType> TypeOf(int onnx_type);
/// The number that stands for a type in TorchScript's source.
int TypeNumber(at::ScalarType type);

}  // namespace kenning::libtorch::onnx_import
