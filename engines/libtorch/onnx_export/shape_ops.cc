// SPDX-License-Identifier: Apache-2.0
// Operators that move, cut and join.
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <numeric>

#include "writer.h"

namespace kenning::libtorch::onnx_export {
namespace {

Result<> Flatten(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const std::int64_t start, op.Int(1));
  KENNING_ASSIGN_OR_RETURN(const std::int64_t end, op.Int(2));
  const std::int64_t rank = op.Rank(0);
  if (start == 1 && (end == -1 || end == rank - 1)) {
    std::string y = op.writer().Add("Flatten", {x});
    op.writer().SetInt("axis", 1);
    return op.Out(std::move(y));
  }
  if (rank < 0 || start < 0 || (end != -1 && end != rank - 1)) {
    return op.Unsupported("dimensions in the middle");
  }
  // 0 keeps a dimension, -1 takes the rest.
  Ints shape(static_cast<std::size_t>(start), 0);
  shape.push_back(-1);
  return op.Out(op.writer().Add("Reshape", {x, op.writer().AddInts(shape)}));
}

/// An element of a shape: a number, or the input's own size at that place (0 in ONNX).
std::optional<std::int64_t> ShapeElement(const torch::jit::Value* element,
                                         const torch::jit::Value* input, std::size_t place) {
  if (const auto constant = torch::jit::toIValue(element); constant && constant->isInt()) {
    return constant->toInt();
  }
  const torch::jit::Node* node = element->node();
  if (node->kind() != c10::aten::size || node->inputs().size() != 2) return std::nullopt;
  const auto dimension = torch::jit::toIValue(node->input(1));
  if (!dimension || !dimension->isInt()) return std::nullopt;
  if (dimension->toInt() != static_cast<std::int64_t>(place)) return std::nullopt;
  // The size of another tensor at this place counts if it follows from the input's batch alone.
  if (node->input(0) != input && place != 0) return std::nullopt;
  return 0;
}

Result<> View(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
  const torch::jit::Value* list = op.node().input(1);
  Ints shape;
  if (list->node()->kind() == c10::prim::ListConstruct) {
    for (std::size_t i = 0; i < list->node()->inputs().size(); ++i) {
      const auto element = ShapeElement(list->node()->input(i), op.node().input(0), i);
      if (!element) return op.Unsupported("a shape that the model computes");
      shape.push_back(*element);
    }
  } else {
    KENNING_ASSIGN_OR_RETURN(shape, op.IntList(1));
  }
  return op.Out(op.writer().Add("Reshape", {x, op.writer().AddInts(shape)}));
}

Result<> Permute(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(Ints order, op.IntList(1));
  for (std::int64_t& axis : order) {
    if (axis < 0) axis += static_cast<std::int64_t>(order.size());
  }
  std::string y = op.writer().Add("Transpose", {x});
  op.writer().SetInts("perm", order);
  return op.Out(std::move(y));
}

Result<> Transpose(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
  const std::int64_t rank = op.Rank(0);
  std::int64_t a = 0;
  std::int64_t b = 1;
  if (op.node().inputs().size() == 3) {
    KENNING_ASSIGN_OR_RETURN(a, op.Int(1));
    KENNING_ASSIGN_OR_RETURN(b, op.Int(2));
  }
  if (rank < 0) return op.Unsupported("a rank that is not known");
  a = a < 0 ? a + rank : a;
  b = b < 0 ? b + rank : b;
  if (a < 0 || b < 0 || a >= rank || b >= rank) return op.Unsupported("its dimensions");
  Ints order(static_cast<std::size_t>(rank));
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[static_cast<std::size_t>(a)], order[static_cast<std::size_t>(b)]);
  std::string y = op.writer().Add("Transpose", {x});
  op.writer().SetInts("perm", order);
  return op.Out(std::move(y));
}

Translate OneAxis(const std::string& type) {
  return [type](Op& op) -> Result<> {
    KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
    if (op.node().inputs().size() < 2) return op.Out(op.writer().Add(type, {x}));
    KENNING_ASSIGN_OR_RETURN(const Ints axes, op.IntList(1));
    return op.Out(op.writer().Add(type, {x, op.writer().AddInts(axes)}));
  };
}

Result<> Cat(Op& op) {
  const torch::jit::Node* list = op.node().input(0)->node();
  if (list->kind() != c10::prim::ListConstruct) return op.Unsupported("a list that is computed");
  std::vector<std::string> parts;
  for (const torch::jit::Value* part : list->inputs()) {
    KENNING_ASSIGN_OR_RETURN(std::string name, op.writer().NameOf(part));
    parts.push_back(std::move(name));
  }
  KENNING_ASSIGN_OR_RETURN(const std::int64_t axis, op.Int(1));
  std::string y = op.writer().Add("Concat", parts);
  op.writer().SetInt("axis", axis);
  return op.Out(std::move(y));
}

Result<> Slice(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const std::int64_t axis, op.Int(1));
  std::int64_t start = 0;
  std::int64_t end = std::numeric_limits<std::int64_t>::max();
  if (!op.IsNone(2)) {
    KENNING_ASSIGN_OR_RETURN(start, op.Int(2));
  }
  if (!op.IsNone(3)) {
    KENNING_ASSIGN_OR_RETURN(end, op.Int(3));
  }
  KENNING_ASSIGN_OR_RETURN(const std::int64_t step, op.Int(4));
  Writer& writer = op.writer();
  return op.Out(writer.Add("Slice", {x, writer.AddInts({start}), writer.AddInts({end}),
                                     writer.AddInts({axis}), writer.AddInts({step})}));
}

Result<> Select(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const std::int64_t axis, op.Int(1));
  KENNING_ASSIGN_OR_RETURN(const std::int64_t index, op.Int(2));
  std::string y =
      op.writer().Add("Gather", {x, op.writer().AddTensor(at::scalar_tensor(index, at::kLong))});
  op.writer().SetInt("axis", axis);
  return op.Out(std::move(y));
}

Result<> IndexSelect(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const std::int64_t axis, op.Int(1));
  KENNING_ASSIGN_OR_RETURN(const std::string indices, op.In(2));
  std::string y = op.writer().Add("Gather", {x, indices});
  op.writer().SetInt("axis", axis);
  return op.Out(std::move(y));
}

/// PyTorch names the last dimension first, ONNX all beginnings, then all ends.
Result<> Pad(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const Ints list, op.IntList(1));
  const std::int64_t rank = op.Rank(0);
  if (rank < 0 || list.size() % 2 != 0 || list.size() / 2 > static_cast<std::size_t>(rank)) {
    return op.Unsupported("a rank that is not known");
  }
  const auto dimensions = static_cast<std::size_t>(rank);
  Ints pads(dimensions * 2, 0);
  for (std::size_t i = 0; i < list.size() / 2; ++i) {
    pads[dimensions - 1 - i] = list[i * 2];
    pads[dimensions * 2 - 1 - i] = list[i * 2 + 1];
  }
  std::string mode = "constant";
  std::size_t fill_at = 2;
  if (op.node().kind().toQualString() == std::string("aten::pad")) {
    const auto text = torch::jit::toIValue(op.node().input(2));
    if (!text || !text->isString()) return op.Unsupported("its mode");
    mode = text->toStringRef() == "replicate" ? "edge" : text->toStringRef();
    fill_at = 3;
  }
  if (mode == "circular") return op.Unsupported("circular padding");
  double fill = 0;
  if (op.node().inputs().size() > fill_at && !op.IsNone(fill_at)) {
    KENNING_ASSIGN_OR_RETURN(fill, op.Float(fill_at));
  }
  std::vector<std::string> inputs = {x, op.writer().AddInts(pads)};
  if (mode == "constant") inputs.push_back(op.writer().AddScalar(fill, op.TypeOf(0)));
  std::string y = op.writer().Add("Pad", inputs);
  op.writer().SetString("mode", mode);
  return op.Out(std::move(y));
}

Result<> PixelShuffle(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const std::int64_t factor, op.Int(1));
  std::string y = op.writer().Add("DepthToSpace", {x});
  op.writer().SetInt("blocksize", factor);
  op.writer().SetString("mode", "CRD");
  return op.Out(std::move(y));
}

}  // namespace

void AddShapeOps(TranslateMap& ops) {
  ops["aten::flatten"] = Flatten;
  ops["aten::view"] = View;
  ops["aten::reshape"] = View;
  ops["aten::permute"] = Permute;
  ops["aten::transpose"] = Transpose;
  ops["aten::t"] = Transpose;
  ops["aten::squeeze"] = OneAxis("Squeeze");
  ops["aten::unsqueeze"] = OneAxis("Unsqueeze");
  ops["aten::cat"] = Cat;
  ops["aten::slice"] = Slice;
  ops["aten::select"] = Select;
  ops["aten::index_select"] = IndexSelect;
  ops["aten::constant_pad_nd"] = Pad;
  ops["aten::pad"] = Pad;
  ops["aten::pixel_shuffle"] = PixelShuffle;
}

}  // namespace kenning::libtorch::onnx_export
