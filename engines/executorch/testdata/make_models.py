#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the models of this folder and ../conformance.json. Needs torch 2.15 and executorch 1.5.1.

conformance.pte   a small CNN with XNNPACK
operators.pte     the same with ExecuTorch's own operators
The outputs in conformance.json are PyTorch's.
"""

import json
import os

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower

HERE = os.path.dirname(os.path.abspath(__file__))


class Cnn(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.dense = torch.nn.Linear(8, 5)

    def forward(self, image):
        mean = torch.relu(self.conv(image)).mean((2, 3))
        return torch.softmax(self.dense(mean), dim=1)


def main():
    torch.manual_seed(3)
    model = Cnn().eval()
    image = torch.round(torch.randn(1, 3, 8, 8), decimals=3)
    exported = torch.export.export(model, (image,))
    for name, partitioners in (("conformance", [XnnpackPartitioner()]), ("operators", [])):
        program = to_edge_transform_and_lower(exported, partitioner=partitioners).to_executorch()
        with open(os.path.join(HERE, f"{name}.pte"), "wb") as file:
            file.write(program.buffer)
    with torch.no_grad():
        scores = model(image)
    case = {
        "name": "xnnpack",
        "runtime": "ExecuTorchRuntime",
        "format": "executorch",
        "model": "testdata/conformance.pte",
        "inputs": [[round(value, 3) for value in image.flatten().tolist()]],
        "outputs": [scores.flatten().tolist()],
        "tolerance": 1e-5,
    }
    cases = [
        case,
        dict(case, name="one_thread", parameters={"num_threads": 1}),
        dict(case, name="operators", model="testdata/operators.pte"),
    ]
    with open(os.path.join(os.path.dirname(HERE), "conformance.json"), "w", encoding="utf-8") as file:
        file.write(json.dumps(cases) + "\n")


main()
