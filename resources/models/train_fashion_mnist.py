# SPDX-License-Identifier: Apache-2.0
"""Train a small residual network on Fashion-MNIST and write it as ONNX.

The batch normalisations are folded into the convolutions when the file is written, so the
graph holds only Conv, Relu, MaxPool, Add, GlobalAveragePool, Flatten and Gemm nodes.

The weights written are an exponential moving average taken at the end of the last epoch; no
epoch is chosen by its test accuracy.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional

# isort: split
from idx_file import read_idx
from onnx_tools import GraphWriter, fold_batch_norm, report

MEAN = 0.2860
STD = 0.3530
CLASS_NAMES = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
]
DOC = "Small residual convolutional network that classifies 28x28 Fashion-MNIST images."


def load(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the normalised images [N,1,28,28] and the labels of ``part`` (train or t10k)."""
    images = read_idx(folder / f"{part}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{part}-labels-idx1-ubyte.gz")
    normalised = (images.astype(np.float32) / 255.0 - MEAN) / STD
    return normalised[:, None].astype(np.float32), labels.astype(np.int64)


class ConvBn(nn.Sequential):
    """A convolution without bias and its batch normalisation."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        """Make a square convolution with 'same' padding."""
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def folded(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the weight and bias of the equivalent single convolution."""
        conv, norm = self
        tensors = (conv.weight, norm.weight, norm.bias, norm.running_mean, norm.running_var)
        arrays = [tensor.detach().float().contiguous().numpy() for tensor in tensors]
        return fold_batch_norm(*arrays, norm.eps)


class Network(nn.Module):
    """Two plain convolutions at 28x28, a residual block at 14x14 and another at 7x7."""

    def __init__(self) -> None:
        """Make the layers."""
        super().__init__()
        self.stem1 = ConvBn(1, 16)
        self.stem2 = ConvBn(16, 32)
        self.block1a = ConvBn(32, 32)
        self.block1b = ConvBn(32, 32)
        self.down = ConvBn(32, 80, stride=2)
        self.block2a = ConvBn(80, 80)
        self.block2b = ConvBn(80, 80)
        self.head = ConvBn(80, 128, kernel=1)
        self.classifier = nn.Linear(128, len(CLASS_NAMES))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits [N,10] of the images [N,1,28,28]."""
        relu = functional.relu
        x = relu(self.stem1(x), inplace=True)
        x = functional.max_pool2d(relu(self.stem2(x), inplace=True), 2)
        x = relu(x + self.block1b(relu(self.block1a(x), inplace=True)))
        x = relu(self.down(x), inplace=True)
        x = relu(x + self.block2b(relu(self.block2a(x), inplace=True)))
        x = relu(self.head(x), inplace=True)
        return self.classifier(x.mean(dim=(2, 3)))


def export(network: Network, path: Path) -> int:
    """Write ``network`` to ``path`` and return its multiply-accumulates an image."""
    graph = GraphWriter("input")

    def conv(name: str, size: int, stride: int = 1) -> None:
        weight, bias = getattr(network, name).folded()
        pad = weight.shape[2] // 2
        graph.conv(name, weight, bias, (size, size), pads=[pad] * 4, strides=[stride] * 2)

    def residual(name: str, size: int) -> None:
        shortcut = graph.last
        conv(f"{name}a", size)
        graph.relu()
        conv(f"{name}b", size)
        graph.node("Add", f"{name}.add", [graph.last, shortcut])
        graph.relu()

    conv("stem1", 28)
    graph.relu()
    conv("stem2", 28)
    graph.relu()
    graph.node("MaxPool", "pool", [graph.last], kernel_shape=[2, 2], strides=[2, 2])
    residual("block1", 14)
    conv("down", 7, stride=2)
    graph.relu()
    residual("block2", 7)
    conv("head", 7)
    graph.relu()
    graph.node("GlobalAveragePool", "average", [graph.last])
    graph.node("Flatten", "flatten", [graph.last], axis=1)
    classifier = network.classifier
    graph.gemm("classifier", classifier.weight.detach().numpy(), classifier.bias.detach().numpy())
    model = graph.model(
        "fashion_mnist_cnn",
        ("input", ["N", 1, 28, 28]),
        ("logits", ["N", len(CLASS_NAMES)]),
        DOC,
        {
            "class_names": json.dumps(CLASS_NAMES),
            "mean": f"{MEAN:.4f}",
            "std": f"{STD:.4f}",
            "layout": "NCHW",
            "licence": "Apache-2.0",
        },
    )
    onnx.save(model, path)
    return graph.macs


def augment(images: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Flip, shift by up to two pixels and erase a rectangle of a part of the images."""
    count, _, height, width = images.shape
    black = -MEAN / STD
    padded = functional.pad(images[:, 0], (2, 2, 2, 2), value=black)
    rows = torch.from_numpy(rng.integers(0, 5, count))[:, None] + torch.arange(height)
    columns = torch.from_numpy(rng.integers(0, 5, count))[:, None] + torch.arange(width)
    flipped = torch.from_numpy(rng.random(count) < 0.5)[:, None]
    columns = torch.where(flipped, columns.flip(1), columns)
    index = torch.arange(count)[:, None, None]
    moved = padded[index, rows[:, :, None], columns[:, None, :]]

    erased = rng.random(count) < 0.4
    top, left = rng.integers(0, height, count), rng.integers(0, width, count)
    tall, wide = rng.integers(4, 13, count), rng.integers(4, 13, count)
    y, x = np.arange(height), np.arange(width)
    in_rows = np.abs(y[None] - top[:, None]) * 2 < tall[:, None]
    in_columns = np.abs(x[None] - left[:, None]) * 2 < wide[:, None]
    mask = (in_rows[:, :, None] & in_columns[:, None, :]) & erased[:, None, None]
    return moved.masked_fill_(torch.from_numpy(mask), 0.0)[:, None]


def train(arguments: argparse.Namespace) -> Network:
    """Train the network and return the averaged one."""
    torch.manual_seed(arguments.seed)
    rng = np.random.default_rng(arguments.seed)
    torch.set_num_threads(arguments.threads)
    torch.use_deterministic_algorithms(True)

    images, labels = (torch.from_numpy(part) for part in load(arguments.data, "train"))
    network = Network().to(memory_format=torch.channels_last)
    average = copy.deepcopy(network)
    decayed = [weight for weight in network.parameters() if weight.ndim > 1]
    plain = [weight for weight in network.parameters() if weight.ndim == 1]
    groups = [{"params": decayed, "weight_decay": 5e-4}, {"params": plain, "weight_decay": 0.0}]
    optimiser = torch.optim.SGD(groups, lr=arguments.lr, momentum=0.9, nesterov=True)
    steps = len(images) // arguments.batch_size
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        max_lr=arguments.lr,
        total_steps=steps * arguments.epochs,
        pct_start=0.2,
        cycle_momentum=False,
    )
    criterion = nn.CrossEntropyLoss(label_smoothing=0.05)

    began = time.monotonic()
    for epoch in range(arguments.epochs):
        network.train()
        order = torch.from_numpy(rng.permutation(len(images)))
        total = 0.0
        for step in range(steps):
            chosen = order[step * arguments.batch_size : (step + 1) * arguments.batch_size]
            batch = augment(images[chosen], rng).contiguous(memory_format=torch.channels_last)
            optimiser.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=arguments.bfloat16):
                logits = network(batch)
            loss = criterion(logits.float(), labels[chosen])
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
            with torch.no_grad():
                rate = 0.005 if epoch > 0 else 0.05
                for kept, new in zip(
                    average.state_dict().values(), network.state_dict().values(), strict=True
                ):
                    if kept.is_floating_point():
                        kept.lerp_(new, rate)
        elapsed = time.monotonic() - began
        print(f"epoch {epoch + 1:2d}: loss {total / steps:.4f}, {elapsed:.0f} s", flush=True)
        if arguments.checkpoint:
            export(average.eval(), arguments.checkpoint)
    return average.eval()


def main() -> None:
    """Parse the command line, train, write and measure."""
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("/usr/share/datasets/fashion-mnist"),
        help="folder of the four gzip-compressed IDX files (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=here / "fashion_mnist_cnn.onnx",
        help="ONNX file to write (default: fashion_mnist_cnn.onnx beside this script)",
    )
    parser.add_argument("--epochs", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--batch-size", type=int, default=128, help="default: %(default)s")
    parser.add_argument("--lr", type=float, default=0.1, help="peak rate (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=2026, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    parser.add_argument(
        "--bfloat16",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compute the convolutions in bfloat16 while training (default: %(default)s)",
    )
    parser.add_argument("--checkpoint", type=Path, help="also write an ONNX file each epoch")
    parser.add_argument(
        "--check", type=Path, metavar="MODEL", help="train nothing, measure this ONNX file"
    )
    arguments = parser.parse_args()

    model = arguments.check
    if model is None:
        model = arguments.out
        macs = export(train(arguments), model)
        print(f"{macs / 1e6:.2f} M multiply-accumulates an image")
    test_images, test_labels = load(arguments.data, "t10k")
    train_images, _ = load(arguments.data, "train")
    calibration = [train_images[start : start + 100] for start in range(0, 1000, 100)]
    report(model, test_images, test_labels, calibration)


if __name__ == "__main__":
    main()
