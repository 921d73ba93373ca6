# SPDX-License-Identifier: Apache-2.0
"""Makes a SavedModel of a Keras file: {"model", "output"} -> a SavedModel in the folder `output`, with the names
of its tensors in kenning_io.json there. In the signature tensors are called input_0, …, output_0, …: the model's order."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import keras_loader
import kenning_worker as worker


def handle(request):
    worker.progress(0, 3, "loading Keras")
    import tensorflow as tf

    worker.progress(1, 3, "reading the model")
    model = keras_loader.load_keras(request["model"])
    function, inputs, outputs = keras_loader.keras_function(model)

    worker.progress(2, 3, "writing the SavedModel")
    specs = [
        tf.TensorSpec(tensor["shape"], tensor["dtype"], name=f"input_{i}") for i, tensor in enumerate(inputs)
    ]

    @tf.function(input_signature=specs)
    def serve(*tensors):
        return {f"output_{i}": tensor for i, tensor in enumerate(function(*tensors))}

    keras_loader.save_function(serve, model, request["output"])
    # Last: it makes the folder whole.
    with open(os.path.join(request["output"], "kenning_io.json"), "w", encoding="utf-8") as file:
        json.dump({"inputs": inputs, "outputs": outputs}, file, indent=1)
    return {"inputs": inputs, "outputs": outputs, "version": tf.__version__}


if __name__ == "__main__":
    worker.main(handle)
