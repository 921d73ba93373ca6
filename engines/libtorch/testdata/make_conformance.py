#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes conformance.pt, exported.pt2 and ../conformance.json with PyTorch 2.15; outputs are those of eager mode."""

import json
import zipfile
from pathlib import Path

import torch

HERE = Path(__file__).parent


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(8, 16)
        self.norm = torch.nn.BatchNorm1d(16)
        self.second = torch.nn.Linear(16, 4)

    def forward(self, x):
        return torch.softmax(self.second(torch.relu(self.norm(self.first(x)))), dim=-1)


class Images(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 4, 3, padding=1, stride=2)
        self.norm = torch.nn.BatchNorm2d(4)
        self.depth = torch.nn.Conv2d(4, 4, 3, groups=4)
        self.last = torch.nn.Linear(4 * 3 * 3, 5)

    def forward(self, image):
        x = torch.nn.functional.relu6(self.norm(self.first(image)))
        x = torch.nn.functional.max_pool2d(torch.nn.functional.silu(self.depth(x)), 2)
        return self.last(torch.flatten(x, 1))


def randomise_norm(norm):
    norm.running_mean.uniform_(-0.5, 0.5)
    norm.running_var.uniform_(0.5, 1.5)


def strip(path):
    """Leaves out what tells of the machine that made the file: source places, stack traces, sample inputs."""
    with zipfile.ZipFile(path) as archive:
        entries = {i.filename: archive.read(i) for i in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in entries.items():
            if name.endswith(".debug_pkl") or "/sample_inputs/" in name:
                continue
            if name.endswith("models/model.json"):
                program = json.loads(data)
                for node in program["graph_module"]["graph"]["nodes"]:
                    node["metadata"] = {}
                data = json.dumps(program)
            archive.writestr(zipfile.ZipInfo(name), data)


def main():
    torch.manual_seed(7)
    net = Net().eval()
    randomise_norm(net.norm)
    x = torch.randn(1, 8)
    torch.jit.save(torch.jit.script(net), str(HERE / "conformance.pt"))
    facts = {
        "runtime": "PyTorchRuntime",
        "format": "torchscript",
        "model": "testdata/conformance.pt",
        "inputs": [x.flatten().tolist()],
        "outputs": [net(x).flatten().tolist()],
        "tolerance": 1e-6,
    }
    (HERE.parent / "conformance.json").write_text(json.dumps(facts, indent=1) + "\n")

    images = Images().eval()
    randomise_norm(images.norm)
    image = torch.linspace(-1, 1, 3 * 16 * 16).reshape(1, 3, 16, 16)
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(images, (torch.cat([image, image]),), dynamic_shapes={"image": {0: batch}})
    torch.export.save(program, str(HERE / "exported.pt2"))
    (HERE / "exported.json").write_text(json.dumps(images(image).flatten().tolist()) + "\n")
    torch.save(net.state_dict(), str(HERE / "weights.pth"))
    for name in ("conformance.pt", "exported.pt2"):
        strip(HERE / name)


with torch.no_grad():
    main()
