# SPDX-License-Identifier: Apache-2.0
"""The worker's side of a job (include/kenning/toolchain/worker.h). Standard library alone, but for calibration().

    import kenning_worker as worker

    def handle(request):
        worker.progress(1, 2, "converting")
        return {"version": "2.21.0"}

    worker.main(handle)
"""

import json
import os
import sys
import traceback


class WorkerError(Exception):
    """An error that a user can mend. `kind`: invalid-model, invalid-data, unsupported, engine-failure."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


_progress = None


def progress(done, total=0, text=""):
    """`done` of `total` (0: unknown); shown by kenning, and proof that the worker lives."""
    if _progress is not None:
        _progress.write(json.dumps({"done": int(done), "total": int(total), "text": text}) + "\n")
        _progress.flush()


def calibration(description, folder):
    """Yields one list of NumPy arrays a sample, in the order of the model's inputs."""
    import numpy

    for index in range(description["count"]):
        arrays = []
        for number, tensor in enumerate(description["inputs"]):
            raw = numpy.fromfile(os.path.join(folder, f"{index}.{number}.bin"), dtype=tensor["dtype"])
            arrays.append(raw.reshape(tensor["shape"]))
        yield arrays


def _write(path, answer):
    temporary = path + ".tmp"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(answer, file)
    os.rename(temporary, path)


def main(handler):
    global _progress
    request_path, response_path = sys.argv[1:3]
    if "KENNING_PROGRESS_FD" in os.environ:
        _progress = os.fdopen(int(os.environ["KENNING_PROGRESS_FD"]), "w", encoding="utf-8")
    with open(request_path, encoding="utf-8") as file:
        request = json.load(file)
    try:
        _write(response_path, {"ok": True, "result": handler(request) or {}})
    except WorkerError as error:
        traceback.print_exc()
        _write(response_path, {"ok": False, "kind": error.kind, "message": str(error)})
    except MemoryError:
        traceback.print_exc()
        _write(response_path, {"ok": False, "kind": "resource-exhausted", "message": "out of memory"})
    except Exception as error:  # The framework's own error, in its own words.
        traceback.print_exc()
        message = f"{type(error).__name__}: {error}"
        _write(response_path, {"ok": False, "kind": "engine-failure", "message": message[:4000]})
