// SPDX-License-Identifier: Apache-2.0
#include "ort_facts.h"

#include <algorithm>
#include <cstring>

#include "onnx_graph/tensors.h"

namespace kenning::ort {
namespace {

using FactsMap = std::map<std::string, TensorFacts>;

TensorFacts FactsOf(const Ort::TypeInfo& type) {
  TensorFacts facts;
  if (type.GetONNXType() != ONNX_TYPE_TENSOR) return facts;
  const auto tensor = type.GetTensorTypeAndShapeInfo();
  facts.dtype = FromOnnxType(tensor.GetElementType());
  facts.shape_known = tensor.HasShape();
  if (facts.shape_known) facts.shape = tensor.GetShape();
  for (std::int64_t& dim : facts.shape) dim = std::max(dim, kAnyDim);
  return facts;
}

bool Complete(const TensorFacts& facts) {
  return facts.shape_known && ElementCount(facts.shape).has_value();
}

/// Open leading dimensions of the inputs become 1.
void FixBatch(onnx::ModelProto& model) {
  for (auto& input : *model.mutable_graph()->mutable_input()) {
    if (!input.type().has_tensor_type()) continue;
    auto* shape = input.mutable_type()->mutable_tensor_type()->mutable_shape();
    if (shape->dim_size() == 0 || shape->dim(0).has_dim_value()) continue;
    shape->mutable_dim(0)->set_dim_value(1);
  }
}

Ort::Session MakeSession(const std::string& bytes) {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(1);
  options.SetLogSeverityLevel(ORT_LOGGING_LEVEL_FATAL);
  // Nothing may be fused away.
  options.SetGraphOptimizationLevel(ORT_DISABLE_ALL);
  return Ort::Session(Environment(), bytes.data(), bytes.size(), options);
}

/// Runs on zeros and fills in what is still open. Models that refuse zeros keep what is known.
Result<> FillByRunning(Ort::Session& session, FactsMap& facts) {
  const Ort::AllocatorWithDefaultOptions allocator;
  std::vector<std::string> names[2];
  std::vector<Tensor> zeros;
  std::vector<Ort::Value> values;
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
  for (std::size_t i = 0; i < session.GetInputCount(); ++i) {
    names[0].emplace_back(session.GetInputNameAllocated(i, allocator).get());
    const TensorFacts& input = facts[names[0].back()];
    if (!input.dtype || !Complete(input)) return {};
    KENNING_ASSIGN_OR_RETURN(Tensor zero, Tensor::Create(*input.dtype, input.shape));
    std::fill_n(zero.data(), zero.size_bytes(), std::byte{0});
    zeros.push_back(std::move(zero));
    values.push_back(Ort::Value::CreateTensor(memory, zeros.back().data(),
                                              zeros.back().size_bytes(), input.shape.data(),
                                              input.shape.size(), ToOnnxType(*input.dtype)));
  }
  for (std::size_t i = 0; i < session.GetOutputCount(); ++i) {
    names[1].emplace_back(session.GetOutputNameAllocated(i, allocator).get());
  }
  std::vector<const char*> raw[2];
  for (int side = 0; side < 2; ++side) {
    for (const std::string& name : names[side]) raw[side].push_back(name.c_str());
  }
  const std::vector<Ort::Value> outputs = session.Run(
      Ort::RunOptions{}, raw[0].data(), values.data(), values.size(), raw[1].data(), raw[1].size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].IsTensor()) continue;
    TensorFacts& output = facts[names[1][i]];
    output.shape = outputs[i].GetTensorTypeAndShapeInfo().GetShape();
    output.shape_known = true;
  }
  return {};
}

Result<FactsMap> FactsOfBytes(const std::string& bytes, const std::string& name) {
  return Guard(name, [&]() -> Result<FactsMap> {
    FactsMap facts;
    Ort::Session session = MakeSession(bytes);
    const Ort::AllocatorWithDefaultOptions allocator;
    bool complete = true;
    for (std::size_t i = 0; i < session.GetInputCount(); ++i) {
      facts[session.GetInputNameAllocated(i, allocator).get()] =
          FactsOf(session.GetInputTypeInfo(i));
    }
    for (std::size_t i = 0; i < session.GetOutputCount(); ++i) {
      TensorFacts output = FactsOf(session.GetOutputTypeInfo(i));
      complete = complete && Complete(output);
      facts[session.GetOutputNameAllocated(i, allocator).get()] = std::move(output);
    }
    if (!complete) {
      // What is known without a run is good enough where one fails.
      static_cast<void>(Guard(name, [&] { return FillByRunning(session, facts); }));
    }
    return facts;
  });
}

}  // namespace

Result<FactsMap> FactsOfTensors(const onnx::ModelProto& model, const std::string& name) {
  const std::vector<std::string> live = onnx_graph::LiveTensors(model.graph());
  onnx::ModelProto single = model;
  FixBatch(single);
  KENNING_ASSIGN_OR_RETURN(std::string bytes, onnx_graph::SerializeWithOutputs(single, live), name);
  auto facts = FactsOfBytes(bytes, name);
  if (!facts) {
    KENNING_ASSIGN_OR_RETURN(bytes, onnx_graph::SerializeWithOutputs(model, live), name);
    facts = FactsOfBytes(bytes, name);
  }
  if (!facts) return facts;
  for (const onnx::TensorProto& tensor : model.graph().initializer()) {
    (*facts)[tensor.name()] = {onnx_graph::DTypeOf(tensor.data_type()), onnx_graph::DimsOf(tensor),
                               true};
  }
  return facts;
}

Result<std::optional<Tensor>> CopyOf(const Ort::Value& value) {
  if (!value.IsTensor()) return std::optional<Tensor>();
  const auto info = value.GetTensorTypeAndShapeInfo();
  const auto dtype = FromOnnxType(info.GetElementType());
  if (!dtype) return std::optional<Tensor>();
  KENNING_ASSIGN_OR_RETURN(Tensor copy, Tensor::Create(*dtype, info.GetShape()));
  if (copy.size_bytes() != 0) {
    std::memcpy(copy.data(), value.GetTensorRawData(), copy.size_bytes());
  }
  return std::optional<Tensor>(std::move(copy));
}

std::optional<QuantParams> QuantOf(const onnx_graph::Graph& graph, const std::string& tensor) {
  const int producer = graph.ProducerOf(tensor);
  if (producer < 0 || !onnx_graph::IsOp(graph.node(producer), "QuantizeLinear")) return {};
  const onnx::NodeProto& node = graph.node(producer);
  const onnx::TensorProto* scale =
      node.input_size() > 1 ? graph.FindInitializer(node.input(1)) : nullptr;
  if (scale == nullptr) return {};
  auto scales = onnx_graph::FloatsOf(*scale);
  if (!scales || scales->empty()) return {};
  QuantParams quant;
  quant.scale = *std::move(scales);
  quant.zero_point.assign(quant.scale.size(), 0);
  quant.axis = static_cast<int>(onnx_graph::IntAttribute(node, "axis", 1));
  if (node.input_size() > 2 && !node.input(2).empty()) {
    const onnx::TensorProto* zero_point = graph.FindInitializer(node.input(2));
    if (zero_point == nullptr) return {};
    const auto values = onnx_graph::IntsOf(*zero_point);
    if (!values || values->size() != quant.scale.size()) return {};
    quant.zero_point = *values;
  }
  return quant;
}

}  // namespace kenning::ort
