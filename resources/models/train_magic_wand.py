# SPDX-License-Identifier: Apache-2.0
"""Train the magic wand gesture classifier on synthetic recordings and write it as ONNX.

The network has the shape of the well-known one of about 4300 parameters for microcontrollers.
It takes readings in milli-g: the scaling to g is folded into the first convolution. Training
and test data come from different seeds, therefore from different synthetic people.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional

# isort: split
from magic_wand_synthetic import GESTURES, RATE_HZ, WINDOW, generate
from onnx_tools import GraphWriter, report

DOC = "Accelerometer gesture classifier (wing, ring, slope, negative) trained on synthetic data."
MILLI = 1e-3


class Network(nn.Module):
    """Two convolutions and two dense layers over a window of three axes."""

    def __init__(self) -> None:
        """Make the layers."""
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, (4, 3))
        self.conv2 = nn.Conv2d(8, 16, (4, 1))
        self.dense1 = nn.Linear(16 * 14, 16)
        self.dense2 = nn.Linear(16, len(GESTURES))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits [N,4] of windows [N,128,3] in g."""
        x = functional.pad(x.reshape(-1, 1, WINDOW, 3), (1, 1, 1, 2))
        x = functional.max_pool2d(functional.relu(self.conv1(x)), (3, 3))
        x = functional.dropout(x, 0.1, self.training)
        x = functional.pad(x, (0, 0, 1, 2))
        x = functional.max_pool2d(functional.relu(self.conv2(x)), (3, 1))
        x = functional.dropout(x, 0.1, self.training).flatten(1)
        x = functional.dropout(functional.relu(self.dense1(x)), 0.1, self.training)
        return self.dense2(x)


def export(network: Network, path: Path) -> int:
    """Write ``network`` to ``path`` and return its multiply-accumulates a window."""
    weights = {key: value.detach().numpy() for key, value in network.state_dict().items()}
    graph = GraphWriter("input")
    shape = graph.constant("shape", np.array([-1, 1, WINDOW, 3], dtype=np.int64))
    graph.node("Reshape", "reshape", ["input", shape])
    scaled = weights["conv1.weight"] * np.float32(MILLI)
    graph.conv("conv1", scaled, weights["conv1.bias"], (128, 3), pads=[1, 1, 2, 1])
    graph.relu()
    graph.node("MaxPool", "pool1", [graph.last], kernel_shape=[3, 3], strides=[3, 3])
    graph.conv("conv2", weights["conv2.weight"], weights["conv2.bias"], (42, 1), pads=[1, 0, 2, 0])
    graph.relu()
    graph.node("MaxPool", "pool2", [graph.last], kernel_shape=[3, 1], strides=[3, 1])
    graph.node("Flatten", "flatten", [graph.last], axis=1)
    graph.gemm("dense1", weights["dense1.weight"], weights["dense1.bias"])
    graph.relu()
    graph.gemm("dense2", weights["dense2.weight"], weights["dense2.bias"])
    graph.node("Softmax", "softmax", [graph.last], axis=1)
    model = graph.model(
        "magic_wand",
        ("input", ["N", WINDOW, 3]),
        ("probabilities", ["N", len(GESTURES)]),
        DOC,
        {
            "class_names": json.dumps(GESTURES),
            "mean": "0.0",
            "std": "1.0",
            "unit": "milli-g",
            "rate_hz": str(RATE_HZ),
            "layout": "NTC",
            "licence": "Apache-2.0",
        },
    )
    onnx.save(model, path)
    return graph.macs


def train(arguments: argparse.Namespace, windows: np.ndarray, labels: np.ndarray) -> Network:
    """Train the network on ``windows`` (milli-g) and return it."""
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    torch.use_deterministic_algorithms(True)
    rng = np.random.default_rng(arguments.seed)
    inputs = torch.from_numpy(windows * np.float32(MILLI))
    targets = torch.from_numpy(labels)
    network = Network()
    optimiser = torch.optim.AdamW(network.parameters(), lr=arguments.lr, weight_decay=1e-3)
    steps = len(windows) // arguments.batch_size
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps * arguments.epochs)
    began = time.monotonic()
    for epoch in range(arguments.epochs):
        network.train()
        order = torch.from_numpy(rng.permutation(len(windows)))
        total = 0.0
        for step in range(steps):
            chosen = order[step * arguments.batch_size : (step + 1) * arguments.batch_size]
            optimiser.zero_grad(set_to_none=True)
            loss = functional.cross_entropy(network(inputs[chosen]), targets[chosen])
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        elapsed = time.monotonic() - began
        print(f"epoch {epoch + 1:2d}: loss {total / steps:.4f}, {elapsed:.0f} s", flush=True)
    return network.eval()


def main() -> None:
    """Parse the command line, train, write and measure."""
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=here / "magic_wand.onnx",
        help="ONNX file to write (default: magic_wand.onnx beside this script)",
    )
    parser.add_argument(
        "--samples",
        type=int,
        default=2000,
        help="training windows of each gesture (default: %(default)s)",
    )
    parser.add_argument("--epochs", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--batch-size", type=int, default=64, help="default: %(default)s")
    parser.add_argument("--lr", type=float, default=3e-3, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=2026, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=1, help="default: %(default)s")
    parser.add_argument(
        "--check", type=Path, metavar="MODEL", help="train nothing, measure this ONNX file"
    )
    arguments = parser.parse_args()

    windows, labels, _ = generate(arguments.samples, arguments.seed, persons=40)
    model = arguments.check
    if model is None:
        model = arguments.out
        macs = export(train(arguments, windows, labels), model)
        print(f"{macs / 1e3:.1f} k multiply-accumulates a window")
    test_windows, test_labels, _ = generate(500, arguments.seed + 1, persons=20)
    calibration = [windows[start : start + 1] for start in range(0, len(windows), 20)]
    report(model, test_windows, test_labels, calibration)


if __name__ == "__main__":
    main()
