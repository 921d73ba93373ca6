# SPDX-License-Identifier: Apache-2.0
"""Makes this folder's models and conformance.json from a seed, with TensorFlow in Python as the reference:

    python make_models.py     # in the toolchain "tensorflow"
"""

import json
import os
import shutil

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

here = os.path.dirname(os.path.abspath(__file__))
keras.utils.set_random_seed(7)

layers = [
    keras.layers.Input((8, 8, 1), name="image"),
    keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="conv"),
    keras.layers.BatchNormalization(name="norm"),
    keras.layers.GlobalAveragePooling2D(name="pool"),
    keras.layers.Dense(4, activation="softmax", name="scores"),
]
model = keras.Sequential(layers, name="small")
for extension in ("h5", "keras"):
    model.save(os.path.join(here, f"small.{extension}"))

folder = os.path.join(here, "conformance_savedmodel")
shutil.rmtree(folder, ignore_errors=True)


@tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 1], tf.float32, name="image")])
def serve(image):
    return {"scores": model(image, training=False)}


module = tf.Module()
module.serve = serve
module.weights = [variable.value for variable in model.variables]
options = tf.saved_model.SaveOptions(save_debug_info=False)
tf.saved_model.save(module, folder, signatures={"serving_default": serve}, options=options)

image = np.random.default_rng(7).normal(size=(1, 8, 8, 1)).astype(np.float32).round(3)
scores = serve(tf.constant(image))["scores"].numpy()
facts = {
    "runtime": "TensorFlowRuntime",
    "format": "savedmodel",
    "model": "testdata/conformance_savedmodel",
    "inputs": [[float(value) for value in image.ravel().round(3).astype(str)]],
    "outputs": [scores.ravel().tolist()],
    "tolerance": 1e-05,
}
with open(os.path.join(here, "..", "conformance.json"), "w", encoding="utf-8") as file:
    json.dump(facts, file, indent=1)
    file.write("\n")
