#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes testdata/ and conformance.json (run in the toolchain `tensorflow`):

    make_testdata.py FOLDER

A small random network as Keras files, as float32 (dynamic batch) and as int8 (int8 inputs and outputs);
reference outputs by TensorFlow's interpreter with the reference kernels.
"""
import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

folder = sys.argv[1]
tf.keras.utils.set_random_seed(7)
rng = np.random.default_rng(7)

inputs = tf.keras.Input((8, 8, 3), name="image")
x = tf.keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="conv")(inputs)
x = tf.keras.layers.DepthwiseConv2D(3, padding="same", activation="relu6", name="depthwise")(x)
y = tf.keras.layers.Conv2D(8, 1, name="pointwise")(x)
x = tf.keras.layers.Add(name="add")([x, y])
x = tf.keras.layers.GlobalAveragePooling2D(name="pool")(x)
x = tf.keras.layers.Dense(4, name="dense")(x)
model = tf.keras.Model(inputs, tf.keras.layers.Softmax(name="softmax")(x))


def convert(int8):
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [rng.normal(size=(1, 8, 8, 3)).astype(np.float32)] for _ in range(32))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
    return converter.convert()


def reference(path, sample):
    resolver = tf.lite.experimental.OpResolverType.BUILTIN_REF
    interpreter = tf.lite.Interpreter(path, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], sample)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def case(name, model, sample, tolerance):
    path = os.path.join(folder, "testdata", model)
    return {"name": name, "runtime": "TFLiteRuntime", "format": "tflite", "model": "testdata/" + model,
            "inputs": [[value.item() for value in sample.ravel()]],
            "outputs": [[value.item() for value in reference(path, sample).ravel()]],
            "tolerance": tolerance}


os.makedirs(os.path.join(folder, "testdata"), exist_ok=True)
model.save(os.path.join(folder, "testdata", "conformance.keras"))
model.save(os.path.join(folder, "testdata", "conformance.h5"))
for name, int8 in (("conformance.tflite", False), ("conformance_int8.tflite", True)):
    with open(os.path.join(folder, "testdata", name), "wb") as file:
        file.write(convert(int8))
floats = np.round(rng.normal(size=(1, 8, 8, 3)), 3).astype(np.float32)
quantised = rng.integers(-128, 128, size=(1, 8, 8, 3)).astype(np.int8)
cases = [case("float32", "conformance.tflite", floats, 1e-5),
         case("int8", "conformance_int8.tflite", quantised, 1)]
with open(os.path.join(folder, "conformance.json"), "w", encoding="utf-8") as file:
    json.dump(cases, file)
    file.write("\n")
