#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the models of this folder and ../conformance.json. Run it with the Python of the toolchain "iree".

conformance.vmfb  a small CNN, machine code for any x86-64 CPU since 2009 (x86-64-v2)
portable.vmfb     the same as portable bytecode (vmvx)
declared.vmfb     compiled from IREE's own text, without IREECompiler: two inputs, one with a batch of any size
cnn.onnx          what the first two are compiled from
cnn_batch.onnx    the same with a batch of any size
"""

import json
import os
import subprocess
import sys
import tempfile

import iree.runtime
import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
ENGINE = os.path.dirname(HERE)
DECLARED = """
func.func @scale(%x: tensor<1x4xf32>, %b: tensor<?x4xi8>) -> (tensor<1x4xf32>, tensor<?x4xi8>) {
  %c = arith.constant dense<2.0> : tensor<1x4xf32>
  %y = arith.mulf %x, %c : tensor<1x4xf32>
  %z = arith.addi %b, %b : tensor<?x4xi8>
  return %y, %z : tensor<1x4xf32>, tensor<?x4xi8>
}
"""


def cnn(batch):
    random = numpy.random.default_rng(11)

    def weight(name, *shape):
        return numpy_helper.from_array(random.normal(0, 0.5, shape).astype(numpy.float32), name)

    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "w", "b"], ["c"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c"], ["r"]),
            helper.make_node("Conv", ["r", "d"], ["s"], pads=[1, 1, 1, 1], group=8),
            helper.make_node("GlobalAveragePool", ["s"], ["p"]),
            helper.make_node("Flatten", ["p"], ["f"]),
            helper.make_node("Gemm", ["f", "g", "h"], ["l"]),
            helper.make_node("Softmax", ["l"], ["scores"]),
        ],
        "small_cnn",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch, 5])],
        [weight("w", 8, 3, 3, 3), weight("b", 8), weight("g", 8, 5), weight("h", 5), weight("d", 8, 1, 3, 3)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def compile_module(model, output, backend):
    """Through the optimizer's own worker."""
    spec = {
        "input": [{"name": "image", "dtype": "float32", "shape": [1, 3, 8, 8], "layout": "NCHW"}],
        "output": [{"name": "scores", "dtype": "float32", "shape": [1, 5]}],
    }
    with tempfile.TemporaryDirectory() as folder:
        request = {
            "model": model, "output": output, "folder": folder, "io_spec": json.dumps(spec), "backend": backend,
            "target_cpu": "x86-64-v2", "target_cpu_features": "", "opt_level": "O3", "data_tiling": True,
            "compiler_args": [], "conv_layout": "auto", "batch_size": 1, "reference": False,
        }  # fmt: skip
        with open(os.path.join(folder, "request.json"), "w", encoding="utf-8") as file:
            json.dump(request, file)
        source = os.path.dirname(os.path.dirname(ENGINE))
        environment = dict(os.environ, PYTHONPATH=os.path.join(source, "src", "toolchain"))
        script = os.path.join(ENGINE, "workers", "compile.py")
        response = os.path.join(folder, "response.json")
        subprocess.run(
            [sys.executable, script, os.path.join(folder, "request.json"), response], env=environment, check=True
        )
        with open(response, encoding="utf-8") as file:
            answer = json.load(file)
        if not answer["ok"]:
            raise SystemExit(answer["message"])


def main():
    model = os.path.join(HERE, "cnn.onnx")
    onnx.save(cnn(1), model)
    onnx.save(cnn("batch"), os.path.join(HERE, "cnn_batch.onnx"))
    compile_module(model, os.path.join(HERE, "conformance.vmfb"), "llvm-cpu")
    compile_module(model, os.path.join(HERE, "portable.vmfb"), "vmvx")
    subprocess.run(
        [
            os.path.join(os.path.dirname(sys.executable), "iree-compile"), "-", "--iree-hal-target-device=local",
            "--iree-hal-local-target-device-backends=vmvx", "-o", os.path.join(HERE, "declared.vmfb"),
        ],
        input=DECLARED.encode(), check=True,
    )  # fmt: skip
    # The outputs are those of IREE's own runner.
    image = numpy.round(numpy.random.default_rng(5).normal(0, 1, (1, 3, 8, 8)), 3).astype(numpy.float32)
    module = iree.runtime.load_vm_flatbuffer_file(os.path.join(HERE, "conformance.vmfb"), driver="local-sync")
    scores = module["small_cnn"](image).to_host()
    case = {
        "name": "native",
        "runtime": "IREERuntime",
        "format": "iree",
        "model": "testdata/conformance.vmfb",
        "inputs": [[round(float(value), 3) for value in image.ravel()]],
        "outputs": [[float(value) for value in scores.ravel()]],
        "tolerance": 1e-5,
    }
    cases = [
        case,
        dict(case, name="one_thread", parameters={"num_threads": 1}),
        dict(case, name="portable", model="testdata/portable.vmfb"),
        dict(
            case,
            name="declared",
            model="testdata/declared.vmfb",
            inputs=[[1.5, -2.0, 0.25, 3.0], [1, -2, 3, 60]],
            outputs=[[3.0, -4.0, 0.5, 6.0], [2, -4, 6, 120]],
            tolerance=0,
            exclusions={"ABatchOfTwoIsTwoSamples": "only its second input has a batch"},
        ),
    ]
    with open(os.path.join(ENGINE, "conformance.json"), "w", encoding="utf-8") as file:
        file.write(json.dumps(cases) + "\n")


main()
