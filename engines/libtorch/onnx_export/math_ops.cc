// SPDX-License-Identifier: Apache-2.0
// Operators that work on each element, and reductions.
#include "writer.h"

namespace kenning::libtorch::onnx_export {
namespace {

Translate Unary(const std::string& type) {
  return [type](Op& op) -> Result<> {
    KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
    return op.Out(op.writer().Add(type, {x}));
  };
}

Result<> Pass(Op& op) {
  KENNING_ASSIGN_OR_RETURN(std::string x, op.In(0));
  return op.Out(std::move(x));
}

Translate Binary(const std::string& type) {
  return [type](Op& op) -> Result<> {
    KENNING_ASSIGN_OR_RETURN(const std::string a, op.Operand(0, 1));
    KENNING_ASSIGN_OR_RETURN(const std::string b, op.Operand(1, 0));
    return op.Out(op.writer().Add(type, {a, b}));
  };
}

/// a + alpha * b, and its like.
Translate Sum(const std::string& type, bool turned) {
  return [type, turned](Op& op) -> Result<> {
    KENNING_ASSIGN_OR_RETURN(const std::string a, op.Operand(0, 1));
    KENNING_ASSIGN_OR_RETURN(std::string b, op.Operand(1, 0));
    if (op.node().inputs().size() > 2) {
      KENNING_ASSIGN_OR_RETURN(const double alpha, op.Float(2));
      if (alpha != 1 && turned) return op.Unsupported("alpha");
      if (alpha != 1) {
        b = op.writer().Add("Mul", {b, op.writer().AddScalar(alpha, op.TypeOf(0))});
      }
    }
    return op.Out(turned ? op.writer().Add(type, {b, a}) : op.writer().Add(type, {a, b}));
  };
}

Result<> Div(Op& op) {
  if (at::isIntegralType(op.TypeOf(0), true)) return op.Unsupported("whole numbers");
  if (op.node().inputs().size() > 2 && !op.IsNone(2)) return op.Unsupported("rounding");
  return Binary("Div")(op);
}

/// Limits that are None are left out.
Result<> Clip(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
  std::vector<std::string> inputs = {x};
  for (std::size_t i = 1; i <= 2; ++i) {
    if (op.IsNone(i)) {
      inputs.emplace_back();
      continue;
    }
    KENNING_ASSIGN_OR_RETURN(const double limit, op.Float(i));
    inputs.push_back(op.writer().AddScalar(limit, op.TypeOf(0)));
  }
  return op.Out(op.writer().Add("Clip", inputs));
}

Result<> Relu6(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
  const at::ScalarType type = op.TypeOf(0);
  return op.Out(
      op.writer().Add("Clip", {x, op.writer().AddScalar(0, type), op.writer().AddScalar(6, type)}));
}

Result<> Silu(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
  return op.Out(op.writer().Add("Mul", {x, op.writer().Add("Sigmoid", {x})}));
}

Result<> HardSigmoid(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
  std::string y = op.writer().Add("HardSigmoid", {x});
  op.writer().SetFloat("alpha", 1.0 / 6);
  op.writer().SetFloat("beta", 0.5);
  return op.Out(std::move(y));
}

/// x/2 * (1 + erf(x / sqrt 2)); operator set 17 has no Gelu of its own.
Result<> Gelu(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
  const auto approximate =
      op.node().inputs().size() > 1 ? torch::jit::toIValue(op.node().input(1)) : std::nullopt;
  if (approximate && approximate->toStringRef() != "none") return op.Unsupported("tanh");
  const at::ScalarType type = op.TypeOf(0);
  Writer& writer = op.writer();
  const std::string erf =
      writer.Add("Erf", {writer.Add("Mul", {x, writer.AddScalar(0.70710678118654752, type)})});
  const std::string one = writer.Add("Add", {erf, writer.AddScalar(1, type)});
  const std::string half = writer.Add("Mul", {x, writer.AddScalar(0.5, type)});
  return op.Out(writer.Add("Mul", {half, one}));
}

Translate WithAlpha(const std::string& type) {
  return [type](Op& op) -> Result<> {
    KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
    KENNING_ASSIGN_OR_RETURN(const double alpha, op.Float(1));
    std::string y = op.writer().Add(type, {x});
    op.writer().SetFloat("alpha", alpha);
    return op.Out(std::move(y));
  };
}

Translate Softmax(const std::string& type) {
  return [type](Op& op) -> Result<> {
    KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
    KENNING_ASSIGN_OR_RETURN(const std::int64_t axis, op.Int(1));
    std::string y = op.writer().Add(type, {x});
    op.writer().SetInt("axis", axis);
    return op.Out(std::move(y));
  };
}

/// mean and amax; ReduceSum takes its axes as an input.
Translate Reduce(const std::string& type) {
  return [type](Op& op) -> Result<> {
    KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
    if (op.node().inputs().size() < 3) return op.Unsupported("over all dimensions");
    KENNING_ASSIGN_OR_RETURN(const Ints axes, op.IntList(1));
    KENNING_ASSIGN_OR_RETURN(const bool keep, op.Bool(2));
    std::string y;
    if (type == "ReduceSum") {
      y = op.writer().Add(type, {x, op.writer().AddInts(axes)});
    } else {
      y = op.writer().Add(type, {x});
      op.writer().SetInts("axes", axes);
    }
    op.writer().SetInt("keepdims", keep ? 1 : 0);
    return op.Out(std::move(y));
  };
}

Result<> ArgMax(Op& op) {
  KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
  KENNING_ASSIGN_OR_RETURN(const std::int64_t axis, op.Int(1));
  KENNING_ASSIGN_OR_RETURN(const bool keep, op.Bool(2));
  std::string y = op.writer().Add("ArgMax", {x});
  op.writer().SetInt("axis", axis);
  op.writer().SetInt("keepdims", keep ? 1 : 0);
  return op.Out(std::move(y));
}

/// A change of type; a change of place alone passes the tensor on.
Result<> To(Op& op) {
  const auto from = op.node().input(0)->type()->cast<c10::TensorType>();
  const auto to = op.node().output(0)->type()->cast<c10::TensorType>();
  if (!from || !to || !from->scalarType() || !to->scalarType()) {
    return op.Unsupported("types that are not known");
  }
  if (*from->scalarType() == *to->scalarType()) return Pass(op);
  KENNING_ASSIGN_OR_RETURN(const std::string x, op.In(0));
  const auto type = OnnxTypeOf(*to->scalarType());
  if (!type) return op.Unsupported("a type that ONNX lacks");
  std::string y = op.writer().Add("Cast", {x});
  op.writer().SetInt("to", *type);
  return op.Out(std::move(y));
}

}  // namespace

void AddMathOps(TranslateMap& ops) {
  for (const auto& [name, type] : std::map<std::string, std::string>{{"relu", "Relu"},
                                                                     {"sigmoid", "Sigmoid"},
                                                                     {"tanh", "Tanh"},
                                                                     {"exp", "Exp"},
                                                                     {"log", "Log"},
                                                                     {"sqrt", "Sqrt"},
                                                                     {"abs", "Abs"},
                                                                     {"neg", "Neg"},
                                                                     {"floor", "Floor"},
                                                                     {"ceil", "Ceil"},
                                                                     {"round", "Round"},
                                                                     {"erf", "Erf"},
                                                                     {"reciprocal", "Reciprocal"},
                                                                     {"hardswish", "HardSwish"},
                                                                     {"softplus", "Softplus"}}) {
    ops["aten::" + name] = Unary(type);
  }
  for (const char* name :
       {"contiguous", "clone", "detach", "dropout", "feature_dropout", "alias"}) {
    ops[std::string("aten::") + name] = Pass;
  }
  ops["aten::add"] = Sum("Add", false);
  ops["aten::sub"] = Sum("Sub", false);
  ops["aten::rsub"] = Sum("Sub", true);
  ops["aten::mul"] = Binary("Mul");
  ops["aten::div"] = Div;
  ops["aten::pow"] = Binary("Pow");
  ops["aten::minimum"] = Binary("Min");
  ops["aten::maximum"] = Binary("Max");
  ops["aten::clamp"] = Clip;
  ops["aten::hardtanh"] = Clip;
  ops["aten::relu6"] = Relu6;
  ops["aten::silu"] = Silu;
  ops["aten::hardsigmoid"] = HardSigmoid;
  ops["aten::gelu"] = Gelu;
  ops["aten::leaky_relu"] = WithAlpha("LeakyRelu");
  ops["aten::elu"] = WithAlpha("Elu");
  ops["aten::softmax"] = Softmax("Softmax");
  ops["aten::log_softmax"] = Softmax("LogSoftmax");
  ops["aten::mean"] = Reduce("ReduceMean");
  ops["aten::sum"] = Reduce("ReduceSum");
  ops["aten::amax"] = Reduce("ReduceMax");
  ops["aten::amin"] = Reduce("ReduceMin");
  ops["aten::argmax"] = ArgMax;
  ops["aten::to"] = To;
}

}  // namespace kenning::libtorch::onnx_export
