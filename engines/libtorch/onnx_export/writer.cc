// SPDX-License-Identifier: Apache-2.0
#include "writer.h"

#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <torch/csrc/jit/ir/constants.h>

namespace kenning::libtorch::onnx_export {

std::optional<int> OnnxTypeOf(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return onnx::TensorProto::FLOAT;
    case at::kDouble:
      return onnx::TensorProto::DOUBLE;
    case at::kHalf:
      return onnx::TensorProto::FLOAT16;
    case at::kBFloat16:
      return onnx::TensorProto::BFLOAT16;
    case at::kLong:
      return onnx::TensorProto::INT64;
    case at::kInt:
      return onnx::TensorProto::INT32;
    case at::kShort:
      return onnx::TensorProto::INT16;
    case at::kChar:
      return onnx::TensorProto::INT8;
    case at::kByte:
      return onnx::TensorProto::UINT8;
    case at::kBool:
      return onnx::TensorProto::BOOL;
    default:
      return std::nullopt;
  }
}

std::string Writer::Add(const std::string& type, const std::vector<std::string>& inputs) {
  onnx::NodeProto* node = graph_.add_node();
  node->set_op_type(type);
  node->set_name(fmt::format("{}_{}", type, values_));
  for (const std::string& input : inputs) node->add_input(input);
  // An input that is not given at the end is left out.
  while (node->input_size() > 0 && node->input(node->input_size() - 1).empty()) {
    node->mutable_input()->RemoveLast();
  }
  node->add_output(fmt::format("value_{}", values_++));
  return node->output(0);
}

onnx::AttributeProto* Writer::AddAttribute(const char* name) {
  onnx::AttributeProto* attribute = graph_.mutable_node(graph_.node_size() - 1)->add_attribute();
  attribute->set_name(name);
  return attribute;
}

void Writer::SetInt(const char* name, std::int64_t value) {
  onnx::AttributeProto* attribute = AddAttribute(name);
  attribute->set_type(onnx::AttributeProto::INT);
  attribute->set_i(value);
}

void Writer::SetFloat(const char* name, double value) {
  onnx::AttributeProto* attribute = AddAttribute(name);
  attribute->set_type(onnx::AttributeProto::FLOAT);
  attribute->set_f(static_cast<float>(value));
}

void Writer::SetInts(const char* name, const Ints& values) {
  onnx::AttributeProto* attribute = AddAttribute(name);
  attribute->set_type(onnx::AttributeProto::INTS);
  for (const std::int64_t value : values) attribute->add_ints(value);
}

void Writer::SetString(const char* name, const std::string& value) {
  onnx::AttributeProto* attribute = AddAttribute(name);
  attribute->set_type(onnx::AttributeProto::STRING);
  attribute->set_s(value);
}

std::string Writer::AddTensor(const at::Tensor& tensor) {
  const at::Tensor plain = (tensor.is_mkldnn() ? tensor.to_dense() : tensor).contiguous();
  onnx::TensorProto* proto = graph_.add_initializer();
  proto->set_name(fmt::format("tensor_{}", tensors_++));
  proto->set_data_type(OnnxTypeOf(plain.scalar_type()).value_or(0));
  for (const std::int64_t size : plain.sizes()) proto->add_dims(size);
  proto->set_raw_data(plain.const_data_ptr(), plain.nbytes());
  return proto->name();
}

std::string Writer::AddInts(const Ints& values) { return AddTensor(at::tensor(values, at::kLong)); }

std::string Writer::AddScalar(double value, at::ScalarType type) {
  return AddTensor(at::scalar_tensor(value, at::kDouble).to(type));
}

void Writer::Name(const torch::jit::Value* value, std::string name) {
  names_[value] = std::move(name);
}

Result<std::string> Writer::NameOf(const torch::jit::Value* value) {
  if (const auto found = names_.find(value); found != names_.end()) return found->second;
  const auto constant = torch::jit::toIValue(value);
  if (!constant || !constant->isTensor()) {
    return Fail(ErrorCode::kUnsupported, fmt::format("the result of {} is used as a tensor",
                                                     value->node()->kind().toQualString()));
  }
  if (!OnnxTypeOf(constant->toTensor().scalar_type())) {
    return Fail(ErrorCode::kUnsupported, "a constant of a type that ONNX lacks");
  }
  names_[value] = AddTensor(constant->toTensor());
  return names_[value];
}

tl::unexpected<Error> Op::Unsupported(const std::string& what) const {
  return Fail(ErrorCode::kUnsupported,
              fmt::format("operator {}: {}", node_.kind().toQualString(), what));
}

bool Op::IsNone(std::size_t index) const {
  const auto value = torch::jit::toIValue(node_.input(index));
  return value && value->isNone();
}

Result<std::string> Op::In(std::size_t index) {
  if (index >= node_.inputs().size()) return Unsupported("too few inputs");
  return writer_.NameOf(node_.input(index));
}

std::int64_t Op::Rank(std::size_t index) const {
  const auto type = node_.input(index)->type()->cast<c10::TensorType>();
  if (!type || !type->dim()) return -1;
  return static_cast<std::int64_t>(*type->dim());
}

at::ScalarType Op::TypeOf(std::size_t index) const {
  const auto type = node_.input(index)->type()->cast<c10::TensorType>();
  if (!type || !type->scalarType()) return at::kFloat;
  return *type->scalarType();
}

std::optional<at::Tensor> Op::Constant(std::size_t index) const {
  const auto value = torch::jit::toIValue(node_.input(index));
  if (!value || !value->isTensor()) return std::nullopt;
  return value->toTensor();
}

Result<std::int64_t> Op::Int(std::size_t index) const {
  const auto value = torch::jit::toIValue(node_.input(index));
  if (!value || !value->isInt()) {
    return Unsupported(fmt::format("argument {} is no constant whole number", index));
  }
  return value->toInt();
}

Result<double> Op::Float(std::size_t index) const {
  const auto value = torch::jit::toIValue(node_.input(index));
  if (value && value->isDouble()) return value->toDouble();
  if (value && value->isInt()) return static_cast<double>(value->toInt());
  if (value && value->isTensor() && value->toTensor().numel() == 1) {
    return value->toTensor().to(at::kDouble).item<double>();
  }
  return Unsupported(fmt::format("argument {} is no constant number", index));
}

Result<bool> Op::Bool(std::size_t index) const {
  const auto value = torch::jit::toIValue(node_.input(index));
  if (!value || !value->isBool()) {
    return Unsupported(fmt::format("argument {} is no constant truth value", index));
  }
  return value->toBool();
}

Result<Ints> Op::IntList(std::size_t index) const {
  const auto value = torch::jit::toIValue(node_.input(index));
  if (value && value->isIntList()) return value->toIntVector();
  if (value && value->isInt()) return Ints{value->toInt()};
  return Unsupported(fmt::format("argument {} is no constant list of whole numbers", index));
}

Result<std::string> Op::Operand(std::size_t index, std::size_t other) {
  if (node_.input(index)->type()->isSubtypeOf(*c10::TensorType::get())) {
    // A number as a tensor takes the other's type, as in PyTorch.
    const auto constant = Constant(index);
    if (constant && constant->dim() == 0) {
      return writer_.AddTensor(constant->to(TypeOf(other)));
    }
    return In(index);
  }
  KENNING_ASSIGN_OR_RETURN(const double value, Float(index));
  return writer_.AddScalar(value, TypeOf(other));
}

Result<> Op::Out(std::string name) {
  writer_.Name(node_.output(0), std::move(name));
  return {};
}

}  // namespace kenning::libtorch::onnx_export
