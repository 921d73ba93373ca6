# SPDX-License-Identifier: Apache-2.0
"""Converts Keras, TensorFlow and TensorFlow Lite models to ONNX (ONNXCompiler).

Request: model, format, output, folder, input_names, output_names. Answer: version, notes, check: one
sample of noise and what the original makes of it, as raw files in `folder`.

Keras and SavedModel go through TensorFlow Lite, whose converter folds batch normalisations and
constants; what it has no operators for is converted from TensorFlow's own graph.
"""

import os
import sys

import kenning_worker as worker

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tensorflow/workers"))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

OPSET = 17


def through_tflite(tf, function, path):
    """Writes the function as a TensorFlow Lite model of float32."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
    with open(path, "wb") as file:
        file.write(tf.lite.TFLiteConverter.from_concrete_functions([frozen]).convert())


def noise(np, shape, dtype):
    dims = [1 if dim is None or dim < 0 else int(dim) for dim in shape]
    values = np.random.default_rng(2026).standard_normal(dims)
    if np.issubdtype(dtype, np.integer):
        info = np.iinfo(dtype)
        return np.clip(np.rint(values * 40) + (128 if info.min == 0 else 0), info.min, info.max).astype(dtype)
    return values.astype(dtype)


def write_check(np, folder, inputs, outputs):
    def write(kind, arrays):
        described = []
        for number, array in enumerate(arrays):
            array = np.ascontiguousarray(array)
            name = f"{kind}{number}.bin"
            array.tofile(os.path.join(folder, name))
            described.append({"file": name, "dtype": str(array.dtype), "shape": list(array.shape)})
        return described

    return {"inputs": write("input", inputs), "outputs": write("output", outputs)}


def run_tflite(tf, np, path):
    """Inputs of noise and the original's outputs; None where the model cannot be run here."""
    interpreter = tf.lite.Interpreter(model_path=path)
    details = interpreter.get_input_details()
    for detail in details:
        shape = [1 if dim < 0 else int(dim) for dim in detail["shape_signature"]]
        if list(detail["shape"]) != shape:
            interpreter.resize_tensor_input(detail["index"], shape)
    interpreter.allocate_tensors()
    details = interpreter.get_input_details()
    inputs = [noise(np, detail["shape"], detail["dtype"]) for detail in details]
    for detail, array in zip(details, inputs):
        interpreter.set_tensor(detail["index"], array)
    interpreter.invoke()
    return inputs, [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def rename(model, kept, wanted, kind):
    """Gives inputs or outputs the names that the original has."""
    names = dict(zip([value.name for value in kept], wanted))
    taken = {name for node in model.graph.node for name in [*node.input, *node.output]} - set(names)
    taken |= {tensor.name for tensor in model.graph.initializer}
    if len(wanted) != len(kept) or len(set(wanted)) != len(wanted) or taken & set(wanted):
        return
    for value in kept:
        value.name = names[value.name]
    for node in model.graph.node:
        for part in (node.input, node.output):
            for number, name in enumerate(part):
                if name in names:
                    part[number] = names[name]
    print(f"{kind}: {names}")


def zero_pads(onnx, node, constants):
    """The pads of a node that adds zeros, or None."""
    if node.op_type != "Pad" or len(node.input) < 2 or node.input[1] not in constants or any(node.input[3:]):
        return None
    if any(attribute.name == "mode" and attribute.s != b"constant" for attribute in node.attribute):
        return None
    if len(node.input) > 2 and node.input[2]:
        value = constants.get(node.input[2])
        if value is None or onnx.numpy_helper.to_array(value).any():
            return None
    return onnx.numpy_helper.to_array(constants[node.input[1]]).tolist()


def fold_pads(onnx, graph):
    """Zeros around an image become the pads of the convolution that reads it, also through the first Transpose."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    outputs = {value.name for value in graph.output}
    for pad in list(graph.node):
        pads = zero_pads(onnx, pad, constants)
        readers = [node for node in graph.node if pad.output and pad.output[0] in node.input]
        if pads is None or min(pads) < 0 or len(readers) != 1 or pad.output[0] in outputs:
            continue
        above, reader = pad, readers[0]
        if reader.op_type == "Transpose":
            perm = next((list(a.ints) for a in reader.attribute if a.name == "perm"), [])
            after = [node for node in graph.node if reader.output[0] in node.input]
            if len(perm) * 2 != len(pads) or len(after) != 1 or reader.output[0] in outputs:
                continue
            rank = len(perm)
            pads = [pads[axis] for axis in perm] + [pads[rank + axis] for axis in perm]
            above, reader = reader, after[0]
        add_pads(onnx, graph, pad, above, reader, pads)


def add_pads(onnx, graph, pad, above, conv, pads):
    rank = len(pads) // 2
    kept = {attribute.name: attribute for attribute in conv.attribute}
    if conv.op_type != "Conv" or conv.input[0] != above.output[0] or "auto_pad" in kept or rank < 3:
        return
    if any(pads[axis] or pads[rank + axis] for axis in (0, 1)):
        return
    spatial = pads[2:rank] + pads[rank + 2 :]
    own = list(kept["pads"].ints) if "pads" in kept else [0] * len(spatial)
    if "pads" in kept:
        conv.attribute.remove(kept["pads"])
    conv.attribute.append(onnx.helper.make_attribute("pads", [a + b for a, b in zip(own, spatial)]))
    (conv if above is pad else above).input[0] = pad.input[0]
    graph.node.remove(pad)


def shorten_names(graph):
    """TensorFlow Lite names a fused operator's result after all that went into it; the first tells enough."""
    taken = {value.name for value in [*graph.input, *graph.output]}
    kept = set(taken)
    short = {}

    def choose(name, wanted):
        if not name or name in kept or name in short:
            return
        unique, number = wanted, 1
        while unique in taken:
            number += 1
            unique = f"{wanted}_{number}"
        taken.add(unique)
        short[name] = unique

    for node in graph.node:
        for name in node.output:
            choose(name, name.split(";")[0].split("/", 1)[-1].removesuffix(":0"))
    constants = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        result = short.get(node.output[0], node.output[0])
        for name, role in zip(node.input[1:], ("weight", "bias")):
            if node.op_type in ("Conv", "Gemm", "MatMul") and name in constants:
                choose(name, f"{result}.{role}")
    for tensor in graph.initializer:
        choose(tensor.name, tensor.name.split(";")[0].split("/", 1)[-1])
        tensor.name = short.get(tensor.name, tensor.name)
    for node in graph.node:
        for part in (node.input, node.output):
            for number, name in enumerate(part):
                part[number] = short.get(name, name)
        node.name = node.output[0]
    for value in graph.value_info:
        value.name = short.get(value.name, value.name)


def name_open_dims(values):
    for value in values:
        for number, dim in enumerate(value.type.tensor_type.shape.dim):
            if dim.HasField("dim_param") or not dim.HasField("dim_value"):
                dim.dim_param = "N" if number == 0 else f"{value.name}_{number}"


def cannot(error):
    text = " ".join(str(error).split())
    return worker.WorkerError("unsupported", f"tf2onnx cannot convert it: {text[:1000]}")


def from_tensorflow(tf, tf2onnx, request, notes):
    """Keras and SavedModel. Returns the ONNX model, a function that makes the check, and the names."""
    from keras_loader import load_signature

    signature = load_signature(request["model"])
    worker.progress(0, 0, "converting")
    lite = os.path.join(request["folder"], "float.tflite")
    try:
        through_tflite(tf, signature.function, lite)
        model, _ = tf2onnx.convert.from_tflite(lite, opset=OPSET)
    except Exception as error:
        text = " ".join(str(error).split())
        notes.append(f"converted from TensorFlow's own graph, as TensorFlow Lite cannot hold it: {text[:200]}")
        specs = [
            tf.TensorSpec(tensor["shape"], tensor["dtype"], name=f"input_{number}")
            for number, tensor in enumerate(signature.inputs)
        ]
        function = tf.function(lambda *given: signature.function(*given), input_signature=specs)
        try:
            model, _ = tf2onnx.convert.from_function(function, input_signature=specs, opset=OPSET)
        except Exception as second:
            raise cannot(second) from second

    def check(np):
        inputs = [noise(np, tensor["shape"], np.dtype(tensor["dtype"])) for tensor in signature.inputs]
        outputs = signature.function(*[tf.constant(array) for array in inputs])
        return inputs, [output.numpy() for output in tf.nest.flatten(outputs)]

    names = [[tensor["name"] for tensor in tensors] for tensors in (signature.inputs, signature.outputs)]
    return model, check, names


def handle(request):
    import numpy as np
    import onnx
    import tensorflow as tf
    import tf2onnx

    tf.get_logger().setLevel("ERROR")
    notes = []
    worker.progress(0, 0, "loading")
    if request["format"] == "tflite":
        names = request["input_names"], request["output_names"]
        try:
            model, _ = tf2onnx.convert.from_tflite(request["model"], opset=OPSET)
        except Exception as error:
            raise cannot(error) from error

        def check(np):
            return run_tflite(tf, np, request["model"])
    else:
        model, check, names = from_tensorflow(tf, tf2onnx, request, notes)
    rename(model, model.graph.input, names[0], "inputs")
    rename(model, model.graph.output, names[1], "outputs")
    if not any(attribute.HasField("g") for node in model.graph.node for attribute in node.attribute):
        fold_pads(onnx, model.graph)
        shorten_names(model.graph)
    name_open_dims([*model.graph.input, *model.graph.output])
    custom = sorted({node.domain for node in model.graph.node} - {"", "ai.onnx"})
    if custom:
        raise worker.WorkerError("unsupported", f"operators of the domains {', '.join(custom)} have no ONNX form")
    with open(request["output"], "wb") as file:
        file.write(model.SerializeToString())
    answer = {"version": tf2onnx.__version__, "notes": notes}
    try:
        answer["check"] = write_check(np, request["folder"], *check(np))
    except Exception as error:
        notes.append(f"not compared with the original, which cannot be run here: {error}"[:300])
    return answer


if __name__ == "__main__":
    worker.main(handle)
