# SPDX-License-Identifier: Apache-2.0
"""Converts a model to TensorFlow Lite (TFLiteCompiler).

Request: model, format, output, target, input_type, output_type, batch, select_ops, input_names, calibration,
calibration_folder, edgetpu_compiler. Answer: version, notes.
"""

import os
import subprocess

import kenning_worker as worker

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


def static_shape(shape, batch):
    """The leading dimension becomes `batch` where it is open; 0 leaves it open."""
    dims = [None if dim is None or dim < 0 else int(dim) for dim in shape]
    if dims and dims[0] is None and batch > 0:
        dims[0] = batch
    return dims


def check_dims(name, dims):
    if any(dim is None for dim in dims[1:]):
        raise worker.WorkerError(
            "unsupported", f"input {name} has open dimensions beyond the batch: {dims}; fix them in the model"
        )


def keras_function(tf, request):
    from keras_loader import load_keras

    model = load_keras(request["model"])
    specs = []
    for tensor in model.inputs:
        dims = static_shape(tensor.shape, request["batch"])
        check_dims(tensor.name, dims)
        specs.append(tf.TensorSpec(dims, tensor.dtype, name=tensor.name.split(":")[0]))

    @tf.function(input_signature=specs)
    def run(*inputs):
        return model(inputs[0] if len(inputs) == 1 else list(inputs), training=False)

    return run.get_concrete_function(), model, [spec.name for spec in specs]


def saved_model_function(tf, request):
    try:
        loaded = tf.saved_model.load(request["model"])
        signature = pick_signature(loaded.signatures)
    except worker.WorkerError:
        raise
    except Exception as error:  # Models of TensorFlow 1, and broken object graphs.
        print(f"tf.saved_model.load: {type(error).__name__}: {error}; trying the loader of version 1")
        return saved_model_v1_function(tf, request)
    specs = {}
    for name, spec in signature.structured_input_signature[1].items():
        dims = static_shape(spec.shape, request["batch"])
        check_dims(name, dims)
        specs[name] = tf.TensorSpec(dims, spec.dtype, name=name)

    @tf.function(input_signature=list(specs.values()))
    def run(*inputs):
        return signature(**dict(zip(specs, inputs)))

    return run.get_concrete_function(), loaded, list(specs)


def pick_signature(signatures):
    if "serving_default" in signatures:
        return signatures["serving_default"]
    if len(signatures) == 1:
        return next(iter(signatures.values()))
    names = ", ".join(sorted(signatures)) or "none"
    raise worker.WorkerError(
        "unsupported", f"the SavedModel has no signature serving_default (it has: {names}); export it with one"
    )


def saved_model_v1_function(tf, request):
    """Freezes the graph of a SavedModel as TensorFlow 1 loads it."""
    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        meta = v1.saved_model.loader.load(session, ["serve"], request["model"])
        signature = pick_signature(dict(meta.signature_def))
        inputs = {name: info.name for name, info in sorted(signature.inputs.items())}
        outputs = {name: info.name for name, info in sorted(signature.outputs.items())}
        shapes = {name: session.graph.get_tensor_by_name(tensor).shape for name, tensor in inputs.items()}
        types = {name: session.graph.get_tensor_by_name(tensor).dtype for name, tensor in inputs.items()}
        nodes = [tensor.split(":")[0] for tensor in outputs.values()]
        frozen = v1.graph_util.convert_variables_to_constants(session, session.graph.as_graph_def(), nodes)

    def run():
        feed = {}
        for name, tensor in inputs.items():
            dims = static_shape(shapes[name].as_list(), request["batch"])
            check_dims(name, dims)
            feed[tensor] = v1.placeholder(types[name], dims, name="kenning_" + name)
        tf.import_graph_def(frozen, input_map=feed, name="")

    graph = v1.wrap_function(run, [])
    concrete = graph.prune(
        [graph.graph.as_graph_element(f"kenning_{name}:0") for name in inputs],
        [graph.graph.as_graph_element(tensor) for tensor in outputs.values()],
    )
    return concrete, None, list(inputs)


def onnx_function(tf, request):
    from onnx_to_tf import onnx_concrete_function

    concrete, module, names, notes = onnx_concrete_function(tf, request["model"], request["batch"])
    request["notes"].extend(notes)
    return concrete, module, names


LOADERS = {"keras": keras_function, "savedmodel": saved_model_function, "onnx": onnx_function}


def representative(request, names):
    """Calibration samples in the order of the function's inputs."""
    import numpy

    description = request["calibration"]
    count = len(description["inputs"])
    if count != len(names):
        raise worker.WorkerError("invalid-data", f"the model has {len(names)} inputs, calibration samples have {count}")
    given = [name.split(":")[0] for name in request["input_names"]]
    order = [given.index(name) for name in names] if sorted(given) == sorted(names) else list(range(count))
    batch = max(1, request["batch"])

    def samples():
        for number, arrays in enumerate(worker.calibration(description, request["calibration_folder"])):
            worker.progress(number, description["count"], "calibrating")
            yield [numpy.repeat(arrays[i], batch, axis=0) if batch > 1 else arrays[i] for i in order]

    return samples


def set_target(tf, converter, request, names):
    target = request["target"]
    if target == "default":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if target == "float16":
        converter.target_spec.supported_types = [tf.float16]
    elif target in ("int8", "edgetpu"):
        converter.representative_dataset = representative(request, names)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        types = {"float32": tf.float32, "int8": tf.int8, "uint8": tf.uint8}
        converter.inference_input_type = types[request["input_type"]]
        converter.inference_output_type = types[request["output_type"]]


def freeze(concrete):
    """The function with its variables as constants: the converter folds what it knows."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    return convert_variables_to_constants_v2(concrete, lower_control_flow=False)


def convert(tf, concrete, request, names):
    def attempt(extra_ops):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
        set_target(tf, converter, request, names)
        ops = set(converter.target_spec.supported_ops) | set(extra_ops)
        if request["select_ops"]:
            ops.add(tf.lite.OpsSet.SELECT_TF_OPS)
        converter.target_spec.supported_ops = sorted(ops, key=str)
        return converter.convert()

    try:
        return attempt([])
    except Exception as error:
        if request["target"] == "int8" and "TFLITE_BUILTINS_INT8" in str(error) or "quantiz" in str(error).lower():
            request["notes"].append(
                "operators without an int8 form stay in float: " + " ".join(str(error).split())[:300]
            )
            return attempt([tf.lite.OpsSet.TFLITE_BUILTINS])
        raise


def compile_for_edgetpu(request):
    """Leaves <output>_edgetpu.tflite beside the output."""
    folder = os.path.dirname(request["output"])
    done = subprocess.run(
        [request["edgetpu_compiler"], "-s", "-o", folder, request["output"]],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(done.stdout)
    if done.returncode != 0:
        raise worker.WorkerError("engine-failure", "edgetpu_compiler: " + done.stdout[-1500:])
    counts = [line for line in done.stdout.splitlines() if line.startswith("Number of operations")]
    request["notes"].extend("Edge TPU compiler: " + line for line in counts)


def handle(request):
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    request["notes"] = []
    loader = LOADERS.get(request["format"])
    if loader is None:
        raise worker.WorkerError("unsupported", f"format {request['format']}; known are {', '.join(LOADERS)}")
    worker.progress(0, 0, "loading")
    # What owns the variables must live until they are constants.
    concrete, owner, names = loader(tf, request)
    frozen = freeze(concrete)
    del owner
    worker.progress(0, 0, "converting")
    try:
        model = convert(tf, frozen, request, names)
    except worker.WorkerError:
        raise
    except Exception as error:
        text = str(error)
        if "Some ops are not supported by the native TFLite runtime" in text or "neither a custom op" in text:
            raise worker.WorkerError(
                "unsupported",
                "TensorFlow Lite has no operator for part of the model (use_tf_select_ops lets TensorFlow's own stand "
                "in): " + text[:2000],
            ) from error
        raise
    with open(request["output"], "wb") as file:
        file.write(model)
    if request["target"] == "edgetpu":
        compile_for_edgetpu(request)
    return {"version": tf.__version__, "notes": request["notes"]}


if __name__ == "__main__":
    worker.main(handle)
