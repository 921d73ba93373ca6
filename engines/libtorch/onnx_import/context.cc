// SPDX-License-Identifier: Apache-2.0
#include "context.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <set>

namespace kenning::libtorch::onnx_import {
namespace {

template <typename Stored, typename Field>
at::Tensor FromField(const Field& field, at::ScalarType type) {
  std::vector<Stored> values;
  values.reserve(static_cast<std::size_t>(field.size()));
  for (const auto value : field) values.push_back(static_cast<Stored>(value));
  return at::from_blob(values.data(), {static_cast<std::int64_t>(values.size())}, type).clone();
}

at::Tensor FromTypedField(const onnx::TensorProto& proto, at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return FromField<float>(proto.float_data(), type);
    case at::kDouble:
      return FromField<double>(proto.double_data(), type);
    case at::kLong:
      return FromField<std::int64_t>(proto.int64_data(), type);
    case at::kHalf:
    case at::kBFloat16:
      return FromField<std::uint16_t>(proto.int32_data(), type);
    default:
      return FromField<std::int32_t>(proto.int32_data(), at::kInt).to(type);
  }
}

}  // namespace

const onnx::AttributeProto* Op::Find(const char* name) const {
  for (const onnx::AttributeProto& attribute : node_.attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

std::string Op::Name() const {
  const std::string& name =
      node_.name().empty() && node_.output_size() > 0 ? node_.output(0) : node_.name();
  return fmt::format("node \"{}\" ({})", name, node_.op_type());
}

tl::unexpected<Error> Op::Unsupported(const std::string& what) const {
  return Fail(ErrorCode::kUnsupported, fmt::format("{}: {}", Name(), what));
}

tl::unexpected<Error> Op::Invalid(const std::string& what) const {
  return Fail(ErrorCode::kInvalidModel, fmt::format("{}: {}", Name(), what));
}

std::int64_t Op::Int(const char* name, std::int64_t fallback) const {
  const auto* attribute = Find(name);
  return attribute == nullptr ? fallback : attribute->i();
}

double Op::Float(const char* name, double fallback) const {
  const auto* attribute = Find(name);
  return attribute == nullptr ? fallback : static_cast<double>(attribute->f());
}

std::string Op::String(const char* name, const std::string& fallback) const {
  const auto* attribute = Find(name);
  return attribute == nullptr ? fallback : attribute->s();
}

std::optional<std::vector<std::int64_t>> Op::Ints(const char* name) const {
  const auto* attribute = Find(name);
  if (attribute == nullptr) return std::nullopt;
  return std::vector<std::int64_t>(attribute->ints().begin(), attribute->ints().end());
}

bool Op::Has(int index) const { return index < node_.input_size() && !node_.input(index).empty(); }

Result<Value> Op::In(int index) const {
  if (!Has(index)) return Invalid(fmt::format("input {} is missing", index));
  const auto found = values_.find(node_.input(index));
  if (found == values_.end()) {
    return Invalid(fmt::format("\"{}\" is used before it is defined", node_.input(index)));
  }
  return found->second;
}

Result<std::string> Op::InOrNone(int index) const {
  if (!Has(index)) return std::string("None");
  KENNING_ASSIGN_OR_RETURN(const Value value, In(index));
  return value.name;
}

Result<std::optional<std::vector<std::int64_t>>> Op::ConstantInts(int index) const {
  if (!Has(index)) return std::optional<std::vector<std::int64_t>>();
  KENNING_ASSIGN_OR_RETURN(const Value value, In(index));
  if (!value.constant) {
    return Unsupported(fmt::format("input {} is computed by the model", node_.input(index)));
  }
  const at::Tensor flat = value.constant->to(at::kLong).contiguous();
  const auto* data = flat.const_data_ptr<std::int64_t>();
  return std::optional(std::vector<std::int64_t>(data, data + flat.numel()));
}

Result<std::optional<double>> Op::ConstantFloat(int index) const {
  if (!Has(index)) return std::optional<double>();
  KENNING_ASSIGN_OR_RETURN(const Value value, In(index));
  if (!value.constant || value.constant->numel() != 1) {
    return Unsupported(fmt::format("input {} is not one constant number", node_.input(index)));
  }
  return std::optional(value.constant->to(at::kDouble).item<double>());
}

Result<std::optional<std::vector<std::int64_t>>> Op::IntsOf(const char* attribute,
                                                            int input) const {
  if (auto values = Ints(attribute)) return values;
  return ConstantInts(input);
}

Result<> Op::Out(const std::string& expression, at::ScalarType type, int index) {
  if (index >= node_.output_size()) return Invalid("it has too few outputs");
  if (node_.output(index).empty()) return {};
  const bool is_name = expression.find_first_of("( +-*/[") == std::string::npos;
  values_[node_.output(index)] = {is_name ? expression : builder_.Assign(expression), std::nullopt,
                                  type, RankOfResult()};
  return {};
}

int Op::RankOfResult() const {
  static const std::set<std::string> kKeepsRank = {"Add",       "AveragePool", "BatchNormalization",
                                                   "Clip",      "Concat",      "Conv",
                                                   "Div",       "Dropout",     "HardSigmoid",
                                                   "HardSwish", "MaxPool",     "LeakyRelu",
                                                   "Identity",  "Mul",         "PRelu",
                                                   "Pad",       "Relu",        "Resize",
                                                   "Sigmoid",   "Slice",       "Softmax",
                                                   "Sub",       "Tanh",        "Transpose"};
  if (!kKeepsRank.contains(node_.op_type())) return -1;
  int rank = -1;
  for (const std::string& input : node_.input()) {
    const auto found = values_.find(input);
    if (found == values_.end() || found->second.constant) continue;
    if (found->second.rank < 0) return -1;
    rank = std::max(rank, found->second.rank);
  }
  return rank;
}

std::optional<at::ScalarType> TypeOf(int onnx_type) {
  switch (onnx_type) {
    case onnx::TensorProto::FLOAT:
      return at::kFloat;
    case onnx::TensorProto::DOUBLE:
      return at::kDouble;
    case onnx::TensorProto::FLOAT16:
      return at::kHalf;
    case onnx::TensorProto::BFLOAT16:
      return at::kBFloat16;
    case onnx::TensorProto::INT64:
      return at::kLong;
    case onnx::TensorProto::INT32:
      return at::kInt;
    case onnx::TensorProto::INT16:
      return at::kShort;
    case onnx::TensorProto::INT8:
      return at::kChar;
    case onnx::TensorProto::UINT8:
      return at::kByte;
    case onnx::TensorProto::BOOL:
      return at::kBool;
    default:
      return std::nullopt;
  }
}

int TypeNumber(at::ScalarType type) { return static_cast<int>(type); }

Result<at::Tensor> TensorOf(const onnx::TensorProto& proto) {
  constexpr std::uint64_t kMaxElements = std::uint64_t{1} << 31U;
  const std::string name = fmt::format("tensor \"{}\"", proto.name());
  const auto type = TypeOf(proto.data_type());
  if (!type) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{} has elements of ONNX type {}", name, proto.data_type()));
  }
  if (proto.data_location() == onnx::TensorProto::EXTERNAL) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{} lies in another file; store the model as one file", name));
  }
  std::uint64_t elements = 1;
  std::vector<std::int64_t> shape;
  for (const std::int64_t dim : proto.dims()) {
    const auto size = static_cast<std::uint64_t>(dim);
    if (dim < 0 || (size > 0 && elements > kMaxElements / size)) {
      return Fail(ErrorCode::kInvalidModel, fmt::format("{} has a wrong shape", name));
    }
    elements *= size;
    shape.push_back(dim);
  }
  at::Tensor flat;
  if (!proto.raw_data().empty() || elements == 0) {
    if (proto.raw_data().size() != elements * at::elementSize(*type)) {
      return Fail(ErrorCode::kInvalidModel, fmt::format("{}: data do not fit its shape", name));
    }
    flat = at::empty({static_cast<std::int64_t>(elements)}, *type);
    std::copy(proto.raw_data().begin(), proto.raw_data().end(),
              static_cast<char*>(flat.data_ptr()));
  } else {
    flat = FromTypedField(proto, *type);
  }
  if (static_cast<std::uint64_t>(flat.numel()) != elements) {
    return Fail(ErrorCode::kInvalidModel, fmt::format("{}: data do not fit its shape", name));
  }
  return flat.reshape(shape);
}

}  // namespace kenning::libtorch::onnx_import
