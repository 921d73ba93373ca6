// SPDX-License-Identifier: Apache-2.0
// Convolutions, pooling, normalisation, matrix products, resizing.
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

#include "writer.h"

namespace kenning::libtorch::onnx_export {
namespace {

/// One number stands for all dimensions.
Ints Spread(Ints values, std::size_t rank) {
  if (values.size() == 1) values.resize(rank, values[0]);
  return values;
}

Ints Twice(const Ints& pads) {
  Ints both = pads;
  both.insert(both.end(), pads.begin(), pads.end());
  return both;
}

Result<std::vector<std::string>> WeightInputs(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const std::string weight, op.In(1));
  std::vector<std::string> inputs = {x, weight};
  if (!op.IsNone(2)) {
    KENNING_ASSIGN_OR_RETURN(const std::string bias, op.In(2));
    inputs.push_back(bias);
  }
  return inputs;
}

/// Where the arguments of the forms of convolution stand.
struct ConvPlaces {
  std::size_t stride = 3;
  std::size_t padding = 4;
  std::size_t dilation = 5;
  std::size_t groups = 6;
  std::size_t output_padding = 0;  ///< 0: there is none.
};

Result<> WriteConv(Op& op, const ConvPlaces& places, bool transposed) {
  const auto weight = op.Constant(1);
  if (!weight || weight->dim() < 3) return op.Unsupported("weights that are no constants");
  const auto rank = static_cast<std::size_t>(weight->dim() - 2);
  if (op.node().input(places.padding)->type()->kind() == c10::TypeKind::StringType) {
    return op.Unsupported("padding by name");
  }
  KENNING_ASSIGN_OR_RETURN(const std::vector<std::string> inputs, WeightInputs(op));
  KENNING_ASSIGN_OR_RETURN(const Ints strides, op.IntList(places.stride));
  KENNING_ASSIGN_OR_RETURN(const Ints pads, op.IntList(places.padding));
  KENNING_ASSIGN_OR_RETURN(const Ints dilations, op.IntList(places.dilation));
  KENNING_ASSIGN_OR_RETURN(const std::int64_t groups, op.Int(places.groups));
  std::string y = op.writer().Add(transposed ? "ConvTranspose" : "Conv", inputs);
  op.writer().SetInts("kernel_shape", weight->sizes().slice(2).vec());
  op.writer().SetInts("strides", Spread(strides, rank));
  op.writer().SetInts("pads", Twice(Spread(pads, rank)));
  op.writer().SetInts("dilations", Spread(dilations, rank));
  op.writer().SetInt("group", groups);
  if (transposed && places.output_padding != 0) {
    KENNING_ASSIGN_OR_RETURN(const Ints more, op.IntList(places.output_padding));
    op.writer().SetInts("output_padding", Spread(more, rank));
  }
  return op.Out(std::move(y));
}

Result<> Conv(Op& op) { return WriteConv(op, {}, false); }

Result<> ConvTranspose(Op& op) {
  return WriteConv(op, {.dilation = 7, .groups = 6, .output_padding = 5}, true);
}

/// aten::_convolution and aten::convolution.
Result<> AnyConv(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const bool transposed, op.Bool(6));
  return WriteConv(op, {.groups = 8, .output_padding = 7}, transposed);
}

Result<> BatchNorm(Op& op) {
  std::vector<std::string> inputs;
  for (const std::size_t i : {0, 1, 2, 3, 4}) {
    if (op.IsNone(i)) return op.Unsupported("no scale or statistics");
    KENNING_ASSIGN_OR_RETURN(std::string input, op.In(i));
    inputs.push_back(std::move(input));
  }
  KENNING_ASSIGN_OR_RETURN(const bool training, op.Bool(5));
  if (training) return op.Unsupported("training mode");
  KENNING_ASSIGN_OR_RETURN(const double epsilon, op.Float(7));
  std::string y = op.writer().Add("BatchNormalization", inputs);
  op.writer().SetFloat("epsilon", epsilon);
  return op.Out(std::move(y));
}

Result<> LayerNorm(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const Ints shape, op.IntList(1));
  if (op.IsNone(2)) return op.Unsupported("no scale");
  KENNING_ASSIGN_OR_RETURN(const std::string scale, op.In(2));
  std::string bias;
  if (!op.IsNone(3)) {
    KENNING_ASSIGN_OR_RETURN(bias, op.In(3));
  }
  KENNING_ASSIGN_OR_RETURN(const double epsilon, op.Float(4));
  std::string y = op.writer().Add("LayerNormalization", {x, scale, bias});
  op.writer().SetInt("axis", -static_cast<std::int64_t>(shape.size()));
  op.writer().SetFloat("epsilon", epsilon);
  return op.Out(std::move(y));
}

Result<> MaxPool(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const Ints kernel, op.IntList(1));
  KENNING_ASSIGN_OR_RETURN(const Ints strides, op.IntList(2));
  KENNING_ASSIGN_OR_RETURN(const Ints pads, op.IntList(3));
  KENNING_ASSIGN_OR_RETURN(const Ints dilations, op.IntList(4));
  KENNING_ASSIGN_OR_RETURN(const bool ceil, op.Bool(5));
  const std::size_t rank =
      op.node().kind().toQualString() == std::string("aten::max_pool1d") ? 1 : 2;
  std::string y = op.writer().Add("MaxPool", {x});
  op.writer().SetInts("kernel_shape", Spread(kernel, rank));
  op.writer().SetInts("strides", Spread(strides.empty() ? kernel : strides, rank));
  op.writer().SetInts("pads", Twice(Spread(pads, rank)));
  op.writer().SetInts("dilations", Spread(dilations, rank));
  op.writer().SetInt("ceil_mode", ceil ? 1 : 0);
  return op.Out(std::move(y));
}

Result<> AveragePool(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const Ints kernel, op.IntList(1));
  KENNING_ASSIGN_OR_RETURN(const Ints strides, op.IntList(2));
  KENNING_ASSIGN_OR_RETURN(const Ints pads, op.IntList(3));
  KENNING_ASSIGN_OR_RETURN(const bool ceil, op.Bool(4));
  KENNING_ASSIGN_OR_RETURN(const bool count_pads, op.Bool(5));
  if (op.node().inputs().size() > 6 && !op.IsNone(6)) return op.Unsupported("a divisor");
  std::string y = op.writer().Add("AveragePool", {x});
  op.writer().SetInts("kernel_shape", Spread(kernel, 2));
  op.writer().SetInts("strides", Spread(strides.empty() ? kernel : strides, 2));
  op.writer().SetInts("pads", Twice(Spread(pads, 2)));
  op.writer().SetInt("ceil_mode", ceil ? 1 : 0);
  op.writer().SetInt("count_include_pad", count_pads ? 1 : 0);
  return op.Out(std::move(y));
}

Translate AdaptivePool(const std::string& type) {
  return [type](Op& op) -> Result<> {
    KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
    KENNING_ASSIGN_OR_RETURN(const Ints size, op.IntList(1));
    if (std::ranges::all_of(size, [](std::int64_t s) { return s == 1; })) {
      return op.Out(op.writer().Add("Global" + type, {x}));
    }
    // A whole number of inputs for each output is plain pooling.
    const auto in = op.node().input(0)->type()->expect<c10::TensorType>()->sizes().concrete_sizes();
    Ints kernel;
    for (std::size_t i = 0; in && i < size.size() && in->size() == size.size() + 2; ++i) {
      if (size[i] < 1 || (*in)[i + 2] % size[i] != 0) break;
      kernel.push_back((*in)[i + 2] / size[i]);
    }
    if (kernel.size() != size.size()) return op.Unsupported("windows of several sizes");
    std::string y = op.writer().Add(type, {x});
    op.writer().SetInts("kernel_shape", kernel);
    op.writer().SetInts("strides", kernel);
    return op.Out(std::move(y));
  };
}

Result<> Linear(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const std::vector<std::string> inputs, WeightInputs(op));
  if (op.Rank(0) == 2) {
    std::string y = op.writer().Add("Gemm", inputs);
    op.writer().SetInt("transB", 1);
    return op.Out(std::move(y));
  }
  const auto weight = op.Constant(1);
  if (!weight) return op.Unsupported("weights that are no constants");
  std::string y = op.writer().Add("MatMul", {inputs[0], op.writer().AddTensor(weight->t())});
  if (inputs.size() == 3) y = op.writer().Add("Add", {y, inputs[2]});
  return op.Out(std::move(y));
}

/// beta * bias + alpha * a b.
Result<> AddMm(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const std::string bias, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const std::string a, op.In(1));
  KENNING_ASSIGN_OR_RETURN(const std::string b, op.In(2));
  KENNING_ASSIGN_OR_RETURN(const double beta, op.Float(3));
  KENNING_ASSIGN_OR_RETURN(const double alpha, op.Float(4));
  std::string y = op.writer().Add("Gemm", {a, b, bias});
  op.writer().SetFloat("alpha", alpha);
  op.writer().SetFloat("beta", beta);
  return op.Out(std::move(y));
}

Result<> MatMul(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const std::string a, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const std::string b, op.In(1));
  return op.Out(op.writer().Add("MatMul", {a, b}));
}

/// Factors of all four dimensions: as given, or as the sizes tell.
Result<std::vector<float>> ScalesOf(Op& op, std::size_t place) {
  std::vector<float> scales = {1, 1};
  if (op.node().inputs().size() > place + 1 && !op.IsNone(place) && !op.IsNone(place + 1)) {
    for (const std::size_t i : {place, place + 1}) {
      KENNING_ASSIGN_OR_RETURN(const double scale, op.Float(i));
      scales.push_back(static_cast<float>(scale));
    }
    return scales;
  }
  const auto to = op.node().output(0)->type()->expect<c10::TensorType>()->sizes().concrete_sizes();
  const auto from = op.node().input(0)->type()->expect<c10::TensorType>()->sizes().concrete_sizes();
  if (!to || !from || to->size() != 4 || from->size() != 4) {
    return op.Unsupported("sizes that are not known");
  }
  for (const std::size_t i : {2, 3}) {
    scales.push_back(static_cast<float>((*to)[i]) / static_cast<float>((*from)[i]));
  }
  return scales;
}

Translate Upsample(const std::string& mode) {
  return [mode](Op& op) -> Result<> {
    KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
    bool corners = false;
    if (mode == "linear") {
      KENNING_ASSIGN_OR_RETURN(corners, op.Bool(2));
    }
    KENNING_ASSIGN_OR_RETURN(const std::vector<float> scales,
                             ScalesOf(op, mode == "linear" ? 3 : 2));
    std::string y =
        op.writer().Add("Resize", {x, "", op.writer().AddTensor(at::tensor(scales, at::kFloat))});
    op.writer().SetString("mode", mode);
    if (mode == "nearest") {
      op.writer().SetString("coordinate_transformation_mode", "asymmetric");
      op.writer().SetString("nearest_mode", "floor");
    } else {
      op.writer().SetString("coordinate_transformation_mode",
                            corners ? "align_corners" : "pytorch_half_pixel");
    }
    return op.Out(std::move(y));
  };
}

}  // namespace

void AddLayerOps(TranslateMap& ops) {
  for (const char* name : {"conv1d", "conv2d", "conv3d"}) ops[std::string("aten::") + name] = Conv;
  for (const char* name : {"conv_transpose1d", "conv_transpose2d", "conv_transpose3d"}) {
    ops[std::string("aten::") + name] = ConvTranspose;
  }
  ops["aten::_convolution"] = AnyConv;
  ops["aten::convolution"] = AnyConv;
  ops["aten::batch_norm"] = BatchNorm;
  ops["aten::layer_norm"] = LayerNorm;
  ops["aten::max_pool1d"] = MaxPool;
  ops["aten::max_pool2d"] = MaxPool;
  ops["aten::avg_pool2d"] = AveragePool;
  ops["aten::adaptive_avg_pool2d"] = AdaptivePool("AveragePool");
  ops["aten::adaptive_avg_pool1d"] = AdaptivePool("AveragePool");
  ops["aten::linear"] = Linear;
  ops["aten::addmm"] = AddMm;
  ops["aten::matmul"] = MatMul;
  ops["aten::mm"] = MatMul;
  ops["aten::bmm"] = MatMul;
  ops["aten::upsample_nearest2d"] = Upsample("nearest");
  ops["aten::upsample_bilinear2d"] = Upsample("linear");
}

}  // namespace kenning::libtorch::onnx_export
