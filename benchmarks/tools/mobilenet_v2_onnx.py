# SPDX-License-Identifier: Apache-2.0
"""Write MobileNetV2 (ImageNet) as float32 ONNX, for 224x224 or another size of image.

The weights are torchvision's, read by mobilenet_v2_weights.py, or given with ``--weights``. Batch
normalisations are folded into the convolutions; the nodes are Conv, Clip, Add, GlobalAveragePool,
Flatten and Gemm.

Before the script ends, the file is run by ONNX Runtime and compared with a plain NumPy
implementation that uses the weights as they were, with the batch normalisations apart.

The classes are named by their numbers, "0" to "999".
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import onnx
from mobilenet_v2_weights import (
    CLASSES,
    EPSILON,
    FILE,
    MEAN,
    STD,
    Weights,
    find_weights,
    layers,
    norm,
    read_weights,
    reference,
)

MODELS = Path(__file__).resolve().parents[2] / "resources" / "models"
sys.path.insert(0, str(MODELS))

from onnx_tools import GraphWriter, fold_batch_norm, latency_ms, session  # noqa: E402

DOC = "MobileNetV2 1.0 that classifies RGB images into the 1000 classes of ImageNet."


def export(weights: Weights, path: Path, image_size: int) -> int:
    """Write the network to ``path`` and return its multiply-accumulates an image."""
    graph = GraphWriter("input")
    low = graph.constant("clip.min", np.float32(0))
    high = graph.constant("clip.max", np.float32(6))
    shortcut = ""
    size = image_size
    for conv, batch_norm, stride, kernel, depthwise, then in layers():
        weight, bias = fold_batch_norm(
            weights[f"{conv}.weight"], *norm(weights, batch_norm), EPSILON
        )
        size //= stride
        graph.macs += weight.size * size * size
        inputs = [
            graph.last,
            graph.constant(f"{conv}.weight", weight),
            graph.constant(f"{conv}.bias", bias),
        ]
        graph.node(
            "Conv",
            conv,
            inputs,
            kernel_shape=[kernel] * 2,
            pads=[kernel // 2] * 4,
            strides=[stride] * 2,
            dilations=[1, 1],
            group=weight.shape[0] if depthwise else 1,
        )
        if then == "clip":
            graph.node("Clip", f"{conv}.clip", [graph.last, low, high])
            continue
        if then == "add":
            graph.node("Add", f"{conv}.add", [graph.last, shortcut])
        shortcut = graph.last
    graph.node("GlobalAveragePool", "average", [graph.last])
    graph.node("Flatten", "flatten", [graph.last], axis=1)
    graph.gemm("classifier", weights["classifier.1.weight"], weights["classifier.1.bias"])
    model = graph.model(
        "mobilenet_v2",
        ("input", ["N", 3, image_size, image_size]),
        ("logits", ["N", CLASSES]),
        DOC,
        {
            "class_names": json.dumps([str(number) for number in range(CLASSES)]),
            "mean": json.dumps(MEAN)[1:-1],
            "std": json.dumps(STD)[1:-1],
            "layout": "NCHW",
            "licence": "BSD-3-Clause",
        },
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return graph.macs


def check_images(size: int) -> np.ndarray:
    """Return two normalised images [2,3,S,S]: noise, and a smooth coloured pattern."""
    rng = np.random.default_rng(2026)
    row, column = np.meshgrid(np.linspace(0, 1, size), np.linspace(0, 1, size), indexing="ij")
    pattern = np.stack([row, column, 0.5 + 0.5 * np.sin(12 * row * column)])
    images = np.stack([rng.random((3, size, size)), pattern])
    mean, std = np.reshape(MEAN, (3, 1, 1)), np.reshape(STD, (3, 1, 1))
    return ((images - mean) / std).astype(np.float32)


def check(weights: Weights, path: Path, image_size: int) -> None:
    """Fail where ONNX Runtime's logits are not those of the NumPy implementation."""
    images = check_images(image_size)
    logits = session(path).run(None, {"input": images})[0]
    worst = 0.0
    for image, found in zip(images, logits, strict=True):
        expected = reference(weights, image)
        difference = float(np.abs(found - expected).max())
        if not np.isfinite(found).all() or difference > 1e-3 * np.abs(expected).max():
            raise SystemExit(f"{path}: a logit is off by {difference:.2g}")
        worst = max(worst, difference)
    print(f"largest difference to NumPy's logits: {worst:.2g}, of {np.abs(logits).max():.1f}")
    print(f"latency: {latency_ms(path, images[:1], 100):.2f} ms (one thread, batch of 1)")


def main() -> None:
    """Parse the command line, write and check."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="ONNX file to write")
    parser.add_argument("--weights", type=Path, help=f"{FILE} (default: the package's)")
    parser.add_argument(
        "--size",
        type=int,
        choices=range(96, 321, 32),
        default=224,
        metavar="PIXELS",
        help="of the square images, a multiple of 32 from 96 to 320 (default: %(default)s)",
    )
    arguments = parser.parse_args()
    weights = read_weights(arguments.weights or find_weights())
    macs = export(weights, arguments.out, arguments.size)
    size = arguments.out.stat().st_size
    print(f"{arguments.out.name}: {size} bytes, {macs / 1e6:.1f} M multiply-accumulates an image")
    check(weights, arguments.out, arguments.size)


if __name__ == "__main__":
    main()
