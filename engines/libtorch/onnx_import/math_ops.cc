// SPDX-License-Identifier: Apache-2.0
// Operators that work on each element, and reductions.
#include "context.h"

namespace kenning::libtorch::onnx_import {
namespace {

/// One input, one call: "torch.relu({})".
Translate Unary(const std::string& form) {
  return [form](Op& op) -> Result<> {
    KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
    return op.Out(fmt::format(fmt::runtime(form), x.name), x.type);
  };
}

/// As ONNX says of whole numbers and real ones alike; the result has the first input's type.
Translate Binary(const std::string& function) {
  return [function](Op& op) -> Result<> {
    KENNING_ASSIGN_OR_RETURN(const Value a, op.In(0));
    KENNING_ASSIGN_OR_RETURN(const Value b, op.In(1));
    return op.Out(fmt::format("torch.{}({}, {})", function, a.name, b.name), a.type);
  };
}

Translate Compare(const std::string& function) {
  return [function](Op& op) -> Result<> {
    KENNING_ASSIGN_OR_RETURN(const Value a, op.In(0));
    KENNING_ASSIGN_OR_RETURN(const Value b, op.In(1));
    return op.Out(fmt::format("torch.{}({}, {})", function, a.name, b.name), at::kBool);
  };
}

/// ONNX gives the first input's type, LibTorch the wider one.
Result<> Pow(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value a, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const Value b, op.In(1));
  const std::string cast = a.type == b.type ? "" : fmt::format(".to({})", TypeNumber(a.type));
  return op.Out(fmt::format("torch.pow({}, {}){}", a.name, b.name, cast), a.type);
}

Result<> Div(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value a, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const Value b, op.In(1));
  const char* rounding = at::isIntegralType(a.type, true) ? ", rounding_mode=\"trunc\"" : "";
  return op.Out(fmt::format("torch.div({}, {}{})", a.name, b.name, rounding), a.type);
}

Translate Fold(const std::string& function) {
  return [function](Op& op) -> Result<> {
    KENNING_ASSIGN_OR_RETURN(Value sum, op.In(0));
    for (int i = 1; op.Has(i); ++i) {
      KENNING_ASSIGN_OR_RETURN(const Value next, op.In(i));
      sum.name =
          op.builder().Assign(fmt::format("torch.{}({}, {})", function, sum.name, next.name));
    }
    return op.Out(sum.name, sum.type);
  };
}

Result<> Clip(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(std::optional<double> low, op.ConstantFloat(1));
  KENNING_ASSIGN_OR_RETURN(std::optional<double> high, op.ConstantFloat(2));
  if (op.opset() < 11) {
    constexpr double kLargest = 3.402823466e38;
    if (op.Float("min", -kLargest) > -kLargest) low = op.Float("min", 0);
    if (op.Float("max", kLargest) < kLargest) high = op.Float("max", 0);
  }
  if (low && high && *low == 0 && *high == 6 && x.type == at::kFloat) {
    return op.Out(fmt::format("torch.relu6({})", x.name), x.type);
  }
  const bool whole = at::isIntegralType(x.type, true);
  const auto limit = [&](const std::optional<double>& value) {
    if (!value) return std::string("None");
    return whole ? std::to_string(static_cast<std::int64_t>(*value)) : PyFloat(*value);
  };
  if (!low && !high) return op.Out(x.name, x.type);
  return op.Out(fmt::format("torch.clamp({}, {}, {})", x.name, limit(low), limit(high)), x.type);
}

/// Activations with a number or two.
Translate WithFloats(const std::string& form, const char* first, double first_default,
                     const char* second = nullptr, double second_default = 0) {
  return [=](Op& op) -> Result<> {
    KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
    const std::string a = PyFloat(op.Float(first, first_default));
    const std::string b = second == nullptr ? "" : PyFloat(op.Float(second, second_default));
    return op.Out(fmt::format(fmt::runtime(form), x.name, a, b), x.type);
  };
}

Result<> Gelu(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
  const bool tanh = op.String("approximate", "none") == "tanh";
  return op.Out(fmt::format("torch.gelu({}, approximate=\"{}\")", x.name, tanh ? "tanh" : "none"),
                x.type);
}

Result<> PRelu(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const Value slope, op.In(1));
  return op.Out(
      fmt::format("torch.where(torch.lt({0}, 0.0), torch.mul({0}, {1}), {0})", x.name, slope.name),
      x.type);
}

/// Below operator set 13, softmax works on the input as a matrix, cut at `axis`.
Translate Softmax(const std::string& function) {
  return [function](Op& op) -> Result<> {
    KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
    if (op.opset() >= 13) {
      return op.Out(fmt::format("torch.{}({}, {})", function, x.name, op.Int("axis", -1)), x.type);
    }
    const std::int64_t axis = op.Int("axis", 1);
    if (axis == -1) return op.Out(fmt::format("torch.{}({}, -1)", function, x.name), x.type);
    if (axis < 1) return op.Unsupported("an axis below 1 before operator set 13");
    const std::string flat = op.builder().Assign(
        fmt::format("torch.{}(torch.flatten({}, {}), -1)", function, x.name, axis));
    return op.Out(fmt::format("torch.reshape({}, {}.size())", flat, x.name), x.type);
  };
}

Translate Reduce(const std::string& function) {
  return [function](Op& op) -> Result<> {
    KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
    KENNING_ASSIGN_OR_RETURN(const auto axes, op.IntsOf("axes", 1));
    const bool keep = op.Int("keepdims", 1) != 0;
    if (!axes || axes->empty()) {
      if (op.Int("noop_with_empty_axes", 0) != 0) return op.Out(x.name, x.type);
      if (keep) return op.Unsupported("a reduction over all axes that keeps them");
      const std::string all = function == "mean" || function == "sum" ? function
                              : function == "amax"                    ? "max"
                                                                      : "min";
      return op.Out(fmt::format("torch.{}({})", all, x.name), x.type);
    }
    return op.Out(
        fmt::format("torch.{}({}, {}, {})", function, x.name, PyInts(*axes), PyBool(keep)), x.type);
  };
}

Translate ArgReduce(const std::string& function) {
  return [function](Op& op) -> Result<> {
    KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
    if (op.Int("select_last_index", 0) != 0) return op.Unsupported("select_last_index");
    return op.Out(fmt::format("torch.{}({}, {}, {})", function, x.name, op.Int("axis", 0),
                              PyBool(op.Int("keepdims", 1) != 0)),
                  at::kLong);
  };
}

Result<> Cast(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
  const auto type = TypeOf(static_cast<int>(op.Int("to", 0)));
  if (!type) return op.Unsupported("its type");
  return op.Out(fmt::format("{}.to({})", x.name, TypeNumber(*type)), *type);
}

Result<> Where(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value condition, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const Value a, op.In(1));
  KENNING_ASSIGN_OR_RETURN(const Value b, op.In(2));
  return op.Out(fmt::format("torch.where({}, {}, {})", condition.name, a.name, b.name), a.type);
}

/// Scale or zero point of one channel each, in a shape that fits the tensor.
Result<std::string> Spread(Op& op, const Value& parameter, const Value& x) {
  if (!parameter.constant) return op.Unsupported("a scale that is computed by the model");
  if (parameter.constant->numel() == 1) return parameter.name;
  const std::int64_t axis = op.Int("axis", 1);
  if (axis < 0 || parameter.constant->dim() != 1) return op.Unsupported("its scales by block");
  if (x.constant) {
    std::vector<std::int64_t> shape(static_cast<std::size_t>(x.constant->dim()), 1);
    if (axis >= x.constant->dim()) return op.Invalid("its axis does not exist");
    shape[static_cast<std::size_t>(axis)] = -1;
    return op.builder().Assign(fmt::format("torch.reshape({}, {})", parameter.name, PyInts(shape)));
  }
  return op.Unsupported("scales by channel of a tensor that is no constant");
}

Result<> Dequantize(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const Value scale, op.In(1));
  KENNING_ASSIGN_OR_RETURN(const std::string scales, Spread(op, scale, x));
  std::string centred = fmt::format("{}.to({})", x.name, TypeNumber(at::kFloat));
  if (op.Has(2)) {
    KENNING_ASSIGN_OR_RETURN(const Value zero, op.In(2));
    KENNING_ASSIGN_OR_RETURN(const std::string zeros, Spread(op, zero, x));
    centred = fmt::format("torch.sub({}, {}.to({}))", centred, zeros, TypeNumber(at::kFloat));
  }
  return op.Out(fmt::format("torch.mul({}, {})", centred, scales), at::kFloat);
}

Result<> Quantize(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const Value x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const Value scale, op.In(1));
  if (!scale.constant || scale.constant->numel() != 1) {
    return op.Unsupported("several scales, or one that is computed");
  }
  at::ScalarType type = at::kByte;
  std::string rounded = fmt::format("torch.round(torch.div({}, {}))", x.name, scale.name);
  if (op.Has(2)) {
    KENNING_ASSIGN_OR_RETURN(const Value zero, op.In(2));
    type = zero.type;
    rounded = fmt::format("torch.add({}, {}.to({}))", rounded, zero.name, TypeNumber(at::kFloat));
  }
  if (type != at::kByte && type != at::kChar) return op.Unsupported("its type");
  const bool is_signed = type == at::kChar;
  return op.Out(fmt::format("torch.clamp({}, {}, {}).to({})", rounded, is_signed ? "-128." : "0.",
                            is_signed ? "127." : "255.", TypeNumber(type)),
                type);
}

}  // namespace

void AddMathOps(TranslateMap& ops) {
  for (const auto& [name, function] :
       std::map<std::string, std::string>{{"Relu", "relu"},
                                          {"Sigmoid", "sigmoid"},
                                          {"Tanh", "tanh"},
                                          {"Exp", "exp"},
                                          {"Log", "log"},
                                          {"Sqrt", "sqrt"},
                                          {"Abs", "abs"},
                                          {"Neg", "neg"},
                                          {"Floor", "floor"},
                                          {"Ceil", "ceil"},
                                          {"Round", "round"},
                                          {"Erf", "erf"},
                                          {"Sign", "sign"},
                                          {"Sin", "sin"},
                                          {"Cos", "cos"},
                                          {"Mish", "mish"},
                                          {"HardSwish", "hardswish"},
                                          {"Softplus", "softplus"},
                                          {"Reciprocal", "reciprocal"},
                                          {"Not", "logical_not"}}) {
    ops[name] = Unary("torch." + function + "({})");
  }
  ops["Identity"] = Unary("{}");
  ops["Softsign"] = Unary("torch.div({0}, torch.add(torch.abs({0}), 1.0))");
  ops["LeakyRelu"] = WithFloats("torch.leaky_relu({}, {})", "alpha", 0.01);
  ops["Elu"] = WithFloats("torch.elu({}, {})", "alpha", 1.0);
  ops["Selu"] = WithFloats("torch.mul(torch.elu({}, {}), {})", "alpha", 1.67326319217681884765625,
                           "gamma", 1.05070102214813232421875);
  ops["HardSigmoid"] = WithFloats("torch.clamp(torch.add(torch.mul({}, {}), {}), 0.0, 1.0)",
                                  "alpha", 0.2, "beta", 0.5);
  ops["Gelu"] = Gelu;
  ops["PRelu"] = PRelu;
  ops["Clip"] = Clip;
  ops["Add"] = Binary("add");
  ops["Sub"] = Binary("sub");
  ops["Mul"] = Binary("mul");
  ops["Div"] = Div;
  ops["Pow"] = Pow;
  ops["Min"] = Fold("minimum");
  ops["Max"] = Fold("maximum");
  ops["Sum"] = Fold("add");
  ops["Equal"] = Compare("eq");
  ops["Greater"] = Compare("gt");
  ops["GreaterOrEqual"] = Compare("ge");
  ops["Less"] = Compare("lt");
  ops["LessOrEqual"] = Compare("le");
  ops["And"] = Compare("logical_and");
  ops["Or"] = Compare("logical_or");
  ops["Where"] = Where;
  ops["Softmax"] = Softmax("softmax");
  ops["LogSoftmax"] = Softmax("log_softmax");
  ops["ReduceMean"] = Reduce("mean");
  ops["ReduceSum"] = Reduce("sum");
  ops["ReduceMax"] = Reduce("amax");
  ops["ReduceMin"] = Reduce("amin");
  ops["ArgMax"] = ArgReduce("argmax");
  ops["ArgMin"] = ArgReduce("argmin");
  ops["Cast"] = Cast;
  ops["DequantizeLinear"] = Dequantize;
  ops["QuantizeLinear"] = Quantize;
}

}  // namespace kenning::libtorch::onnx_import
