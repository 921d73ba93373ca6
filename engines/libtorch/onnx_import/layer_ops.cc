// SPDX-License-Identifier: Apache-2.0
// Convolutions, pooling, normalisation, matrix products, resizing.
#include <algorithm>
#include <cmath>

#include "context.h"

namespace kenning::libtorch::onnx_import {
namespace {

using Ints = std::vector<std::int64_t>;

/// A window that moves over the last dimensions.
struct Window {
  Ints kernel;
  Ints strides;
  Ints dilations;
  Ints begin;  ///< Padding before and after each dimension.
  Ints end;
  std::string auto_pad;
  std::size_t rank() const { return kernel.size(); }
  bool symmetric() const { return begin == end; }
};

bool AllPositive(const Ints& values) {
  return std::ranges::all_of(values, [](std::int64_t v) { return v > 0 && v < (1 << 20); });
}

Result<Window> WindowOf(Op& op, Ints kernel) {
  Window window;
  const std::size_t rank = kernel.size();
  window.kernel = std::move(kernel);
  window.strides = op.Ints("strides").value_or(Ints(rank, 1));
  window.dilations = op.Ints("dilations").value_or(Ints(rank, 1));
  const Ints pads = op.Ints("pads").value_or(Ints(rank * 2, 0));
  window.auto_pad = op.String("auto_pad", "NOTSET");
  if (rank < 1 || rank > 3 || window.strides.size() != rank || window.dilations.size() != rank ||
      pads.size() != rank * 2 || !AllPositive(window.kernel) || !AllPositive(window.strides) ||
      !AllPositive(window.dilations)) {
    return op.Invalid("its kernel, strides, dilations and pads do not fit each other");
  }
  const auto middle = pads.begin() + static_cast<std::ptrdiff_t>(rank);
  window.begin.assign(pads.begin(), middle);
  window.end.assign(middle, pads.end());
  return window;
}

/// Padding in the order of constant_pad_nd: last dimension first.
std::string PadList(const Window& window) {
  Ints pads;
  for (std::size_t i = window.rank(); i-- > 0;) {
    pads.push_back(window.begin[i]);
    pads.push_back(window.end[i]);
  }
  return PyInts(pads);
}

/// auto_pad SAME: as much padding as the size of this very input needs.
std::string SamePads(Op& op, const Window& window, const std::string& x) {
  std::vector<std::string> parts;
  for (std::size_t i = window.rank(); i-- > 0;) {
    const std::string size = op.builder().Assign(fmt::format("{}.size({})", x, i + 2));
    const std::int64_t reach = (window.kernel[i] - 1) * window.dilations[i] + 1;
    const std::string all =
        op.builder().Assign(fmt::format("max((({0} + {1}) // {2} - 1) * {2} + {3} - {0}, 0)", size,
                                        window.strides[i] - 1, window.strides[i], reach));
    const std::string less = fmt::format("{} // 2", all);
    const std::string more = fmt::format("{0} - {0} // 2", all);
    const bool upper = window.auto_pad == "SAME_UPPER";
    parts.push_back(upper ? less : more);
    parts.push_back(upper ? more : less);
  }
  return fmt::format("[{}]", fmt::join(parts, ", "));
}

/// The input with padding that the operator itself cannot do; the window's own padding is then 0.
std::string Padded(Op& op, Window& window, const std::string& x, const std::string& fill,
                   bool by_hand = false) {
  std::string pads;
  if (window.auto_pad.starts_with("SAME")) {
    pads = SamePads(op, window, x);
  } else if (window.auto_pad != "VALID" && (by_hand || !window.symmetric())) {
    pads = PadList(window);
  }
  if (window.auto_pad == "VALID" || !pads.empty()) {
    std::ranges::fill(window.begin, 0);
    std::ranges::fill(window.end, 0);
  }
  if (pads.empty()) return x;
  return op.builder().Assign(fmt::format("torch.constant_pad_nd({}, {}, {})", x, pads, fill));
}

Result<Ints> KernelOf(Op& op, const Value& weight) {
  if (weight.constant) {
    if (weight.constant->dim() < 3) return op.Invalid("its weights have fewer than 3 dimensions");
    return weight.constant->sizes().slice(2).vec();
  }
  const auto kernel = op.Ints("kernel_shape");
  if (!kernel) return op.Unsupported("weights and kernel are both unknown");
  return *kernel;
}

Result<> Conv(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const Value weight, op.In(1));
  KENNING_ASSIGN_OR_RETURN(const std::string bias, op.InOrNone(2));
  KENNING_ASSIGN_OR_RETURN(Ints kernel, KernelOf(op, weight));
  KENNING_ASSIGN_OR_RETURN(Window window, WindowOf(op, std::move(kernel)));
  const std::string input = Padded(op, window, x.name, "0.0");
  return op.Out(fmt::format("torch.conv{}d({}, {}, {}, {}, {}, {}, {})", window.rank(), input,
                            weight.name, bias, PyInts(window.strides), PyInts(window.begin),
                            PyInts(window.dilations), op.Int("group", 1)),
                x.type);
}

Result<> ConvTranspose(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const Value weight, op.In(1));
  KENNING_ASSIGN_OR_RETURN(const std::string bias, op.InOrNone(2));
  KENNING_ASSIGN_OR_RETURN(Ints kernel, KernelOf(op, weight));
  KENNING_ASSIGN_OR_RETURN(const Window window, WindowOf(op, std::move(kernel)));
  if (window.auto_pad.starts_with("SAME") || !window.symmetric() || op.Ints("output_shape")) {
    return op.Unsupported("padding that differs between the sides");
  }
  const Ints more = op.Ints("output_padding").value_or(Ints(window.rank(), 0));
  const char* dimensions = window.rank() == 1 ? "1d" : window.rank() == 2 ? "2d" : "3d";
  return op.Out(fmt::format("torch.conv_transpose{}({}, {}, {}, {}, {}, {}, {}, {})", dimensions,
                            x.name, weight.name, bias, PyInts(window.strides), PyInts(window.begin),
                            PyInts(more), op.Int("group", 1), PyInts(window.dilations)),
                x.type);
}

Result<Window> PoolWindow(Op& op) {
  auto kernel = op.Ints("kernel_shape");
  if (!kernel) return op.Invalid("it has no kernel_shape");
  return WindowOf(op, *std::move(kernel));
}

/// Pooling of LibTorch pads by at most half a kernel itself.
bool PadsTooMuch(const Window& window) {
  for (std::size_t i = 0; i < window.rank(); ++i) {
    if (window.begin[i] * 2 > window.kernel[i]) return true;
  }
  return false;
}

Result<> MaxPool(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
  if (op.outputs() > 1) return op.Unsupported("indices");
  KENNING_ASSIGN_OR_RETURN(Window window, PoolWindow(op));
  const std::string input = Padded(op, window, x.name, "float(\"-inf\")", PadsTooMuch(window));
  return op.Out(fmt::format("torch.max_pool{}d({}, {}, {}, {}, {}, {})", window.rank(), input,
                            PyInts(window.kernel), PyInts(window.strides), PyInts(window.begin),
                            PyInts(window.dilations), PyBool(op.Int("ceil_mode", 0) != 0)),
                x.type);
}

Result<> AveragePool(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(Window window, PoolWindow(op));
  if (window.dilations != Ints(window.rank(), 1)) return op.Unsupported("dilations");
  const bool count_pads = op.Int("count_include_pad", 0) != 0;
  const bool ceil = op.Int("ceil_mode", 0) != 0;
  const Window before = window;
  const bool too_much = PadsTooMuch(window);
  const std::string input = Padded(op, window, x.name, "0.0", too_much);
  const auto pool = [&](const std::string& of) {
    const std::string last = window.rank() == 1
                                 ? fmt::format("{}, {}", PyBool(ceil), PyBool(count_pads))
                                 : fmt::format("{}, {}, None", PyBool(ceil), PyBool(count_pads));
    return fmt::format("torch.avg_pool{}d({}, {}, {}, {}, {})", window.rank(), of,
                       PyInts(window.kernel), PyInts(window.strides), PyInts(window.begin), last);
  };
  if (input == x.name || count_pads) return op.Out(pool(input), x.type);
  // What was padded by hand does not count: divide by the share of each window that did.
  Window again = before;
  const std::string ones = op.builder().Assign(fmt::format("torch.ones_like({})", x.name));
  const std::string padded_ones = Padded(op, again, ones, "0.0", too_much);
  return op.Out(fmt::format("torch.div({}, {})", pool(input), pool(padded_ones)), x.type);
}

/// Over all dimensions after the second, whatever their number.
Translate GlobalPool(const std::string& function) {
  return [function](Op& op) -> Result<> {
    KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
    if (x.rank > 2) {
      Ints axes;
      for (std::int64_t axis = 2; axis < x.rank; ++axis) axes.push_back(axis);
      return op.Out(fmt::format("torch.{}({}, {}, True)", function, x.name, PyInts(axes)), x.type);
    }
    const std::string flat =
        op.builder().Assign(fmt::format("torch.{}(torch.flatten({}, 2), [-1])", function, x.name));
    return op.Out(
        fmt::format("torch.reshape({0}, {0}.size() + [1] * ({1}.dim() - 2))", flat, x.name),
        x.type);
  };
}

Result<> BatchNormalization(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
  std::vector<std::string> parts;
  for (int i = 1; i <= 4; ++i) {
    KENNING_ASSIGN_OR_RETURN(const Value part, op.In(i));
    parts.push_back(part.name);
  }
  if (op.Int("training_mode", 0) != 0) return op.Unsupported("training mode");
  return op.Out(fmt::format("torch.batch_norm({}, {}, False, 0.0, {}, False)", x.name,
                            fmt::join(parts, ", "), PyFloat(op.Float("epsilon", 1e-5))),
                x.type);
}

Result<> InstanceNormalization(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const Value scale, op.In(1));
  KENNING_ASSIGN_OR_RETURN(const Value bias, op.In(2));
  return op.Out(fmt::format("torch.instance_norm({}, {}, {}, None, None, True, 0.0, {}, False)",
                            x.name, scale.name, bias.name, PyFloat(op.Float("epsilon", 1e-5))),
                x.type);
}

Result<> LayerNormalization(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const Value scale, op.In(1));
  KENNING_ASSIGN_OR_RETURN(const std::string bias, op.InOrNone(2));
  return op.Out(
      fmt::format("torch.layer_norm({0}, {0}.size()[{1}:], {2}, {3}, {4}, False)", x.name,
                  op.Int("axis", -1), scale.name, bias, PyFloat(op.Float("epsilon", 1e-5))),
      x.type);
}

/// A matrix as torch.linear takes it: a constant is turned now, once.
std::string ForLinear(Op& op, const Value& weight, bool is_turned) {
  if (is_turned) return weight.name;
  if (weight.constant) return op.builder().AddTensor(weight.constant->t().contiguous());
  return fmt::format("{}.t()", weight.name);
}

Result<> Gemm(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value a, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const Value b, op.In(1));
  KENNING_ASSIGN_OR_RETURN(const std::string c, op.InOrNone(2));
  const double alpha = op.Float("alpha", 1);
  const double beta = op.Float("beta", 1);
  const std::string left = op.Int("transA", 0) != 0 ? a.name + ".t()" : a.name;
  const bool turned = op.Int("transB", 0) != 0;
  if (b.constant && b.constant->dim() != 2) return op.Invalid("its second input is no matrix");
  bool plain_bias = c == "None";
  if (op.Has(2)) {
    KENNING_ASSIGN_OR_RETURN(const Value bias, op.In(2));
    plain_bias = bias.constant && bias.constant->dim() == 1 && b.constant &&
                 bias.constant->size(0) == b.constant->size(turned ? 0 : 1);
  }
  const std::string right = ForLinear(op, b, turned);
  if (alpha == 1 && beta == 1 && plain_bias) {
    return op.Out(fmt::format("torch.linear({}, {}, {})", left, right, c), a.type);
  }
  std::string product =
      fmt::format("torch.mul(torch.linear({}, {}, None), {})", left, right, PyFloat(alpha));
  if (c != "None") {
    product = fmt::format("torch.add({}, torch.mul({}, {}))", product, c, PyFloat(beta));
  }
  return op.Out(product, a.type);
}

Result<> MatMul(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value a, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const Value b, op.In(1));
  if (b.constant && b.constant->dim() == 2) {
    return op.Out(fmt::format("torch.linear({}, {}, None)", a.name, ForLinear(op, b, false)),
                  a.type);
  }
  return op.Out(fmt::format("torch.matmul({}, {})", a.name, b.name), a.type);
}

/// What a resized image is to be.
struct ResizeTarget {
  std::string size;      ///< Height and width, a list.
  std::string scales;    ///< Further arguments of upsample_*2d.
  bool whole = false;    ///< Whether both factors are known and whole.
  bool has_one = false;  ///< Whether a side may become 1.
};

Result<ResizeTarget> ResizeTargetOf(Op& op, const Value& x) {
  const bool old = op.type() == "Upsample";
  if (!old && op.Has(3)) {
    KENNING_ASSIGN_OR_RETURN(const auto sizes, op.ConstantInts(3));
    if (sizes->size() != 4) return op.Unsupported("other than four dimensions");
    return ResizeTarget{fmt::format("[{}, {}]", (*sizes)[2], (*sizes)[3]),
                        "scales_h=None, scales_w=None", false,
                        (*sizes)[2] == 1 || (*sizes)[3] == 1};
  }
  const int index = old || op.opset() < 11 ? 1 : 2;
  KENNING_ASSIGN_OR_RETURN(const Value scales, op.In(index));
  if (!scales.constant || scales.constant->numel() != 4) {
    return op.Unsupported("scales that are not four constants");
  }
  const at::Tensor flat = scales.constant->to(at::kDouble).contiguous();
  const auto* factor = flat.const_data_ptr<double>();
  if (factor[0] != 1 || factor[1] != 1 || !(factor[2] > 0) || !(factor[3] > 0)) {
    return op.Unsupported("scales of batch or channels");
  }
  const std::string high = PyFloat(factor[2]);
  const std::string wide = PyFloat(factor[3]);
  return ResizeTarget{
      fmt::format("[int({0}.size(2) * {1}), int({0}.size(3) * {2})]", x.name, high, wide),
      fmt::format("scales_h={}, scales_w={}", high, wide),
      factor[2] == std::floor(factor[2]) && factor[3] == std::floor(factor[3]),
      factor[2] < 1 || factor[3] < 1};
}

Result<> Resize(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const ResizeTarget target, ResizeTargetOf(op, x));
  if (op.Int("antialias", 0) != 0 || op.Int("exclude_outside", 0) != 0 || op.Ints("axes") ||
      op.Float("cubic_coeff_a", -0.75) != -0.75 ||
      op.String("keep_aspect_ratio_policy", "stretch") != "stretch") {
    return op.Unsupported("antialias, exclude_outside, axes, other coefficients or policies");
  }
  const bool old = op.type() == "Upsample" || op.opset() < 11;
  const std::string mode = op.String("mode", "nearest");
  const std::string place =
      op.String("coordinate_transformation_mode", old ? "asymmetric" : "half_pixel");
  const std::string rounding = op.String("nearest_mode", old ? "floor" : "round_prefer_floor");
  if (mode == "nearest") {
    // With whole factors the two roundings of the centre agree.
    const bool floor = place == "asymmetric" && rounding == "floor";
    const bool exact =
        place.ends_with("half_pixel") && rounding.starts_with("round") && target.whole;
    if (!floor && !exact) return op.Unsupported(fmt::format("nearest, {}, {}", place, rounding));
    return op.Out(fmt::format("torch.{}({}, {}, {})",
                              floor ? "upsample_nearest2d" : "_upsample_nearest_exact2d", x.name,
                              target.size, target.scales),
                  x.type);
  }
  const bool corners = place == "align_corners";
  const bool centres = place == "half_pixel" || (place == "pytorch_half_pixel" && !target.has_one);
  const bool known_corners = corners && (target.whole || op.Has(3));
  if ((mode != "linear" && mode != "cubic") || (!known_corners && !centres)) {
    return op.Unsupported(fmt::format("{}, {}", mode, place));
  }
  return op.Out(
      fmt::format("torch.upsample_{}2d({}, {}, {}, {})", mode == "linear" ? "bilinear" : "bicubic",
                  x.name, target.size, PyBool(corners), target.scales),
      x.type);
}

}  // namespace

void AddLayerOps(TranslateMap& ops) {
  ops["Conv"] = Conv;
  ops["ConvTranspose"] = ConvTranspose;
  ops["MaxPool"] = MaxPool;
  ops["AveragePool"] = AveragePool;
  ops["GlobalAveragePool"] = GlobalPool("mean");
  ops["GlobalMaxPool"] = GlobalPool("amax");
  ops["BatchNormalization"] = BatchNormalization;
  ops["InstanceNormalization"] = InstanceNormalization;
  ops["LayerNormalization"] = LayerNormalization;
  ops["Gemm"] = Gemm;
  ops["MatMul"] = MatMul;
  ops["Resize"] = Resize;
  ops["Upsample"] = Resize;
}

}  // namespace kenning::libtorch::onnx_import
