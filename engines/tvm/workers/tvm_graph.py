# SPDX-License-Identifier: Apache-2.0
"""From a model file to functions of TVM's, one a fused operator, in a layout that vectorises over channels."""

import kenning_worker as worker
import numpy
import tvm
import tvm_quantized
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

LAYOUT = {"relax.nn.conv2d": ["NHWC", "HWIO"]}


def read_onnx(path, batch=1):
    """The module, and (name, dtype, shape) of inputs and outputs. Symbolic dimensions become `batch`."""
    import onnx
    from tvm.relax.frontend.onnx import from_onnx, onnx_frontend

    _read_clip_as_plain_operators(onnx_frontend)
    model = onnx.load(path)
    _make_pad_values_plain(onnx, model.graph)
    weights = {tensor.name for tensor in model.graph.initializer}
    shapes, types, inputs = {}, {}, []
    for value in model.graph.input:
        if value.name in weights:
            continue
        tensor = value.type.tensor_type
        shapes[value.name] = [d.dim_value if d.dim_value > 0 else batch for d in tensor.shape.dim]
        types[value.name] = str(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
        inputs.append((value.name, types[value.name], shapes[value.name]))
    module = from_onnx(model, shape_dict=shapes, dtype_dict=types, keep_params_in_input=False)
    return module, inputs, [value.name for value in model.graph.output]


def _make_pad_values_plain(onnx, graph):
    """Quantised models give the value of a margin through DequantizeLinear; TVM wants the number."""
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        maker = makers.get(node.input[2]) if node.op_type == "Pad" and len(node.input) > 2 else None
        if maker is None or maker.op_type != "DequantizeLinear" or any(i not in constants for i in maker.input):
            continue
        value, scale, *zero = (constants[name] for name in maker.input)
        real = (value.astype("float64") - (zero[0] if zero else 0)) * scale
        name = node.input[2] + "/value"
        if name not in constants:
            constants[name] = real.astype("float32").reshape(())
            graph.initializer.append(onnx.numpy_helper.from_array(constants[name], name))
        node.input[2] = name


def _read_clip_as_plain_operators(frontend):
    """TVM's own reading of Clip hides it from the change of layout and from fusion. NaN bounds are left to it."""

    class Clip(frontend.OnnxOpConverter):
        @classmethod
        def _impl_v13(cls, bb, inputs, attr, params):
            bounds = [None if bound is None else getattr(bound, "value", bound) for bound in inputs[1:3]]
            if any(bound is not None and not hasattr(bound, "numpy") for bound in bounds):
                return frontend.Clip._impl_v13(bb, inputs, attr, params)
            values = [None if bound is None else bound.numpy().reshape(-1)[0] for bound in bounds]
            return _clip(bb, inputs[0], values)

        _impl_v11 = _impl_v13
        _impl_v12 = _impl_v13

        @classmethod
        def _impl_v1(cls, bb, inputs, attr, params):
            return _clip(bb, inputs[0], [attr.get("min"), attr.get("max")])

        _impl_v6 = _impl_v1

    original = frontend._get_convert_map
    frontend._get_convert_map = lambda *args: {**original(*args), "Clip": Clip}


def _clip(bb, value, bounds):
    dtype = str(value.ty.dtype)
    for bound, operator in zip(bounds, (relax.op.maximum, relax.op.minimum)):
        if bound is not None and not numpy.isnan(bound):
            value = bb.normalize(operator(value, relax.const(numpy.asarray(bound, dtype))))
    return value


def _mend_tflite_reader():
    """TVM's reader pads quantised tensors with their zero point, as it must, but its list says that it does not; and
    it leaves the form of a fully connected layer's input to the result."""
    from tvm.relax.frontend.tflite.tflite_frontend import OperatorConverter

    OperatorConverter._SUPPORTED_QUANTIZED_OPS |= {"PAD"}
    original = OperatorConverter.convert_fully_connected
    if original.__name__ == "convert_with_form":
        return

    def convert_with_form(self, op):
        result = original(self, op)
        read, made = self.get_input_tensors(op)[0].tensor, self.get_output_tensors(op)[0].tensor
        if read.ShapeLength() == made.ShapeLength():
            return result
        return relax.op.reshape(result, [int(extent) for extent in made.ShapeAsNumpy()])

    OperatorConverter.convert_fully_connected = convert_with_form


def read_tflite(path):
    import tflite
    from tvm.relax.frontend.tflite import from_tflite

    with open(path, "rb") as file:
        model = tflite.Model.GetRootAsModel(file.read(), 0)
    _mend_tflite_reader()
    module = from_tflite(model)
    graph = model.Subgraphs(0)
    names = [graph.Tensors(graph.Outputs(i)).Name().decode() for i in range(graph.OutputsLength())]
    inputs = []
    for i, parameter in enumerate(module["main"].params):
        name = graph.Tensors(graph.Inputs(i)).Name().decode()
        inputs.append((name, str(parameter.ty.dtype), [int(d) for d in parameter.ty.shape.values]))
    return module, inputs, names


@mutator
class _Folder(PyExprMutator):
    """Computes changes of constants' form with NumPy: TVM would compile a function for each."""

    def __init__(self, module, weights):
        super().__init__(module)
        self.weights = weights  # Also turns quantised constants into real ones.

    def visit_call_(self, call):
        call = super().visit_call_(call)
        arguments = [self._constant(argument) for argument in getattr(call, "args", [])]
        if not arguments or arguments[0] is None:
            return call
        name = getattr(call.op, "name", "")
        if name == "relax.permute_dims":
            axes = call.attrs.axes
            axes = None if axes is None else [int(axis) for axis in axes]
            return relax.const(numpy.ascontiguousarray(numpy.transpose(arguments[0], axes)))
        if name in ("relax.reshape", "relax.expand_dims", "relax.squeeze"):
            return relax.const(arguments[0].reshape([int(extent) for extent in call.ty.shape.values]))
        if self.weights and name == "relax.dequantize" and all(argument is not None for argument in arguments):
            values = tvm_quantized.dequantized(*arguments, int(call.attrs.axis))
            return relax.const(values.astype(str(call.attrs.out_dtype)))
        return call

    def _constant(self, expression):
        if isinstance(expression, relax.Var):
            expression = self.lookup_binding(expression)
        value = getattr(expression, "value", None)
        return value.numpy() if isinstance(value, tvm.runtime.Tensor) else None


UNARY = {f"relax.{name}" for name in ("quantize", "dequantize", "clip", "nn.relu", "sigmoid", "tanh", "exp", "sqrt", "abs")}
BINARY = {f"relax.{name}" for name in ("add", "subtract", "multiply", "divide", "maximum", "minimum")}


@mutator
class _Sinker(PyExprMutator):
    """Moves changes of layout behind steps that work on each element alone, until two of them meet and cancel."""

    def visit_call_(self, call):
        call = super().visit_call_(call)
        name = getattr(getattr(call, "op", None), "name", "")
        if name == "relax.permute_dims":
            return self._cancelled(call)
        if name in UNARY and self._plain(call.args[1:]):
            return self._sunk(call, 1)
        if name in BINARY:
            return self._sunk(call, 2)
        return call

    def _cancelled(self, call):
        found = self._permuted(call.args[0])
        if found is None or call.attrs.axes is None:
            return call
        source, axes = found
        total = [axes[int(axis)] for axis in call.attrs.axes]
        return source if total == sorted(total) else relax.op.permute_dims(source, total)

    def _permuted(self, expression):
        found = self.lookup_binding(expression) if isinstance(expression, relax.Var) else expression
        if getattr(getattr(found, "op", None), "name", "") != "relax.permute_dims" or found.attrs.axes is None:
            return None
        return found.args[0], [int(axis) for axis in found.attrs.axes]

    def _plain(self, arguments):
        return all(self._is_number(argument) for argument in arguments)

    def _is_number(self, expression):
        found = self.lookup_binding(expression) if isinstance(expression, relax.Var) else expression
        value = getattr(found, "value", None)
        return not isinstance(value, tvm.runtime.Tensor) and value is not None or _size(value) == 1

    def _sunk(self, call, count):
        arguments = list(call.args[:count])
        found = [self._permuted(argument) for argument in arguments]
        axes = [f[1] for f in found if f is not None]
        if not axes or any(other != axes[0] for other in axes):
            return call
        if any(f is None and not self._is_number(a) for f, a in zip(found, arguments)):
            return call
        sources = [a if f is None else f[0] for f, a in zip(found, arguments)]
        inner = self.builder_.emit(tvm.ir.Call(call.op, [*sources, *call.args[count:]], call.attrs))
        return relax.op.permute_dims(inner, axes[0])


def _size(tensor):
    return tensor.numpy().size if isinstance(tensor, tvm.runtime.Tensor) else 0


def _sink(module):
    sinker = _Sinker(module)
    for variable, function in module.functions.items():
        if isinstance(function, relax.Function):
            sinker.builder_.update_func(variable, sinker.visit_expr(function))
    return relax.transform.DeadCodeElimination()(sinker.builder_.get())


def _fold(module, weights):
    folder = _Folder(module, weights)
    for variable, function in module.functions.items():
        if isinstance(function, relax.Function):
            folder.builder_.update_func(variable, folder.visit_expr(function))
    return relax.transform.DeadCodeElimination()(folder.builder_.get())


def prepare(module, target, dot):
    """Inference form, channels last, constants folded, fused: functions of loops and a graph of calls.

    `dot`: the target's instruction for sums of products of int8, or None. Returns the number of convolutions in
    integers, too.
    """
    integers = 0
    with target:
        module = relax.transform.DecomposeOpsForInference()(module)
        module = relax.transform.ConvertLayout(LAYOUT)(module)
        module = relax.transform.Normalize()(module)
        for _ in range(2):
            module = relax.transform.CanonicalizeBindings()(_fold(_sink(module), False))
        if dot is not None:
            module, integers = tvm_quantized.rewrite(module, dot)
        for _ in range(2):
            module = relax.transform.CanonicalizeBindings()(_fold(module, True))
        passes = (
            relax.transform.LegalizeOps(),
            relax.transform.AnnotateTIROpPattern(),
            relax.transform.FoldConstant(),
            relax.transform.FuseOps(),
            relax.transform.FuseTIR(),
            relax.transform.DeadCodeElimination(),
        )
        return tvm.transform.Sequential(passes)(module), integers


def operators(module):
    """(variable, function, calls) of every function of loops."""
    calls = {}

    def visit(expression):
        if isinstance(expression, tvm.ir.Call) and getattr(expression.op, "name", "") == "relax.call_tir":
            name = expression.args[0].name_hint
            calls[name] = calls.get(name, 0) + 1

    for function in module.functions.values():
        if isinstance(function, relax.Function):
            relax.analysis.post_order_visit(function, visit)
    found = []
    for variable, function in module.functions.items():
        if isinstance(function, tvm.tirx.PrimFunc):
            found.append((variable, function, calls.get(variable.name_hint, 1)))
    return found


def result_specs(module):
    """(dtype, shape) of each output."""
    kind = module["main"].ret_ty
    fields = list(kind.fields) if hasattr(kind, "fields") else [kind]
    try:
        return [(str(f.dtype), [int(d) for d in f.shape.values]) for f in fields]
    except (AttributeError, TypeError) as error:
        raise worker.WorkerError("unsupported", f"an output has no fixed shape: {error}") from error
