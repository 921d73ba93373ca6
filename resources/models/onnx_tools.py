# SPDX-License-Identifier: Apache-2.0
"""Helpers shared by the training scripts: ONNX writing, checking, timing, quantising.

The graphs are written node by node with ``onnx.helper``, so that what is in the file does not
depend on the version of a framework's exporter.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8


class GraphWriter:
    """Collects the nodes and weights of one single-input, single-output ONNX graph."""

    def __init__(self, input_name: str) -> None:
        """Start a graph whose current tensor is the input."""
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.macs = 0
        self.last = input_name

    def constant(self, name: str, value: np.ndarray) -> str:
        """Store ``value`` as an initializer and return its name."""
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, op: str, name: str, inputs: Sequence[str], **attributes: object) -> str:
        """Append one node, whose output becomes the current tensor, and return its output."""
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, **attributes))
        self.last = name
        return name

    def conv(
        self,
        name: str,
        weight: np.ndarray,
        bias: np.ndarray,
        out_hw: tuple[int, int],
        *,
        pads: Sequence[int],
        strides: Sequence[int] = (1, 1),
    ) -> str:
        """Append a convolution; ``out_hw`` is its output size, used to count the MACs."""
        inputs = [
            self.last,
            self.constant(f"{name}.weight", weight.astype(np.float32)),
            self.constant(f"{name}.bias", bias.astype(np.float32)),
        ]
        self.macs += weight.size * out_hw[0] * out_hw[1]
        return self.node(
            "Conv",
            name,
            inputs,
            kernel_shape=list(weight.shape[2:]),
            pads=list(pads),
            strides=list(strides),
            dilations=[1, 1],
            group=1,
        )

    def gemm(self, name: str, weight: np.ndarray, bias: np.ndarray) -> str:
        """Append a dense layer; ``weight`` has one row an output (``transB`` is set)."""
        inputs = [
            self.last,
            self.constant(f"{name}.weight", weight.astype(np.float32)),
            self.constant(f"{name}.bias", bias.astype(np.float32)),
        ]
        self.macs += weight.size
        return self.node("Gemm", name, inputs, alpha=1.0, beta=1.0, transA=0, transB=1)

    def relu(self) -> str:
        """Append a ReLU after the current tensor."""
        return self.node("Relu", f"{self.last}.relu", [self.last])

    def model(
        self,
        name: str,
        inputs: tuple[str, Sequence[int | str]],
        outputs: tuple[str, Sequence[int | str]],
        doc: str,
        metadata: Mapping[str, str],
    ) -> onnx.ModelProto:
        """Close the graph: rename the current tensor to the output's name and make the model."""
        self.nodes[-1].output[0] = outputs[0]
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info(inputs[0], TensorProto.FLOAT, list(inputs[1]))],
            [helper.make_tensor_value_info(outputs[0], TensorProto.FLOAT, list(outputs[1]))],
            self.initializers,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="kenning",
            doc_string=doc,
        )
        helper.set_model_props(model, dict(metadata))
        onnx.checker.check_model(model, full_check=True)
        return model


def fold_batch_norm(
    weight: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    epsilon: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Fold a batch normalisation into the convolution (without bias) that precedes it."""
    scale = gamma.astype(np.float64) / np.sqrt(variance.astype(np.float64) + epsilon)
    folded = weight.astype(np.float64) * scale[:, None, None, None]
    bias = beta.astype(np.float64) - mean.astype(np.float64) * scale
    return folded.astype(np.float32), bias.astype(np.float32)


def session(model: Path | bytes, threads: int = 1) -> ort.InferenceSession:
    """Open a CPU session with a set number of threads."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    source = model if isinstance(model, bytes) else str(model)
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def accuracy(model: Path, inputs: np.ndarray, labels: np.ndarray, batch: int = 250) -> float:
    """Top-1 accuracy of ``model``, run by ONNX Runtime."""
    run = session(model)
    name = run.get_inputs()[0].name
    hits = 0
    for start in range(0, len(inputs), batch):
        scores = run.run(None, {name: inputs[start : start + batch]})[0]
        hits += int((scores.argmax(axis=1) == labels[start : start + batch]).sum())
    return hits / len(inputs)


def latency_ms(model: Path, sample: np.ndarray, runs: int = 300) -> float:
    """Median time of one single-thread inference of ``sample``, in milliseconds."""
    run = session(model)
    feed = {run.get_inputs()[0].name: sample}
    for _ in range(30):
        run.run(None, feed)
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        run.run(None, feed)
        times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1e3


def quantise_int8(model: Path, target: Path, calibration: Iterable[np.ndarray]) -> None:
    """Quantise statically to 8 bits (QDQ): per-channel int8 weights, min-max uint8 activations.

    On x86-64, ONNX Runtime is far faster with unsigned activations than with signed ones.
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    name = onnx.load(model).graph.input[0].name

    class Reader(CalibrationDataReader):
        """Feeds the calibration batches."""

        def __init__(self) -> None:
            """Start at the first batch."""
            self.batches = iter(calibration)

        def get_next(self) -> dict[str, np.ndarray] | None:
            """Return the next batch, or None after the last."""
            batch = next(self.batches, None)
            return None if batch is None else {name: batch}

    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(model), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(target),
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )


def report(
    model: Path, inputs: np.ndarray, labels: np.ndarray, calibration: Sequence[np.ndarray]
) -> None:
    """Check the file at ``model``; print its accuracy, size and speed, float and int8."""
    onnx.checker.check_model(str(model), full_check=True)
    weights = onnx.load(model).graph.initializer
    floats = [tensor for tensor in weights if tensor.data_type == TensorProto.FLOAT]
    count = sum(int(np.prod(tensor.dims)) for tensor in floats)
    data = model.read_bytes()
    print(f"{model.name}: {len(data)} bytes, {count} parameters")
    print(f"sha256          {hashlib.sha256(data).hexdigest()}")
    print(f"fp32 accuracy   {accuracy(model, inputs, labels):.4f} ({len(inputs)} samples)")
    print(f"fp32 latency    {latency_ms(model, inputs[:1]):.3f} ms (one thread, batch of 1)")
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "int8.onnx"
        quantise_int8(model, small, calibration)
        print(f"int8 accuracy   {accuracy(small, inputs, labels):.4f} (static QDQ, per channel)")
        print(f"int8 latency    {latency_ms(small, inputs[:1]):.3f} ms (one thread, batch of 1)")
        print(f"int8 size       {small.stat().st_size} bytes")
