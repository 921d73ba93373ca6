# SPDX-License-Identifier: Apache-2.0
"""Measures schedules of each operator of a model, keeps the best in a folder, and proves that they are right."""

import hashlib
import json
import os
import time

import numpy
import tvm
import tvm_ffi
import tvm_schedules as schedules

# Many short repetitions, of which the quickest counts: some of them fall between what else the machine does.
MEASURE_S = 0.0002
REPEATS = 25
MOST_S = 0.1  # Of all repetitions: a busy machine must not take the time of other trials.
FINALISTS = 3  # Measured again at the end, side by side.


class Record:
    """What is known of one operator, in <folder>/<key>.json; written whole after each operator."""

    def __init__(self, folder, key):
        self.path = os.path.join(folder, key + ".json")
        self.data = {}
        try:
            with open(self.path, encoding="utf-8") as file:
                self.data = json.load(file)
        except (OSError, ValueError):
            pass  # Not there, or cut short: measured anew.

    def save(self, **facts):
        self.data.update(facts)
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        temporary = f"{self.path}.{os.getpid()}"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(self.data, file)
        os.replace(temporary, self.path)


def key_of(func, target, threads):
    facts = [str(tvm_ffi.structural_hash(func)), str(target), threads, tvm.__version__, schedules.VERSION]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]


def random_arguments(func, seed=1):
    """Values of every parameter; the results are among them, last."""
    rng = numpy.random.default_rng(seed)
    arrays = []
    for parameter in func.params:
        shape = [int(extent) for extent in parameter.shape]
        dtype = str(parameter.dtype)
        if dtype == "bool":
            values = rng.integers(0, 2, shape).astype(bool)
        elif "float" in dtype:
            values = rng.uniform(-1, 1, shape).astype(dtype)
        else:
            info = numpy.iinfo(dtype)
            values = rng.integers(max(info.min, -100), min(info.max, 100), shape).astype(dtype)
        arrays.append(values)
    return arrays


def compile_function(module, target):
    return tvm.compile(module, target=target)


def run_once(library, arrays):
    tensors = [tvm.runtime.tensor(a) for a in arrays]
    library["main"](*tensors)
    return tensors[-1].numpy()


def seconds(library, arrays, best=None):
    """The quickest of a few repetitions; fewer where the first shows that it cannot be the best."""
    tensors = [tvm.runtime.tensor(a) for a in arrays]
    module = getattr(library, "mod", library)
    one = min(module.time_evaluator("main", tvm.cpu(), number=1, repeat=2)(*tensors).results)
    if best is not None and one > 3 * best:
        return one
    number = max(1, int(MEASURE_S / max(one, 1e-7)))
    evaluate = module.time_evaluator("main", tvm.cpu(), number=number, repeat=1)
    end = time.monotonic() + MOST_S
    quickest = one
    for _ in range(REPEATS):
        quickest = min(quickest, *evaluate(*tensors).results)
        if time.monotonic() > end:
            break
    return quickest


def same(got, expected):
    if got.dtype != expected.dtype or got.shape != expected.shape:
        return False
    if "float" not in str(expected.dtype):
        return bool(numpy.abs(got.astype("int64") - expected.astype("int64")).max(initial=0) <= 1)
    scale = float(numpy.abs(expected).max(initial=0))
    return bool(numpy.allclose(got, expected, rtol=1e-3, atol=1e-4 * max(scale, 1e-6), equal_nan=True))


class Tuner:
    def __init__(self, target, machine, request, report):
        self.target = target
        self.machine = machine
        self.trials = request["trials"] if request["tune"] else 0
        self.deadline = time.monotonic() + (request["time_s"] if request["tune"] else 0)
        self.folder = request["database"]
        self.report = report
        self.measured = 0
        self.found_before = 0
        self.unmeasured = []

    def tune(self, name, func):
        """The scheduled module of `func`; its record."""
        record = Record(self.folder, key_of(func, self.target, self.machine.threads))
        arrays = random_arguments(func)
        with self.target:
            plain = compile_function(schedules.schedule_of(func).mod, self.target)
        expected = run_once(plain, arrays)
        if self._reusable(record):
            module = self._proved(func, record.data["config"], arrays, expected)
            if module is not None:
                self.found_before += 1
                return module, record.data
        candidates = schedules.first_round(schedules.Operator(func), self.machine)
        if self.trials == 0 or time.monotonic() > self.deadline:
            self.unmeasured.append(name)
            return self._first_that_fits(func, candidates, arrays, expected)
        untuned_s = seconds(plain, arrays)
        search = Search(self, func, arrays, expected)
        search.run(candidates)
        if search.best is None or search.best_s >= untuned_s:
            search.best, search.best_s = {"kind": "none"}, untuned_s
            search.module = schedules.schedule_of(func).mod
        record.save(name=name, config=search.best, seconds=search.best_s, untuned_s=untuned_s,
                    trials=self.trials, target=str(self.target), threads=self.machine.threads)
        return search.module, record.data

    def _reusable(self, record):
        return "config" in record.data and (record.data.get("trials", 0) >= self.trials)

    def _proved(self, func, config, arrays, expected):
        """The module, where it compiles and computes the same as the unscheduled function."""
        try:
            module = schedules.apply(func, config)
            library = compile_function(module, self.target)
            return module if same(run_once(library, arrays), expected) else None
        except Exception as error:  # What does not fit is passed over.
            print(f"passed over {config}: {str(error)[-300:]}")
            return None

    def _first_that_fits(self, func, candidates, arrays, expected):
        for config in candidates[:8]:
            module = self._proved(func, config, arrays, expected)
            if module is not None:
                return module, {"config": config}
        return schedules.schedule_of(func).mod, {"config": {"kind": "none"}}


class Search:
    """One operator's trials: the first round's best, then its variations."""

    def __init__(self, tuner, func, arrays, expected):
        self.tuner = tuner
        self.func = func
        self.arrays = arrays
        self.expected = expected
        self.best = self.best_s = self.module = None
        self.finalists = []  # (seconds, count, configuration, module, library)
        self.count = 0
        self.seen = set()

    def run(self, candidates):
        first = max(1, self.tuner.trials // 2)
        for config in candidates[:first]:
            self.try_one(config)
        if self.best is None:
            for config in candidates[first:]:
                self.try_one(config)
        while self.best is not None and self.count < self.tuner.trials:
            before, count = self.best, self.count
            for config in schedules.second_round(schedules.Operator(self.func), self.tuner.machine, self.best):
                self.try_one(config)
            if self.best == before or self.count == count:
                break
        self.decide()

    def decide(self):
        """Between the first few, which differ by less than a busy machine's noise."""
        if len(self.finalists) < 2:
            return
        times = [taken for taken, *_ in self.finalists]
        for _ in range(2):
            for index, (_, _, _, _, library) in enumerate(self.finalists):
                times[index] = min(times[index], seconds(library, self.arrays))
        best = times.index(min(times))
        self.best_s, self.best, self.module = times[best], *self.finalists[best][2:4]

    def try_one(self, config):
        text = json.dumps(config, sort_keys=True)
        if text in self.seen or self.count >= self.tuner.trials or time.monotonic() > self.tuner.deadline:
            return
        self.seen.add(text)
        self.count += 1
        self.tuner.measured += 1
        try:
            module = schedules.apply(self.func, config)
            library = compile_function(module, self.tuner.target)
            if not same(run_once(library, self.arrays), self.expected):
                print(f"wrong result: {config}")
                return
            taken = seconds(library, self.arrays, self.best_s)
        except Exception as error:  # What does not fit is passed over.
            print(f"passed over {config}: {str(error)[-300:]}")
            return
        entry = (taken, self.count, config, module, library)
        self.finalists = sorted([*self.finalists, entry], key=lambda item: item[:2])[:FINALISTS]
        if self.best_s is None or taken < self.best_s:
            self.best, self.best_s, self.module = config, taken, module
