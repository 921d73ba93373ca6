# SPDX-License-Identifier: Apache-2.0
"""ONNX graphs as TensorFlow functions, for the converter to TensorFlow Lite.

ONNX keeps channels first, TensorFlow Lite last. A value therefore says in which order its memory is; an operator
takes what it can use and only the others get a transposition. Inputs and outputs stay as in the ONNX model.
"""

import kenning_worker as worker
import onnx_operators
from onnx_operators import Value


def _load(path):
    import onnx

    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as error:
        raise worker.WorkerError("invalid-model", f"{path}: {type(error).__name__}: {str(error)[:1500]}") from error
    return model


def _check_operators(graph, path):
    missing = sorted({node.op_type for node in graph.node} - set(onnx_operators.KNOWN))
    quantised = {"QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger"} & set(missing)
    if quantised:
        raise worker.WorkerError(
            "unsupported",
            f"{path}: it is quantised already ({', '.join(sorted(quantised))}); give the float model, and set the "
            "compiler's target to int8",
        )
    if missing:
        raise worker.WorkerError(
            "unsupported", f"{path}: no conversion from ONNX to TensorFlow Lite for: {', '.join(missing)}"
        )


def _input_specs(tf, graph, constants, batch):
    import onnx

    specs = []
    for value in graph.input:
        if value.name in constants:
            continue
        tensor = value.type.tensor_type
        dims = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
        if dims and dims[0] is None and batch > 0:
            dims[0] = batch
        if any(dim is None for dim in dims[1:]):
            raise worker.WorkerError("unsupported", f"input {value.name} has open dimensions: {dims}; fix them first")
        name = onnx_operators.plain_name(value.name)
        specs.append((value.name, tf.TensorSpec(dims, onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type), name)))
    return specs


def load_onnx_function(path, batch, notes):
    """A concrete function without variables."""
    import onnx
    import tensorflow as tf

    model = _load(path)
    graph = model.graph
    _check_operators(graph, path)
    constants = {item.name: onnx.numpy_helper.to_array(item) for item in graph.initializer}
    inputs = _input_specs(tf, graph, constants, batch)
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=1)

    def run(*tensors):
        values = {name: Value(array) for name, array in constants.items()}
        values[""] = None
        for (name, _), tensor in zip(inputs, tensors):
            values[name] = Value(tensor)
        context = onnx_operators.Context(tf, opset, notes)
        for number, node in enumerate(graph.node):
            given = [values[name] for name in node.input]
            where = f"node {node.name or number} ({node.op_type})"
            try:
                results = onnx_operators.run(context, node, given)
            except worker.WorkerError:
                raise
            except Exception as error:
                raise worker.WorkerError("unsupported", f"{where}: {type(error).__name__}: {str(error)[:800]}") from error
            for name, result in zip(node.output, results):
                values[name] = result
        outputs = []
        for item in graph.output:
            value = values[item.name].first(tf)
            outputs.append(tf.identity(value, name=onnx_operators.plain_name(item.name)))
        return tuple(outputs)

    function = tf.function(run, input_signature=[spec for _, spec in inputs], autograph=False)
    return function.get_concrete_function()
