// SPDX-License-Identifier: Apache-2.0
#include "onnx_export.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/freeze_module.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/passes/remove_mutation.h>
#include <torch/csrc/jit/passes/shape_analysis.h>

#include "kenning/base/file.h"
#include "onnx_import/onnx_import.h"
#include "torch_api.h"
#include "writer.h"

namespace kenning::libtorch {
namespace {

using onnx_export::Op;
using onnx_export::TranslateMap;
using onnx_export::Writer;

constexpr std::int64_t kOpset = 17;
constexpr std::int64_t kIrVersion = 8;
constexpr double kLargestDifference = 1e-3;

const TranslateMap& Operators() {
  static const TranslateMap kOperators = [] {
    TranslateMap ops;
    onnx_export::AddMathOps(ops);
    onnx_export::AddLayerOps(ops);
    onnx_export::AddShapeOps(ops);
    return ops;
  }();
  return kOperators;
}

/// The specification's shapes with 1 for dimensions of any size.
Shape Concrete(const TensorSpec& spec) {
  Shape shape = spec.shape;
  for (std::int64_t& dim : shape) dim = dim == kAnyDim ? 1 : dim;
  return shape;
}

/// One graph without calls, in which types and, for these inputs, shapes are known.
std::shared_ptr<torch::jit::Graph> FlatGraph(const torch::jit::Module& frozen,
                                             const std::vector<TensorSpec>& inputs) {
  auto graph = frozen.get_method("forward").graph()->copy();
  torch::jit::Inline(*graph);
  torch::jit::ConstantPropagation(graph);
  torch::jit::EliminateDeadCode(graph);
  for (std::size_t i = 0; i < inputs.size() && i + 1 < graph->inputs().size(); ++i) {
    const auto type = ToTorchType(inputs[i].dtype).value_or(at::kFloat);
    graph->inputs()[i + 1]->setType(
        c10::TensorType::createContiguous(type, at::kCPU, Concrete(inputs[i])));
  }
  torch::jit::PropagateInputShapes(graph);
  return graph;
}

void Describe(onnx::ValueInfoProto& info, const TensorSpec& spec, std::size_t index) {
  info.set_name(spec.name);
  auto* tensor = info.mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(
      onnx_export::OnnxTypeOf(ToTorchType(spec.dtype).value_or(at::kFloat)).value_or(1));
  tensor->mutable_shape();
  for (std::size_t i = 0; i < spec.shape.size(); ++i) {
    auto* dim = tensor->mutable_shape()->add_dim();
    if (spec.shape[i] != kAnyDim) {
      dim->set_dim_value(spec.shape[i]);
    } else {
      dim->set_dim_param(i == 0 ? std::string("batch") : fmt::format("size_{}_{}", index, i));
    }
  }
}

bool IsPlumbing(const torch::jit::Node& node) {
  return node.kind() == c10::prim::Constant || node.kind() == c10::prim::ListConstruct ||
         node.kind() == c10::prim::TupleConstruct || node.kind() == c10::aten::size;
}

Result<> AddNode(torch::jit::Node& node, Writer& writer) {
  const bool gives_tensor =
      node.outputs().size() == 1 && node.output(0)->type()->isSubtypeOf(*c10::TensorType::get());
  // Sizes and their arithmetic: who uses them looks at what they mean.
  if (IsPlumbing(node) || !gives_tensor) return {};
  std::string kind = node.kind().toQualString();
  // In the frozen graph nothing else sees the tensor that is written in place.
  if (kind.ends_with('_') && !kind.ends_with("__")) kind.pop_back();
  const auto found = Operators().find(kind);
  if (found == Operators().end()) {
    return Fail(ErrorCode::kUnsupported, fmt::format("operator {} has no translation to ONNX here",
                                                     node.kind().toQualString()));
  }
  Op op(node, writer);
  return found->second(op);
}

std::vector<const torch::jit::Value*> OutputsOf(const torch::jit::Graph& graph) {
  std::vector<const torch::jit::Value*> outputs;
  for (const torch::jit::Value* output : graph.outputs()) {
    if (output->node()->kind() == c10::prim::TupleConstruct ||
        output->node()->kind() == c10::prim::ListConstruct) {
      for (const torch::jit::Value* part : output->node()->inputs()) outputs.push_back(part);
    } else {
      outputs.push_back(output);
    }
  }
  return outputs;
}

Result<onnx::ModelProto> Translate(torch::jit::Graph& graph, const ModelSpec& spec) {
  onnx::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("kenning");
  model.add_opset_import()->set_version(kOpset);
  model.mutable_graph()->set_name("model");
  Writer writer(*model.mutable_graph());
  const std::vector<TensorSpec>& inputs = spec.engine_inputs();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Describe(*model.mutable_graph()->add_input(), inputs[i], i);
    writer.Name(graph.inputs()[i + 1], inputs[i].name);
  }
  for (torch::jit::Node* node : graph.nodes()) KENNING_RETURN_IF_ERROR(AddNode(*node, writer));
  const std::vector<TensorSpec>& outputs = spec.engine_outputs();
  const std::vector<const torch::jit::Value*> results = OutputsOf(graph);
  if (results.size() != outputs.size()) {
    return Fail(ErrorCode::kUnsupported, "outputs other than tensors and tuples of them");
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    KENNING_ASSIGN_OR_RETURN(const std::string name, writer.NameOf(results[i]));
    writer.Add("Identity", {name});
    onnx::NodeProto* last = model.mutable_graph()->mutable_node(model.graph().node_size() - 1);
    last->set_output(0, outputs[i].name);
    Describe(*model.mutable_graph()->add_output(), outputs[i], i);
  }
  return model;
}

/// Both models on the same random input.
Result<double> Compare(torch::jit::Module original, const ModelSpec& spec,
                       const std::filesystem::path& exported) {
  KENNING_ASSIGN_OR_RETURN(TorchModel again, ImportOnnx(exported));
  std::vector<at::Tensor> inputs;
  for (const TensorSpec& input : spec.engine_inputs()) {
    const auto type = ToTorchType(input.dtype).value_or(at::kFloat);
    inputs.push_back(at::isFloatingType(type) ? at::randn(Concrete(input)).to(type)
                                              : at::ones(Concrete(input), type));
  }
  KENNING_ASSIGN_OR_RETURN(const std::vector<at::Tensor> want, RunModule(original, inputs));
  KENNING_ASSIGN_OR_RETURN(const std::vector<at::Tensor> got, RunModule(again.module, inputs));
  double largest = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    if (i >= got.size() || got[i].sizes() != want[i].sizes()) {
      return Fail(ErrorCode::kInternal, "the exported model gives other shapes");
    }
    const double scale = want[i].to(at::kDouble).abs().max().item<double>();
    const double difference =
        want[i].to(at::kDouble).sub(got[i].to(at::kDouble)).abs().max().item<double>();
    largest = std::max(largest, scale > 0 ? difference / scale : difference);
  }
  if (!(largest <= kLargestDifference)) {
    return Fail(ErrorCode::kInternal,
                fmt::format("the exported model differs from the original by {:.2g} of the largest "
                            "output",
                            largest));
  }
  return largest;
}

}  // namespace

Result<double> ExportOnnx(const torch::jit::Module& module, const ModelSpec& spec,
                          const std::filesystem::path& path) {
  return Guard(path, ErrorCode::kEngineFailure, [&]() -> Result<double> {
    const torch::jit::Module frozen = torch::jit::freeze(module);
    const auto graph = FlatGraph(frozen, spec.engine_inputs());
    KENNING_ASSIGN_OR_RETURN(const onnx::ModelProto model, Translate(*graph, spec));
    std::string bytes;
    if (!model.SerializeToString(&bytes)) {
      return Fail(ErrorCode::kResourceExhausted, "the ONNX model is too large to be written");
    }
    KENNING_ASSIGN_OR_RETURN(AtomicFile output, AtomicFile::Create(path));
    KENNING_RETURN_IF_ERROR(output.Write(bytes));
    KENNING_RETURN_IF_ERROR(WriteFileAtomically(path.string() + ".check", bytes));
    auto difference = Compare(frozen, spec, path.string() + ".check");
    std::error_code ignored;
    std::filesystem::remove(path.string() + ".check", ignored);
    if (!difference) return tl::unexpected(std::move(difference).error());
    KENNING_RETURN_IF_ERROR(output.Commit());
    return *difference;
  });
}

}  // namespace kenning::libtorch
