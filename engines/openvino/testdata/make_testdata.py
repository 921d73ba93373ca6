#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes conformance_qdq.onnx and its case in conformance.json: make_testdata.py FOLDER (with numpy and onnx).

The quantised network has random weights from a seed; its reference is the onnx package's evaluator.
"""
import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

folder = Path(sys.argv[1])
rng = np.random.default_rng(5)
weights, nodes = [], []


def constant(name, value):
    weights.append(numpy_helper.from_array(value, name))
    return name


def quantised_weight(name, shape):
    values = rng.normal(size=shape).astype(np.float32) * 0.3
    scale = (np.abs(values).reshape(shape[0], -1).max(axis=1) / 127).astype(np.float32)
    steps = np.round(values / scale.reshape(-1, *([1] * (len(shape) - 1)))).astype(np.int8)
    nodes.append(helper.make_node(
        "DequantizeLinear", [constant(name + "_q", steps), constant(name + "_s", scale),
                             constant(name + "_z", np.zeros(shape[0], np.int8))], [name], axis=0))
    return name


def requantise(name, scale, zero_point):
    facts = [constant(name + "_s", np.float32(scale)), constant(name + "_z", np.uint8(zero_point))]
    nodes.append(helper.make_node("QuantizeLinear", [name, *facts], [name + "_q"]))
    nodes.append(helper.make_node("DequantizeLinear", [name + "_q", *facts], [name + "_dq"]))
    return name + "_dq"


x = requantise("x", 0.03, 128)
nodes.append(helper.make_node("Conv", [x, quantised_weight("w1", (8, 4, 3, 3))], ["c1"], name="conv1", pads=[1] * 4))
nodes.append(helper.make_node("Relu", ["c1"], ["r1"], name="relu1"))
y = requantise("r1", 0.04, 0)
nodes.append(helper.make_node("Conv", [y, quantised_weight("w2", (8, 8, 3, 3))], ["c2"], name="conv2"))
y = requantise("c2", 0.1, 128)
nodes.append(helper.make_node("GlobalAveragePool", [y], ["pool"], name="pool"))
nodes.append(helper.make_node("Flatten", ["pool"], ["y"], name="flatten"))
graph = helper.make_graph(
    nodes, "qdq", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 8, 8])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8])], weights)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
onnx.checker.check_model(model, full_check=True)
onnx.save(model, folder / "testdata/conformance_qdq.onnx")
sample = np.round(rng.normal(size=(1, 4, 8, 8)), 3).astype(np.float32)
reference = ReferenceEvaluator(model).run(None, {"x": sample})


case = {"name": "onnx_int8", "runtime": "OpenVINORuntime", "format": "onnx", "model": "testdata/conformance_qdq.onnx",
        "inputs": [[float(v) for v in sample.ravel()]], "outputs": [[float(v) for v in reference[0].ravel()]],
        "tolerance": 0.03}
facts = folder / "conformance.json"
cases = [c for c in json.loads(facts.read_text()) if c["name"] != case["name"]]
facts.write_text(json.dumps([*cases, case]) + "\n")
