// SPDX-License-Identifier: Apache-2.0
#include "spec_guess.h"

#include <fmt/format.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/freeze_module.h>
#include <torch/csrc/jit/passes/inliner.h>

#include <array>
#include <set>

#include "torch_api.h"

namespace kenning::libtorch {
namespace {

/// Sides of images that a model may have been made for.
constexpr std::array<std::int64_t, 9> kSides = {28, 32, 64, 96, 128, 160, 224, 256, 299};
constexpr std::int64_t kMaxTrialElements = std::int64_t{1} << 26U;

bool PassesShapeOn(std::string op) {
  if (op.ends_with('_')) op.pop_back();  // Written in place.
  static const std::set<std::string> kOps = {
      "aten::to",    "aten::contiguous", "aten::dropout", "aten::detach",
      "aten::clone", "aten::sub",        "aten::div",     "aten::mul",
      "aten::add",   "aten::batch_norm", "aten::relu"};
  return kOps.contains(op);
}

std::optional<at::Tensor> ConstantTensor(const torch::jit::Value* value) {
  const auto constant = torch::jit::toIValue(value);
  if (!constant || !constant->isTensor()) return std::nullopt;
  return constant->toTensor();
}

/// Shape of a value that `node` takes as input `index`, where the node's weights tell it.
std::optional<Shape> ShapeFromUse(const torch::jit::Node& node, std::size_t index) {
  const std::string op = node.kind().toQualString();
  const bool is_conv = op == "aten::conv1d" || op == "aten::conv2d" || op == "aten::conv3d" ||
                       op == "aten::_convolution";
  if (index == 0 && is_conv) {
    const auto weight = ConstantTensor(node.input(1));
    const auto groups = torch::jit::toIValue(node.input(op == "aten::_convolution" ? 8 : 6));
    if (!weight || weight->dim() < 3 || !groups || !groups->isInt()) return std::nullopt;
    Shape shape(static_cast<std::size_t>(weight->dim()), kAnyDim);
    shape[1] = weight->size(1) * groups->toInt();
    return shape;
  }
  if (index == 0 && op == "aten::linear") {
    const auto weight = ConstantTensor(node.input(1));
    if (weight && weight->dim() == 2) return Shape{kAnyDim, weight->size(1)};
  }
  if (index == 0 && (op == "aten::matmul" || op == "aten::mm")) {
    const auto weight = ConstantTensor(node.input(1));
    if (weight && weight->dim() == 2) return Shape{kAnyDim, weight->size(0)};
  }
  if (index == 1 && op == "aten::addmm") {
    const auto weight = ConstantTensor(node.input(2));
    if (weight && weight->dim() == 2) return Shape{kAnyDim, weight->size(0)};
  }
  return std::nullopt;
}

std::optional<Shape> ShapeFromUses(const torch::jit::Value& value, int depth) {
  constexpr int kMaxDepth = 8;
  if (depth > kMaxDepth) return std::nullopt;
  for (const torch::jit::Use& use : value.uses()) {
    if (auto shape = ShapeFromUse(*use.user, use.offset)) return shape;
    if (use.offset == 0 && PassesShapeOn(use.user->kind().toQualString())) {
      if (auto shape = ShapeFromUses(*use.user->output(), depth + 1)) return shape;
    }
  }
  return std::nullopt;
}

/// The model's shapes with `batch` and `side` for the dimensions of any size.
std::vector<Shape> Fill(const std::vector<TensorSpec>& inputs, std::int64_t batch,
                        std::int64_t side) {
  std::vector<Shape> shapes;
  for (const TensorSpec& input : inputs) {
    Shape shape = input.shape;
    for (std::size_t i = 0; i < shape.size(); ++i) {
      if (shape[i] == kAnyDim) shape[i] = i == 0 ? batch : side;
    }
    shapes.push_back(std::move(shape));
  }
  return shapes;
}

Result<std::vector<at::Tensor>> Try(torch::jit::Module& module,
                                    const std::vector<TensorSpec>& inputs,
                                    const std::vector<Shape>& shapes) {
  for (const Shape& shape : shapes) {
    const auto elements = ElementCount(shape);
    if (!elements || *elements > static_cast<std::uint64_t>(kMaxTrialElements)) {
      return Fail(ErrorCode::kUnsupported, "an input is too large to be tried");
    }
  }
  return Guard("trial run", ErrorCode::kInvalidModel,
               [&] { return RunOnZeros(module, inputs, shapes); });
}

bool HasAnySide(const std::vector<TensorSpec>& inputs) {
  for (const TensorSpec& input : inputs) {
    for (std::size_t i = 1; i < input.shape.size(); ++i) {
      if (input.shape[i] == kAnyDim) return true;
    }
  }
  return false;
}

tl::unexpected<Error> Unknown(const std::filesystem::path& path, const std::string& why) {
  return Fail(ErrorCode::kUnsupported,
              fmt::format("{0}: TorchScript stores no shapes, and {1}; put {0}.json beside it, "
                          "which tells inputs and outputs (docs/formats/io-spec.md)",
                          path.string(), why));
}

Result<std::vector<TensorSpec>> OutputsFromRuns(const std::vector<at::Tensor>& first,
                                                const std::vector<at::Tensor>* second) {
  std::vector<TensorSpec> outputs;
  for (std::size_t i = 0; i < first.size(); ++i) {
    TensorSpec output;
    output.name = first.size() == 1 ? "output" : fmt::format("output_{}", i);
    const auto dtype = FromTorchType(first[i].scalar_type());
    if (!dtype) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("output {} has elements of type {}, which kenning does not carry", i,
                              c10::toString(first[i].scalar_type())));
    }
    output.dtype = *dtype;
    output.shape = first[i].sizes().vec();
    const bool same_rank =
        second != nullptr && second->size() == first.size() && (*second)[i].dim() == first[i].dim();
    for (std::int64_t d = 0; same_rank && d < first[i].dim(); ++d) {
      if ((*second)[i].size(d) != first[i].size(d)) {
        output.shape[static_cast<std::size_t>(d)] = kAnyDim;
      }
    }
    outputs.push_back(std::move(output));
  }
  return outputs;
}

/// The outputs of a specification that has none: by two runs of different sizes.
Result<> FindOutputs(torch::jit::Module& module, ModelSpec& spec,
                     const std::filesystem::path& path) {
  std::vector<std::int64_t> sides = {1};
  if (HasAnySide(spec.inputs)) sides.assign(kSides.begin(), kSides.end());
  std::vector<at::Tensor> first;
  std::int64_t side = 0;
  std::int64_t other_side = 0;
  std::string last_error;
  for (const std::int64_t candidate : sides) {
    auto outputs = Try(module, spec.inputs, Fill(spec.inputs, 1, candidate));
    if (!outputs) {
      last_error = outputs.error().message();
      continue;
    }
    if (side == 0) {
      side = candidate;
      first = *std::move(outputs);
    } else {
      other_side = candidate;
      break;
    }
  }
  if (side == 0) return Unknown(path, "no size of input that was tried runs: " + last_error);
  if (HasAnySide(spec.inputs) && other_side == 0) {
    // One size alone runs: the model is made for it.
    const std::vector<Shape> fixed = Fill(spec.inputs, kAnyDim, side);
    for (std::size_t i = 0; i < fixed.size(); ++i) spec.inputs[i].shape = fixed[i];
  }
  auto second = Try(module, spec.inputs, Fill(spec.inputs, 2, other_side == 0 ? side : other_side));
  if (!second) {
    for (TensorSpec& input : spec.inputs) {
      if (!input.shape.empty() && input.shape[0] == kAnyDim) input.shape[0] = 1;
    }
    if (other_side != 0) second = Try(module, spec.inputs, Fill(spec.inputs, 1, other_side));
  }
  KENNING_ASSIGN_OR_RETURN(spec.outputs, OutputsFromRuns(first, second ? &*second : nullptr),
                           path.string());
  return {};
}

}  // namespace

std::vector<std::string> InputNames(const torch::jit::Module& module) {
  std::vector<std::string> names;
  const auto& arguments = module.get_method("forward").function().getSchema().arguments();
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    if (arguments[i].default_value()) break;
    names.push_back(arguments[i].name());
  }
  return names;
}

Result<ModelSpec> GuessSpec(torch::jit::Module& module, const std::filesystem::path& path) {
  // A copy in which the weights are constants of one graph.
  const torch::jit::Module frozen = torch::jit::freeze_module(module);
  const auto graph = frozen.get_method("forward").graph()->copy();
  torch::jit::Inline(*graph);
  const std::vector<std::string> names = InputNames(module);
  ModelSpec spec;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto shape =
        i + 1 < graph->inputs().size() ? ShapeFromUses(*graph->inputs()[i + 1], 0) : std::nullopt;
    if (!shape) {
      return Unknown(path,
                     fmt::format("those of input \"{}\" do not follow from its weights", names[i]));
    }
    TensorSpec input;
    input.name = names[i];
    input.shape = *shape;
    if (shape->size() == 4) input.layout = "NCHW";
    spec.inputs.push_back(std::move(input));
  }
  if (spec.inputs.empty()) return Unknown(path, "the module takes no inputs");
  return spec;
}

Result<> CheckSpec(torch::jit::Module& module, ModelSpec& spec, const std::filesystem::path& path) {
  std::vector<TensorSpec>& inputs =
      spec.processed_inputs.empty() ? spec.inputs : spec.processed_inputs;
  const std::size_t takes = InputNames(module).size();
  if (inputs.size() != takes) {
    return Fail(ErrorCode::kInvalidModel,
                fmt::format("{}: the module takes {} inputs, its specification tells {}",
                            path.string(), takes, inputs.size()));
  }
  if (spec.outputs.empty()) return FindOutputs(module, spec, path);
  const std::vector<TensorSpec>& outputs = spec.engine_outputs();
  std::vector<at::Tensor> got;
  std::string last_error;
  std::vector<std::int64_t> sides = {1};
  if (HasAnySide(inputs)) sides.assign(kSides.begin(), kSides.end());
  for (const std::int64_t side : sides) {
    auto tried = Try(module, inputs, Fill(inputs, 1, side));
    if (tried) {
      got = *std::move(tried);
      break;
    }
    last_error = tried.error().message();
  }
  if (got.empty()) {
    return Fail(ErrorCode::kInvalidModel,
                fmt::format("{}: the model does not run on inputs as specified: {}", path.string(),
                            last_error));
  }
  bool agrees = got.size() == outputs.size();
  for (std::size_t i = 0; agrees && i < got.size(); ++i) {
    const auto dtype = FromTorchType(got[i].scalar_type());
    agrees = dtype && *dtype == outputs[i].dtype &&
             ShapesCompatible(got[i].sizes().vec(), outputs[i].shape);
  }
  if (agrees) return {};
  std::string found;
  for (const at::Tensor& tensor : got) {
    found += fmt::format(" {}{}", c10::toString(tensor.scalar_type()),
                         ShapeToString(tensor.sizes().vec()));
  }
  return Fail(ErrorCode::kInvalidModel,
              fmt::format("{}: the specification does not fit the model, which gives{}",
                          path.string(), found));
}

}  // namespace kenning::libtorch
