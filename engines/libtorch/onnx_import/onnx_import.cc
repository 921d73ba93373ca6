// SPDX-License-Identifier: Apache-2.0
#include "onnx_import.h"

#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <google/protobuf/io/coded_stream.h>
#include <torch/csrc/jit/api/module.h>

#include <algorithm>

#include "context.h"
#include "kenning/base/file.h"
#include "torch_api.h"

namespace kenning::libtorch {
namespace {

using onnx_import::Op;
using onnx_import::TranslateMap;
using onnx_import::Value;

constexpr std::uint64_t kMaxModelBytes = (std::uint64_t{1} << 31U) - 1;
constexpr int kMaxNodes = 50'000;

const TranslateMap& Operators() {
  static const TranslateMap kOperators = [] {
    TranslateMap ops;
    onnx_import::AddMathOps(ops);
    onnx_import::AddLayerOps(ops);
    onnx_import::AddShapeOps(ops);
    return ops;
  }();
  return kOperators;
}

Result<onnx::ModelProto> ReadModel(const std::filesystem::path& path) {
  KENNING_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxModelBytes));
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                                static_cast<int>(bytes.size()));
  onnx::ModelProto model;
  if (!model.ParseFromCodedStream(&stream) || !model.has_graph() ||
      model.graph().output_size() == 0) {
    return Fail(ErrorCode::kInvalidModel, "not a whole ONNX model");
  }
  if (model.graph().node_size() > kMaxNodes) {
    return Fail(ErrorCode::kResourceExhausted,
                fmt::format("{} nodes; the limit is {}", model.graph().node_size(), kMaxNodes));
  }
  return model;
}

std::int64_t OpsetOf(const onnx::ModelProto& model) {
  for (const onnx::OperatorSetIdProto& set : model.opset_import()) {
    if (set.domain().empty() || set.domain() == "ai.onnx") return set.version();
  }
  return 0;
}

Result<TensorSpec> SpecOf(const onnx::ValueInfoProto& info) {
  TensorSpec spec;
  spec.name = info.name();
  const auto& tensor = info.type().tensor_type();
  const auto type = onnx_import::TypeOf(tensor.elem_type());
  const auto dtype = type ? FromTorchType(*type) : std::nullopt;
  if (!info.type().has_tensor_type() || !dtype) {
    return Fail(ErrorCode::kUnsupported, fmt::format("\"{}\" is no tensor, or of a type that "
                                                     "LibTorch lacks",
                                                     info.name()));
  }
  spec.dtype = *dtype;
  for (const auto& dim : tensor.shape().dim()) {
    spec.shape.push_back(dim.has_dim_value() && dim.dim_value() >= 0 ? dim.dim_value() : kAnyDim);
  }
  return spec;
}

class Importer {
 public:
  explicit Importer(const onnx::ModelProto& model)
      : graph_(model.graph()), opset_(OpsetOf(model)) {}

  Result<TorchModel> Run() {
    KENNING_RETURN_IF_ERROR(AddConstants());
    TorchModel model;
    KENNING_RETURN_IF_ERROR(AddInputs(model.spec));
    for (const onnx::NodeProto& node : graph_.node()) KENNING_RETURN_IF_ERROR(AddNode(node));
    std::vector<std::string> outputs;
    for (const onnx::ValueInfoProto& info : graph_.output()) {
      const auto found = values_.find(info.name());
      if (found == values_.end()) {
        return Fail(ErrorCode::kInvalidModel,
                    fmt::format("output \"{}\" is not computed", info.name()));
      }
      outputs.push_back(found->second.name);
      KENNING_ASSIGN_OR_RETURN(TensorSpec spec, SpecOf(info));
      model.spec.outputs.push_back(std::move(spec));
    }
    model.module = builder_.Build(outputs);
    return model;
  }

 private:
  void AddConstant(const std::string& name, const at::Tensor& tensor) {
    values_[name] = {builder_.AddTensor(tensor), tensor, tensor.scalar_type(),
                     static_cast<int>(tensor.dim())};
  }

  Result<> AddConstants() {
    for (const onnx::TensorProto& tensor : graph_.initializer()) {
      KENNING_ASSIGN_OR_RETURN(const at::Tensor value, onnx_import::TensorOf(tensor));
      AddConstant(tensor.name(), value);
    }
    if (graph_.sparse_initializer_size() > 0) {
      return Fail(ErrorCode::kUnsupported, "sparse tensors");
    }
    return {};
  }

  Result<> AddInputs(ModelSpec& spec) {
    for (const onnx::ValueInfoProto& info : graph_.input()) {
      if (values_.contains(info.name())) continue;
      KENNING_ASSIGN_OR_RETURN(TensorSpec input, SpecOf(info));
      values_[info.name()] = {builder_.AddInput(), std::nullopt, *ToTorchType(input.dtype),
                              input.shape.empty() ? -1 : static_cast<int>(input.shape.size())};
      spec.inputs.push_back(std::move(input));
    }
    return {};
  }

  Result<> AddConstantNode(const onnx::NodeProto& node) {
    if (node.output_size() != 1 || node.attribute_size() != 1) {
      return Fail(ErrorCode::kInvalidModel, "a Constant without its value");
    }
    const onnx::AttributeProto& value = node.attribute(0);
    if (value.name() == "value") {
      KENNING_ASSIGN_OR_RETURN(const at::Tensor tensor, onnx_import::TensorOf(value.t()));
      AddConstant(node.output(0), tensor);
    } else if (value.name() == "value_int") {
      AddConstant(node.output(0), at::scalar_tensor(value.i(), at::kLong));
    } else if (value.name() == "value_float") {
      AddConstant(node.output(0), at::scalar_tensor(value.f(), at::kFloat));
    } else if (value.name() == "value_ints") {
      const std::vector<std::int64_t> ints(value.ints().begin(), value.ints().end());
      AddConstant(node.output(0), at::tensor(ints, at::kLong));
    } else {
      return Fail(ErrorCode::kUnsupported, "a Constant of kind " + value.name());
    }
    return {};
  }

  Result<> AddNode(const onnx::NodeProto& node) {
    if (node.op_type() == "Constant") return AddConstantNode(node);
    const auto found = Operators().find(node.op_type());
    if (found == Operators().end() || (!node.domain().empty() && node.domain() != "ai.onnx")) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("node \"{}\": operator {} has no translation to TorchScript here",
                              node.name(), node.op_type()));
    }
    Op op(node, opset_, builder_, values_);
    KENNING_RETURN_IF_ERROR(found->second(op));
    for (const std::string& output : node.output()) {
      if (output.empty() || values_.contains(output)) continue;
      return op.Unsupported(fmt::format("its output \"{}\"", output));
    }
    return {};
  }

  const onnx::GraphProto& graph_;
  std::int64_t opset_;
  ScriptBuilder builder_;
  std::map<std::string, Value> values_;
};

}  // namespace

Result<TorchModel> ImportOnnx(const std::filesystem::path& path) {
  KENNING_ASSIGN_OR_RETURN(const onnx::ModelProto model, ReadModel(path), path.string());
  return Guard(path, ErrorCode::kInvalidModel, [&]() -> Result<TorchModel> {
    Importer importer(model);
    KENNING_ASSIGN_OR_RETURN(TorchModel made, importer.Run(), path.string());
    return made;
  });
}

}  // namespace kenning::libtorch
