# SPDX-License-Identifier: Apache-2.0
"""Times Keras in Python, the baseline that other projects compare with, and no runtime of kenning's.

    {"model": "m.h5", "samples": "samples.npy", "threads": 2, "warmup": 10, "repetitions": 100,
     "modes": ["predict", "call", "function"]}

`samples` holds inputs along its first dimension, without the batch; they are taken in turn, one an inference. Gives
for each mode the raw times in nanoseconds, in order, and the classes that won, so that modes can be compared:

    predict   model.predict(x, verbose=0), one sample
    call      model(x, training=False), eagerly
    function  the same in a tf.function

Alone: PYTHONPATH=src/toolchain python predict_baseline.py request.json response.json, with the toolchain's python
"""

import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import keras_loader
import kenning_worker as worker


def _modes(model, tf):
    function = tf.function(lambda x: model(x, training=False))
    return {
        "predict": lambda x: model.predict(x, verbose=0),
        "call": lambda x: model(tf.convert_to_tensor(x), training=False).numpy(),
        "function": lambda x: function(tf.convert_to_tensor(x)).numpy(),
    }


def _measure(infer, samples, warmup, repetitions):
    for i in range(warmup):
        infer(samples[i % len(samples)])
    times = []
    winners = []
    for i in range(repetitions):
        sample = samples[i % len(samples)]
        begin = time.perf_counter_ns()
        answer = infer(sample)
        times.append(time.perf_counter_ns() - begin)
        winners.append(int(answer.argmax()))
    return {"times_ns": times, "winners": winners}


def handle(request):
    import numpy as np
    import tensorflow as tf

    threads = int(request.get("threads", 0))
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    model = keras_loader.load_keras(request["model"])
    array = np.load(request["samples"], allow_pickle=False)
    samples = [np.ascontiguousarray(array[i : i + 1]) for i in range(len(array))]
    if not samples:
        raise worker.WorkerError("invalid-data", f"{request['samples']}: no samples")
    modes = _modes(model, tf)
    result = {"version": tf.__version__, "threads": threads, "modes": {}}
    wanted = request.get("modes") or list(modes)
    for number, mode in enumerate(wanted):
        if mode not in modes:
            raise worker.WorkerError("invalid-data", f"no mode {mode}; there are {', '.join(modes)}")
        worker.progress(number, len(wanted), f"timing {mode}")
        result["modes"][mode] = _measure(
            modes[mode], samples, int(request.get("warmup", 10)), int(request.get("repetitions", 100))
        )
    return result


if __name__ == "__main__":
    worker.main(handle)
