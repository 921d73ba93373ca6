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


def _allow_quantised_pad():
    """TVM's reader pads quantised tensors with their zero point, as it must, but its list says that it does not."""
    from tvm.relax.frontend.tflite.tflite_frontend import OperatorConverter

    OperatorConverter._SUPPORTED_QUANTIZED_OPS |= {"PAD"}


def read_tflite(path):
    import tflite
    from tvm.relax.frontend.tflite import from_tflite

    with open(path, "rb") as file:
        model = tflite.Model.GetRootAsModel(file.read(), 0)
    _allow_quantised_pad()
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


def _fold(module, weights):
    folder = _Folder(module, weights)
    for variable, function in module.functions.items():
        if isinstance(function, relax.Function):
            folder.builder_.update_func(variable, folder.visit_expr(function))
    return relax.transform.DeadCodeElimination()(folder.builder_.get())


def prepare(module, target, dot_products):
    """Inference form, channels last, constants folded, fused: functions of loops and a graph of calls.

    `dot_products`: the target has instructions for sums of int8 products. Returns the number of convolutions in
    integers, too.
    """
    integers = 0
    with target:
        module = relax.transform.DecomposeOpsForInference()(module)
        module = relax.transform.ConvertLayout(LAYOUT)(module)
        module = relax.transform.Normalize()(module)
        for _ in range(2):
            module = relax.transform.CanonicalizeBindings()(_fold(module, False))
        if dot_products:
            module, integers = tvm_quantized.rewrite(module)
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
