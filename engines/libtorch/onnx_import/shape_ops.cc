// SPDX-License-Identifier: Apache-2.0
// Operators that move, cut and join, and those that compute shapes.
#include <algorithm>
#include <numeric>

#include "context.h"

namespace kenning::libtorch::onnx_import {
namespace {

using Ints = std::vector<std::int64_t>;

/// A shape that the model computes, as a list of whole numbers.
std::string AsList(Op& op, const Value& value) {
  return op.builder().AssignTyped("List[int]", value.name + ".tolist()");
}

Result<> Reshape(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
  if (op.Has(1)) {
    KENNING_ASSIGN_OR_RETURN(const Value wanted, op.In(1));
    if (!wanted.constant) {
      return op.Out(fmt::format("torch.reshape({}, {})", x.name, AsList(op, wanted)), x.type);
    }
  }
  KENNING_ASSIGN_OR_RETURN(const auto shape, op.IntsOf("shape", 1));
  if (!shape) return op.Invalid("it has no shape");
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < shape->size(); ++i) {
    const bool copies = (*shape)[i] == 0 && op.Int("allowzero", 0) == 0;
    parts.push_back(copies ? fmt::format("{}.size({})", x.name, i) : std::to_string((*shape)[i]));
  }
  return op.Out(fmt::format("torch.reshape({}, [{}])", x.name, fmt::join(parts, ", ")), x.type);
}

Result<> Flatten(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
  const std::int64_t axis = op.Int("axis", 1);
  if (axis == 1) return op.Out(fmt::format("torch.flatten({}, 1)", x.name), x.type);
  if (axis == 0) return op.Out(fmt::format("torch.reshape({}, [1, -1])", x.name), x.type);
  if (axis < 0) return op.Unsupported("a negative axis");
  const std::string rest = op.builder().Assign(fmt::format("torch.flatten({}, {})", x.name, axis));
  return op.Out(fmt::format("torch.flatten({}, 0, {})", rest, axis - 1), x.type);
}

Result<> Transpose(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
  const auto order = op.Ints("perm");
  if (!order)
    return op.Out(fmt::format("{0}.permute([i for i in range({0}.dim())][::-1])", x.name), x.type);
  return op.Out(fmt::format("torch.permute({}, {})", x.name, PyInts(*order)), x.type);
}

Result<> Squeeze(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const auto axes, op.IntsOf("axes", 1));
  if (!axes) return op.Out(fmt::format("torch.squeeze({})", x.name), x.type);
  return op.Out(fmt::format("torch.squeeze({}, {})", x.name, PyInts(*axes)), x.type);
}

Result<> Unsqueeze(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(auto axes, op.IntsOf("axes", 1));
  if (!axes || axes->empty()) return op.Invalid("it has no axes");
  std::ranges::sort(*axes);
  if (axes->size() > 1 && axes->front() < 0) return op.Unsupported("several negative axes");
  std::string name = x.name;
  for (const std::int64_t axis : *axes) {
    name = op.builder().Assign(fmt::format("torch.unsqueeze({}, {})", name, axis));
  }
  return op.Out(name, x.type);
}

Result<> Concat(Op& op) {
  std::vector<std::string> parts;
  KENNING_ASSIGN_OR_RETURN(const Value first, op.In(0));
  for (int i = 0; op.Has(i); ++i) {
    KENNING_ASSIGN_OR_RETURN(const Value part, op.In(i));
    parts.push_back(part.name);
  }
  return op.Out(fmt::format("torch.cat([{}], {})", fmt::join(parts, ", "), op.Int("axis", 0)),
                first.type);
}

Result<> Split(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const auto sizes, op.IntsOf("split", 1));
  const std::int64_t axis = op.Int("axis", 0);
  const std::size_t count = op.outputs();
  if (sizes && sizes->size() != count) return op.Invalid("its sizes do not fit its outputs");
  const std::string parts =
      sizes ? fmt::format("torch.split_with_sizes({}, {}, {})", x.name, PyInts(*sizes), axis)
            : fmt::format("torch.chunk({}, {}, {})", x.name, count, axis);
  const std::string list = op.builder().Assign(parts);
  for (std::size_t i = 0; i < count; ++i) {
    KENNING_RETURN_IF_ERROR(op.Out(fmt::format("{}[{}]", list, i), x.type, static_cast<int>(i)));
  }
  return {};
}

Result<> Slice(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const auto starts, op.IntsOf("starts", 1));
  KENNING_ASSIGN_OR_RETURN(const auto ends, op.IntsOf("ends", 2));
  KENNING_ASSIGN_OR_RETURN(auto axes, op.IntsOf("axes", 3));
  KENNING_ASSIGN_OR_RETURN(auto steps, op.ConstantInts(4));
  if (!starts || !ends || starts->size() != ends->size()) {
    return op.Invalid("its starts and ends do not fit each other");
  }
  if (!axes) {
    axes.emplace(starts->size());
    std::iota(axes->begin(), axes->end(), 0);
  }
  if (!steps) steps.emplace(starts->size(), 1);
  if (axes->size() != starts->size() || steps->size() != starts->size()) {
    return op.Invalid("its axes and steps do not fit its starts");
  }
  std::string name = x.name;
  for (std::size_t i = 0; i < starts->size(); ++i) {
    if ((*steps)[i] < 1) return op.Unsupported("a negative step");
    name = op.builder().Assign(fmt::format("torch.slice({}, {}, {}, {}, {})", name, (*axes)[i],
                                           (*starts)[i], (*ends)[i], (*steps)[i]));
  }
  return op.Out(name, x.type);
}

Result<> Pad(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const auto pads, op.IntsOf("pads", 1));
  KENNING_ASSIGN_OR_RETURN(std::optional<double> fill, op.ConstantFloat(2));
  if (op.opset() < 11) fill = op.Float("value", 0);
  if (op.Has(3)) return op.Unsupported("axes");
  if (!pads || pads->size() % 2 != 0) return op.Invalid("its pads do not come in pairs");
  const std::size_t rank = pads->size() / 2;
  const std::string mode = op.String("mode", "constant");
  Ints list;
  std::size_t leading = 0;
  while (mode != "constant" && leading < rank && (*pads)[leading] == 0 &&
         (*pads)[leading + rank] == 0) {
    ++leading;
  }
  for (std::size_t i = rank; i-- > leading;) {
    list.push_back((*pads)[i]);
    list.push_back((*pads)[i + rank]);
  }
  if (mode == "constant") {
    return op.Out(fmt::format("torch.constant_pad_nd({}, {}, {})", x.name, PyInts(list),
                              PyFloat(fill.value_or(0))),
                  x.type);
  }
  if (mode != "reflect" && mode != "edge") return op.Unsupported("mode " + mode);
  return op.Out(fmt::format("torch.pad({}, {}, \"{}\")", x.name, PyInts(list),
                            mode == "edge" ? "replicate" : "reflect"),
                x.type);
}

Result<> Gather(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const Value indices, op.In(1));
  const std::int64_t axis = op.Int("axis", 0);
  if (indices.constant && indices.constant->dim() == 0) {
    const auto index = indices.constant->to(at::kLong).item<std::int64_t>();
    return op.Out(fmt::format("torch.select({}, {}, {})", x.name, axis, index), x.type);
  }
  std::string flat;
  const bool from_start = indices.constant && indices.constant->numel() > 0 &&
                          indices.constant->min().item().toLong() >= 0;
  if (from_start) {
    flat = op.builder().AddTensor(indices.constant->to(at::kLong).flatten());
  } else {
    // Negative indices count from the end.
    flat = op.builder().Assign(fmt::format("torch.remainder(torch.flatten({}).to({}), {}.size({}))",
                                           indices.name, TypeNumber(at::kLong), x.name, axis));
  }
  if (indices.constant && indices.constant->dim() == 1) {
    return op.Out(fmt::format("torch.index_select({}, {}, {})", x.name, axis, flat), x.type);
  }
  const std::string start = op.builder().Assign(
      axis < 0 ? fmt::format("{} + {}.dim()", axis, x.name) : std::to_string(axis));
  return op.Out(fmt::format("torch.reshape(torch.index_select({0}, {1}, {2}), "
                            "{0}.size()[:{1}] + {3}.size() + {0}.size()[{1} + 1:])",
                            x.name, start, flat, indices.name),
                x.type);
}

Result<> Shape(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
  if (op.Int("start", 0) != 0 || op.Int("end", 1 << 20) != 1 << 20) {
    return op.Unsupported("start and end");
  }
  return op.Out(fmt::format("torch.tensor({}.size())", x.name), at::kLong);
}

Result<> Expand(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const Value shape, op.In(1));
  // Both ways: a dimension of 1 in the shape keeps that of the input.
  const std::string list = AsList(op, shape);
  return op.Out(
      fmt::format("torch.mul({0}, torch.ones({1}, dtype={2}))", x.name, list, TypeNumber(x.type)),
      x.type);
}

Result<> ConstantOfShape(Op& op) { return op.Unsupported("a tensor whose shape is computed"); }

Translate DepthSpace(bool to_space) {
  return [to_space](Op& op) -> Result<> {
    KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
    const std::int64_t block = op.Int("blocksize", 0);
    if (block < 1) return op.Invalid("it has no blocksize");
    if (!to_space && op.String("mode", "DCR") != "DCR") return op.Unsupported("its mode");
    if (!to_space) {
      // LibTorch orders channels first by channel, ONNX by place in the block.
      const std::string split = op.builder().Assign(fmt::format(
          "torch.reshape({0}, [{0}.size(0), {0}.size(1), {0}.size(2) // {1}, {1}, {0}.size(3) // "
          "{1}, {1}])",
          x.name, block));
      return op.Out(
          fmt::format("torch.reshape(torch.permute({0}, [0, 3, 5, 1, 2, 4]), [{1}.size(0), "
                      "{1}.size(1) * {2}, {1}.size(2) // {3}, {1}.size(3) // {3}])",
                      split, x.name, block * block, block),
          x.type);
    }
    if (op.String("mode", "DCR") == "CRD") {
      return op.Out(fmt::format("torch.pixel_shuffle({}, {})", x.name, block), x.type);
    }
    const std::string split = op.builder().Assign(fmt::format(
        "torch.reshape({0}, [{0}.size(0), {1}, {1}, {0}.size(1) // {2}, {0}.size(2), {0}.size(3)])",
        x.name, block, block * block));
    return op.Out(fmt::format("torch.reshape(torch.permute({0}, [0, 3, 4, 1, 5, 2]), [{1}.size(0), "
                              "{1}.size(1) // {2}, {1}.size(2) * {3}, {1}.size(3) * {3}])",
                              split, x.name, block * block, block),
                  x.type);
  };
}

Result<> Dropout(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
  if (op.outputs() > 1) return op.Unsupported("the mask");
  return op.Out(x.name, x.type);
}

}  // namespace

void AddShapeOps(TranslateMap& ops) {
  ops["Reshape"] = Reshape;
  ops["Flatten"] = Flatten;
  ops["Transpose"] = Transpose;
  ops["Squeeze"] = Squeeze;
  ops["Unsqueeze"] = Unsqueeze;
  ops["Concat"] = Concat;
  ops["Split"] = Split;
  ops["Slice"] = Slice;
  ops["Pad"] = Pad;
  ops["Gather"] = Gather;
  ops["Shape"] = Shape;
  ops["Expand"] = Expand;
  ops["ConstantOfShape"] = ConstantOfShape;
  ops["DepthToSpace"] = DepthSpace(true);
  ops["SpaceToDepth"] = DepthSpace(false);
  ops["Dropout"] = Dropout;
}

}  // namespace kenning::libtorch::onnx_import
