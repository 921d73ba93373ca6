# SPDX-License-Identifier: Apache-2.0
"""Loads models of Keras and TensorFlow, old ones too, for every worker that starts from one.

    import keras_loader

    model = keras_loader.load_keras(path)              # a keras.Model
    signature = keras_loader.load_signature(path)      # of a .h5, .hdf5, .keras file or a SavedModel
    signature.function, signature.inputs, signature.outputs

Runs in the toolchain "tensorflow". Errors that a user can mend are WorkerErrors.
"""

import dataclasses
import os
import typing

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import kenning_worker as worker

# What Keras 2 wrote into the configurations of layers and Keras 3 refuses, each with its only value that
# changes nothing.
_LEFT_BY_KERAS_2 = {
    "DepthwiseConv2D": {"groups": 1},
    "DepthwiseConv1D": {"groups": 1},
    "SeparableConv2D": {"groups": 1},
    "SeparableConv1D": {"groups": 1},
    "Conv2DTranspose": {"groups": 1},
    "LSTM": {"time_major": False, "implementation": 2},
    "GRU": {"time_major": False, "implementation": 2},
    "SimpleRNN": {"time_major": False},
}


@dataclasses.dataclass
class Signature:
    """A function of tensors. `inputs` and `outputs` are lists of {"name", "dtype", "shape"} (None: any size), in
    the order of the function's arguments and results."""

    function: typing.Any  # A tf.ConcreteFunction that takes and gives tensors by position.
    inputs: list
    outputs: list
    owner: typing.Any  # Keeps the variables alive.


def _tolerant(layer_class, left_overs):
    """The class, with a from_config that passes over settings without a meaning today."""

    def from_config(cls, config):
        config = {
            key: value for key, value in config.items() if key not in left_overs or left_overs[key] != value
        }
        return super(tolerant, cls).from_config(config)

    tolerant = type(layer_class.__name__, (layer_class,), {"from_config": classmethod(from_config)})
    return tolerant


def _custom_objects():
    import keras

    classes = {}
    for name, left_overs in _LEFT_BY_KERAS_2.items():
        classes[name] = _tolerant(getattr(keras.layers, name), left_overs)
    classes["relu6"] = keras.activations.relu6
    return classes


def _is_hdf5(path):
    with open(path, "rb") as file:
        return file.read(8) == b"\x89HDF\r\n\x1a\n"


def _explain(path, error):
    text = str(error)
    if "Unable to synchronously open file" in text or "file signature not found" in text:
        return worker.WorkerError("invalid-model", f"{path}: truncated or corrupt: {text}")
    if "Could not locate class" in text or "Unknown layer" in text or "cannot be imported" in text:
        return worker.WorkerError(
            "unsupported",
            f"{path}: it uses a class that is not part of Keras; save it as a SavedModel, with model.export(), "
            f"where that class is known. Keras says: {text[:1000]}",
        )
    if "Lambda" in text and "unsafe" in text:
        return worker.WorkerError(
            "unsupported",
            f"{path}: a Lambda layer holds Python code, which is not run; save the model as a SavedModel, with "
            "model.export()",
        )
    if "TFOpLambda" in text or "SlicingOpLambda" in text:
        return worker.WorkerError(
            "unsupported",
            f"{path}: it was saved by Keras 2 with TensorFlow functions as layers, which Keras 3 cannot read; "
            "save it as a SavedModel, with model.export(), in its own version",
        )
    return worker.WorkerError("invalid-model", f"{path}: Keras cannot read it: {type(error).__name__}: {text[:2000]}")


def load_keras(path):
    """A keras.Model out of .h5, .hdf5 or .keras, whatever the file's name says. Python code in it is not run."""
    import keras

    keras.config.disable_traceback_filtering()
    if not os.path.isfile(path):
        raise worker.WorkerError("invalid-model", f"{path}: no Keras model, which is a file")
    try:
        if _is_hdf5(path):
            from keras.src.legacy.saving import legacy_h5_format

            return legacy_h5_format.load_model_from_hdf5(path, custom_objects=_custom_objects(), compile=False)
        return _load_zip(path)
    except worker.WorkerError:
        raise
    except MemoryError:
        raise
    except Exception as error:
        raise _explain(path, error) from error


def _load_zip(path):
    import shutil
    import tempfile

    import keras

    if path.endswith(".keras"):
        return keras.models.load_model(path, custom_objects=_custom_objects(), compile=False, safe_mode=True)
    # Keras goes by the file's name.
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "model.keras")
        shutil.copyfile(path, copy)
        return keras.models.load_model(copy, custom_objects=_custom_objects(), compile=False, safe_mode=True)


def _describe(name, tensor):
    shape = tensor.shape
    # Of TensorFlow's own shapes only some have a rank.
    if shape is None or (hasattr(shape, "rank") and shape.rank is None):
        raise worker.WorkerError("unsupported", f'"{name}" has no fixed number of dimensions')
    dtype = tensor.dtype if isinstance(tensor.dtype, str) else tensor.dtype.name
    return {"name": name, "dtype": dtype, "shape": list(shape)}


def keras_function(model):
    """A tf.function of a Keras model, for inference, with its tensors by position; its inputs; its outputs."""
    import tensorflow as tf

    if not getattr(model, "inputs", None):
        raise worker.WorkerError("unsupported", "the model does not say which shape its input has")
    inputs = [_describe(tensor.name, tensor) for tensor in model.inputs]
    names = list(getattr(model, "output_names", [])) or [f"output_{i}" for i in range(len(model.outputs))]
    outputs = [_describe(name, tensor) for name, tensor in zip(names, model.outputs)]
    structure = model._inputs_struct if hasattr(model, "_inputs_struct") else model.inputs

    def infer(*tensors):
        given = tf.nest.pack_sequence_as(structure, tensors) if len(tensors) > 1 else tensors[0]
        return tuple(tf.nest.flatten(model(given, training=False)))

    specs = [
        tf.TensorSpec(tensor["shape"], tensor["dtype"], name=f"input_{i}") for i, tensor in enumerate(inputs)
    ]
    return tf.function(infer, input_signature=specs), inputs, outputs


def save_function(function, model, path):
    """Writes a tf.function that runs a Keras model as a SavedModel with the signature serving_default."""
    import tensorflow as tf

    module = tf.Module()
    module.function = function
    # Of Keras's own variables a SavedModel restores copies, not those that functions read.
    module.weights = [variable.value for variable in model.variables]
    try:
        tf.saved_model.save(module, path, signatures={"serving_default": function})
    except AssertionError:
        # Tables and the like, which only the model knows.
        module.model = model
        tf.saved_model.save(module, path, signatures={"serving_default": function})


def _natural(name):
    """Sorts input_2 before input_10, as the native reader does."""
    head = name.rstrip("0123456789")
    return head, int(name[len(head):] or 0), name


def _load_new_saved_model(path, tf):
    loaded = tf.saved_model.load(path, tags=None)
    names = [key for key in loaded.signatures if not key.startswith("__")]
    key = "serving_default" if "serving_default" in names else names[0] if len(names) == 1 else None
    if key is None:
        raise worker.WorkerError(
            "unsupported", f"{path}: no signature serving_default, but {', '.join(names) or 'none at all'}"
        )
    function = loaded.signatures[key]
    given = function.structured_input_signature[1]
    results = function.structured_outputs
    inputs = [_describe(name, given[name]) for name in sorted(given, key=_natural)]
    outputs = [_describe(name, results[name]) for name in sorted(results, key=_natural)]

    def infer(*tensors):
        answer = function(**{tensor["name"]: value for tensor, value in zip(inputs, tensors)})
        return tuple(answer[tensor["name"]] for tensor in outputs)

    specs = [
        tf.TensorSpec(tensor["shape"], tensor["dtype"], name=f"input_{i}") for i, tensor in enumerate(inputs)
    ]
    concrete = tf.function(infer, input_signature=specs).get_concrete_function()
    return Signature(concrete, inputs, outputs, loaded)


def _load_old_saved_model(path, tf):
    """Through the loader of version 1: the graph with its variables as constants."""
    v1 = tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        meta = v1.saved_model.loader.load(session, [v1.saved_model.tag_constants.SERVING], path)
        names = [key for key in meta.signature_def if not key.startswith("__")]
        key = "serving_default" if "serving_default" in names else names[0] if len(names) == 1 else None
        if key is None:
            raise worker.WorkerError("unsupported", f"{path}: no signature serving_default")
        signature = meta.signature_def[key]
        given = sorted(signature.inputs, key=_natural)
        results = sorted(signature.outputs, key=_natural)
        feeds = [signature.inputs[name].name for name in given]
        fetches = [signature.outputs[name].name for name in results]
        frozen = v1.graph_util.convert_variables_to_constants(
            session, session.graph.as_graph_def(), [name.split(":")[0] for name in fetches]
        )
    wrapped = v1.wrap_function(lambda: tf.graph_util.import_graph_def(frozen, name=""), [])
    function = wrapped.prune(
        [wrapped.graph.as_graph_element(name) for name in feeds],
        [wrapped.graph.as_graph_element(name) for name in fetches],
    )

    def describe(name, facts):
        # The signature knows more of shapes than the graph.
        return _describe(name, tf.TensorSpec(tf.TensorShape(facts.tensor_shape), tf.as_dtype(facts.dtype)))

    inputs = [describe(name, signature.inputs[name]) for name in given]
    outputs = [describe(name, signature.outputs[name]) for name in results]
    return Signature(function, inputs, outputs, wrapped)


def load_saved_model(path):
    """The signature of a SavedModel. Its inputs and outputs are sorted by name, as the native reader does."""
    import tensorflow as tf

    if not os.path.isfile(os.path.join(path, "saved_model.pb")):
        raise worker.WorkerError("invalid-model", f"{path}: no SavedModel, which is a folder with saved_model.pb in it")
    try:
        return _load_new_saved_model(path, tf)
    except (worker.WorkerError, MemoryError):
        raise
    except Exception as first:
        # Some files of version 1 of Keras and of TensorFlow are read by that version's loader only.
        print(f"the loader of version 2 failed: {type(first).__name__}: {first}", flush=True)
        try:
            return _load_old_saved_model(path, tf)
        except (worker.WorkerError, MemoryError):
            raise
        except Exception as error:
            raise worker.WorkerError(
                "invalid-model", f"{path}: TensorFlow cannot read it: {type(error).__name__}: {str(error)[:2000]}"
            ) from error


def load_signature(path):
    """The function of a Keras file or a SavedModel."""
    if os.path.isdir(path):
        return load_saved_model(path)
    model = load_keras(path)
    function, inputs, outputs = keras_function(model)
    return Signature(function.get_concrete_function(), inputs, outputs, model)
