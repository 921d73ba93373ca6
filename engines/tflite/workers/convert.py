# SPDX-License-Identifier: Apache-2.0
"""Converts a model to TensorFlow Lite (TFLiteCompiler).

Request: model, format, output, target, input_type, output_type, batch, select_ops, calibration, calibration_folder,
edgetpu_compiler. Answer: version, notes.
"""

import os
import re
import subprocess
import sys

import kenning_worker as worker

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tensorflow/workers"))
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


def tensor_name(name):
    """A name that TensorFlow takes for an argument."""
    return re.sub(r"[^A-Za-z0-9_.]", "_", name.split(":")[0]) or "input"


def load_function(tf, request):
    """The model as a function with its variables as constants, which the converter folds."""
    from keras_loader import load_signature
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    signature = load_signature(request["model"])
    specs = []
    for tensor in signature.inputs:
        dims = static_shape(tensor["shape"], request["batch"])
        check_dims(tensor["name"], dims)
        specs.append(tf.TensorSpec(dims, tensor["dtype"], name=tensor_name(tensor["name"])))
    if not signature.function.variables:
        return reshaped_graph(tf, signature.function, specs)
    run = tf.function(lambda *inputs: signature.function(*inputs), input_signature=specs)
    return convert_variables_to_constants_v2(run.get_concrete_function(), lower_control_flow=False)


def reshaped_graph(tf, function, specs):
    """A graph without variables, with other shapes of its inputs."""
    v1 = tf.compat.v1
    graph = function.graph.as_graph_def()
    feeds = [tensor.name for tensor in function.inputs]
    fetches = [tensor.name for tensor in function.outputs]

    def build():
        given = [v1.placeholder(spec.dtype, spec.shape, name=spec.name) for spec in specs]
        tf.graph_util.import_graph_def(graph, input_map=dict(zip(feeds, given)), name="kenning_model")

    wrapped = v1.wrap_function(build, [])
    element = wrapped.graph.as_graph_element
    return wrapped.prune(
        [element(spec.name + ":0") for spec in specs], [element("kenning_model/" + name) for name in fetches]
    )


def load_onnx(tf, request):
    from onnx_to_tf import load_onnx_function

    return load_onnx_function(request["model"], request["batch"], request["notes"])


LOADERS = {"keras": load_function, "savedmodel": load_function, "onnx": load_onnx}


def representative(request, concrete):
    """Calibration samples in the order of the function's inputs."""
    import numpy

    description = request["calibration"]
    count, given = len(concrete.inputs), len(description["inputs"])
    if count != given:
        raise worker.WorkerError("invalid-data", f"the model has {count} inputs, calibration samples have {given}")
    batch = max(1, request["batch"])

    def samples():
        for number, arrays in enumerate(worker.calibration(description, request["calibration_folder"])):
            worker.progress(number, description["count"], "calibrating")
            yield [numpy.repeat(array, batch, axis=0) if batch > 1 else array for array in arrays]

    return samples


def set_target(tf, converter, request, concrete):
    target = request["target"]
    if target == "default":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if target == "float16":
        converter.target_spec.supported_types = [tf.float16]
    elif target in ("int8", "edgetpu"):
        converter.representative_dataset = representative(request, concrete)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        types = {"float32": tf.float32, "int8": tf.int8, "uint8": tf.uint8}
        converter.inference_input_type = types[request["input_type"]]
        converter.inference_output_type = types[request["output_type"]]


def convert(tf, concrete, request):
    def attempt(extra_ops):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
        set_target(tf, converter, request, concrete)
        ops = set(converter.target_spec.supported_ops) | set(extra_ops)
        if request["select_ops"]:
            ops.add(tf.lite.OpsSet.SELECT_TF_OPS)
        converter.target_spec.supported_ops = sorted(ops, key=str)
        return converter.convert()

    try:
        return attempt([])
    except Exception as error:
        if request["target"] == "int8" and "quantiz" in str(error).lower():
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
    concrete = loader(tf, request)
    worker.progress(0, 0, "converting")
    try:
        model = convert(tf, concrete, request)
    except worker.WorkerError:
        raise
    except Exception as error:
        text = str(error)
        if "Some ops are not supported by the native TFLite runtime" in text or "neither a custom op" in text:
            missing = sorted(set(re.findall(r"'(?:tf\.)?(\w+)' op is neither a custom op", text))) or ["see the log"]
            raise worker.WorkerError(
                "unsupported",
                "TensorFlow Lite has no operator for part of the model: " + ", ".join(missing) + " (with "
                "use_tf_select_ops TensorFlow's own stand in, but need a run time with its Flex delegate)",
            ) from error
        raise
    with open(request["output"], "wb") as file:
        file.write(model)
    if request["target"] == "edgetpu":
        compile_for_edgetpu(request)
    return {"version": tf.__version__, "notes": request["notes"]}


if __name__ == "__main__":
    worker.main(handle)
