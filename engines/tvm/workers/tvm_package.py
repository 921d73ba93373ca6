# SPDX-License-Identifier: Apache-2.0
"""Writes a compiled model as engines/tvm/tvm_artifact.h describes it."""

import hashlib
import io
import json
import os
import shutil
import struct
import subprocess
import tarfile

import kenning_worker as worker

MAGIC = b"KENNTVM1"


def linker():
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            return name
    raise worker.WorkerError(
        "unavailable",
        "linking a compiled model needs cc, gcc or clang, and none is there; install one, for example: "
        "apt-get install gcc",
    )


def shared_object(executable, folder):
    path = os.path.join(folder, "model.so")
    executable.export_library(path, cc=linker(), options=["-Wl,--strip-all", "-Wl,--build-id=none"])
    if shutil.which("strip"):
        subprocess.run(["strip", "--strip-unneeded", path], check=False)
    with open(path, "rb") as file:
        return file.read()


def write(library, description, path, container):
    text = json.dumps(description).encode()
    body = library + text
    body += hashlib.sha256(body).digest() + struct.pack("<Q", len(text)) + MAGIC
    if container == "tar":
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            member = tarfile.TarInfo("model.so")
            member.size = len(body)
            member.mode = 0o644
            tar.addfile(member, io.BytesIO(body))
        body = buffer.getvalue()
    with open(path, "wb") as file:
        file.write(body)
