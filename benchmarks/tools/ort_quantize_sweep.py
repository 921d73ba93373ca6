# SPDX-License-Identifier: Apache-2.0
"""Quantise a classifier with ONNX Runtime's own Python tool over its settings; compare accuracy.

Every setting is calibrated with the same samples and tested on the 10,000 test images of
Fashion-MNIST. Models given with --extra, quantised by anything else, go through the same
evaluation: the same images, session and batches.

The samples of --calibration are float32, preprocessed, samples first, as dump_calibration writes
them. Without it, --random-calibration takes training images.

The table is printed as Markdown; --json also keeps it as JSON. The best of many settings, chosen
by the test images, flatters the tool: it is the hardest figure to compare with, not what a user
would get who cannot look at the test images.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import logging
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

MODELS = Path(__file__).resolve().parents[2] / "resources" / "models"
sys.path.insert(0, str(MODELS))

from idx_file import read_idx  # noqa: E402

TYPES = {"U8": QuantType.QUInt8, "S8": QuantType.QInt8}


@dataclass(frozen=True)
class Calibration:
    """One way to find activation ranges; it does not depend on the number formats."""

    name: str
    method: CalibrationMethod
    options: dict[str, object] = field(default_factory=dict)


CALIBRATIONS = (
    Calibration("MinMax", CalibrationMethod.MinMax),
    Calibration("Percentile 99.9", CalibrationMethod.Percentile, {"CalibPercentile": 99.9}),
    Calibration("Percentile 99.99", CalibrationMethod.Percentile, {"CalibPercentile": 99.99}),
    Calibration("Percentile 99.999", CalibrationMethod.Percentile, {"CalibPercentile": 99.999}),
    Calibration("Entropy", CalibrationMethod.Entropy),
)
WIDE_CALIBRATIONS = (
    Calibration("MinMax, moving average", CalibrationMethod.MinMax, {"CalibMovingAverage": True}),
)
# Types of activations and weights, what to call the rest, quantize_static's further options.
FORMATS = (
    ("U8", "S8", "", {}),
    ("S8", "S8", "", {}),
)
WIDE_FORMATS = (
    ("U8", "U8", "", {}),
    ("U8", "S8", "7-bit weights", {"reduce_range": True}),
    ("S8", "S8", "symmetric activations", {"extra_options": {"ActivationSymmetric": True}}),
)


@dataclass
class Row:
    """One line of the table."""

    made_by: str
    calibration: str
    formats: str
    per_channel: bool | None
    accuracy: float
    correct: int
    like_float: float
    size: int
    hits: np.ndarray = field(repr=False)
    # Against the best of ONNX Runtime's settings: images only this model, or only that one, got.
    better: int = 0
    worse: int = 0
    p_value: float = 1.0


class Reader(CalibrationDataReader):
    """Feeds the calibration samples in batches."""

    def __init__(self, name: str, samples: np.ndarray, batch: int) -> None:
        """Start at the first sample."""
        starts = range(0, len(samples), batch)
        self.feeds = iter([{name: samples[start : start + batch]} for start in starts])

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next batch, or None after the last."""
        return next(self.feeds, None)


def load_images(folder: Path, part: str, model: onnx.ModelProto) -> np.ndarray:
    """Return the images of ``part`` as the model takes them, by its own mean and deviation."""
    facts = {entry.key: entry.value for entry in model.metadata_props}
    mean, std = np.float32(facts["mean"]), np.float32(facts["std"])
    images = read_idx(folder / f"{part}-images-idx3-ubyte.gz").astype(np.float32)
    return ((images / np.float32(255) - mean) / std)[:, None]


class Judge:
    """Evaluates models on the same test images."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, batch: int, threads: int) -> None:
        """Take the test data and the settings of every session."""
        self.images = images
        self.labels = labels
        self.batch = batch
        self.threads = threads
        self.float_classes: np.ndarray | None = None

    def classes(self, model: Path) -> np.ndarray:
        """Return the class that ``model`` gives to each image."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = 3
        run = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        entry = run.get_inputs()[0]
        # A model may have been given a fixed batch.
        batch = entry.shape[0] if isinstance(entry.shape[0], int) else self.batch
        found = []
        for start in range(0, len(self.images), batch):
            part = self.images[start : start + batch]
            if len(part) < batch and isinstance(entry.shape[0], int):
                part = np.concatenate([part, np.repeat(part[-1:], batch - len(part), 0)])
            scores = run.run(None, {entry.name: part})[0]
            found.append(scores.argmax(axis=1)[: len(self.images) - start])
        return np.concatenate(found)

    def row(
        self, model: Path, made_by: str, calibration: str, formats: str, per_channel: bool | None
    ) -> Row:
        """Evaluate ``model`` and describe it. The first one is the float model."""
        classes = self.classes(model)
        if self.float_classes is None:
            self.float_classes = classes
        hits = classes == self.labels
        return Row(
            made_by=made_by,
            calibration=calibration,
            formats=formats,
            per_channel=per_channel,
            accuracy=float(hits.mean()),
            correct=int(hits.sum()),
            like_float=float((classes == self.float_classes).mean()),
            size=model.stat().st_size,
            hits=hits,
        )


def sign_test(better: int, worse: int) -> float:
    """Return the two-sided exact p-value of McNemar's test."""
    count = better + worse
    tail = sum(math.comb(count, k) for k in range(min(better, worse) + 1))
    return min(1.0, 2 * tail / 2**count)


def sweep(
    arguments: argparse.Namespace, samples: np.ndarray, judge: Judge, folder: Path
) -> Iterator[Row]:
    """Quantise and evaluate, one setting after another."""
    prepared = folder / "prepared.onnx"
    # What ONNX Runtime's documentation asks for before quantising.
    quant_pre_process(str(arguments.model), str(prepared), skip_symbolic_shape=True)
    name = onnx.load(prepared).graph.input[0].name
    calibrations = CALIBRATIONS + (WIDE_CALIBRATIONS if arguments.wide else ())
    formats = FORMATS + (WIDE_FORMATS if arguments.wide else ())
    for (number, calibration), (activation, weight, note, more), per_channel in itertools.product(
        enumerate(calibrations), formats, (False, True)
    ):
        target = folder / "quantised.onnx"
        options = dict(more)
        extra = calibration.options | dict(options.pop("extra_options", {}))
        # The tool reports its progress on standard output.
        with contextlib.redirect_stdout(io.StringIO()):
            quantize_static(
                str(prepared),
                str(target),
                Reader(name, samples, arguments.calibration_batch),
                quant_format=QuantFormat.QDQ,
                per_channel=per_channel,
                activation_type=TYPES[activation],
                weight_type=TYPES[weight],
                calibrate_method=calibration.method,
                extra_options=extra,
                # The ranges are the same for all number formats: found once, then read back.
                calibration_cache_path=folder / f"ranges{number}.json",
                **options,
            )
        label = f"{activation}{weight}" + (f", {note}" if note else "")
        row = judge.row(target, "ONNX Runtime", calibration.name, label, per_channel)
        print(
            f"{calibration.name}, {label}, per channel {per_channel}: {row.accuracy:.4f}",
            file=sys.stderr,
            flush=True,
        )
        if arguments.keep:
            arguments.keep.mkdir(parents=True, exist_ok=True)
            kept = f"{calibration.name}-{label}-{'channel' if per_channel else 'tensor'}.onnx"
            target.replace(arguments.keep / kept.replace(", ", "-").replace(" ", "_"))
        yield row


def compare(row: Row, best: Row) -> None:
    """Fill in how ``row`` does against ``best``."""
    row.better = int((row.hits & ~best.hits).sum())
    row.worse = int((best.hits & ~row.hits).sum())
    row.p_value = sign_test(row.better, row.worse)


def markdown(rows: list[Row], best: Row) -> str:
    """Return the table; the last columns compare with the best of ONNX Runtime's settings."""
    lines = [
        "| made by | calibration | types | per channel | accuracy | as float | bytes "
        "| better / worse than the best of ONNX Runtime | p |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        versus = "the best" if row is best else f"{row.better} / {row.worse}"
        p_value = "" if row is best else f"{row.p_value:.2f}"
        channel = "" if row.per_channel is None else ("yes" if row.per_channel else "no")
        lines.append(
            f"| {row.made_by} | {row.calibration} | {row.formats} | {channel} "
            f"| {row.accuracy:.4f} | {row.like_float:.4f} | {row.size} | {versus} | {p_value} |"
        )
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="the float ONNX model, with mean and std inside")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--calibration", type=Path, metavar="NPY", help="calibration samples")
    source.add_argument(
        "--random-calibration", type=int, metavar="N", help="take N random training images"
    )
    parser.add_argument("--seed", type=int, default=2026, help="of the choice of those images")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("/usr/share/datasets/fashion-mnist"),
        help="folder of the gzip-compressed IDX files (default: %(default)s)",
    )
    parser.add_argument(
        "--extra",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "MODEL"),
        help="another quantised model to evaluate; may be repeated",
    )
    parser.add_argument("--wide", action="store_true", help="more settings, for the same tool")
    parser.add_argument("--no-sweep", action="store_true", help="only the float model and --extra")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the quantised models here")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows as JSON")
    parser.add_argument("--batch", type=int, default=250, help="of tests (default: %(default)s)")
    parser.add_argument("--calibration-batch", type=int, default=64, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="default: all")
    return parser.parse_args()


def main() -> None:
    """Quantise, evaluate and print."""
    arguments = parse()
    logging.getLogger().setLevel(logging.ERROR)
    model = onnx.load(arguments.model)
    if arguments.calibration:
        samples = np.load(arguments.calibration)
    else:
        images = load_images(arguments.data, "train", model)
        rng = np.random.default_rng(arguments.seed)
        samples = images[rng.choice(len(images), arguments.random_calibration, replace=False)]
    judge = Judge(
        load_images(arguments.data, "t10k", model),
        read_idx(arguments.data / "t10k-labels-idx1-ubyte.gz").astype(np.int64),
        arguments.batch,
        arguments.threads,
    )
    began = time.monotonic()
    rows = [judge.row(arguments.model, "float", "", "float32", None)]
    best = rows[0]
    if not arguments.no_sweep:
        with tempfile.TemporaryDirectory() as folder:
            swept = list(sweep(arguments, samples, judge, Path(folder)))
        best = max(swept, key=lambda row: row.correct)
        rows += sorted(swept, key=lambda row: -row.correct)
    for name, path in arguments.extra:
        rows.append(judge.row(Path(path), name, "", "", None))
    for row in rows:
        compare(row, best)
    print(markdown(rows, best))
    print(
        f"\n{len(samples)} calibration samples, {len(judge.images)} test images; "
        f"ONNX Runtime {ort.__version__}; {time.monotonic() - began:.0f} s"
    )
    if arguments.json:
        listed = []
        for row in rows:
            facts = asdict(row)
            del facts["hits"]
            listed.append(facts | {"best_of_onnxruntime": row is best})
        arguments.json.write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
