#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One model through many engines, measured in one interleaved run.

    compare.py ROWS.json --kenning build/release/bin/kenning --work DIR [--rounds 9] [--samples 60]

ROWS.json names the rows: {"name", "scenario"} of each, in order, the first being the baseline of the accuracy, and
optionally a "rival", whose times are the baseline of the speed. Paths within are relative to ROWS.json. Scenarios run
in DIR, so their own relative paths are DIR's.

First each row is optimised (once; what is there is kept) and tested on every sample, for its accuracy. Then come the
rounds: in each, every row runs the same few samples in a process of its own, in an order that is shuffled anew. A
round's ratio of medians is one observation; the table shows the median of the rounds and a bootstrap interval. What a
slow minute does to one round, it does to all rows of it. Results: DIR/comparison.json and DIR/comparison.md.
Needs Python's standard library alone.
"""

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

BOOTSTRAPS = 2000


def fail(message):
    sys.exit(f"compare.py: error: {message}")


def run(command, cwd, log, environment=None):
    with open(log, "ab") as file:
        file.write((" ".join(map(str, command)) + "\n").encode())
        file.flush()
        if subprocess.run(command, cwd=cwd, stdout=file, stderr=file, env=environment, check=False).returncode != 0:
            file.flush()
            tail = Path(log).read_text(errors="replace")[-1500:]
            raise RuntimeError(f"failed; {log} ends with:\n{tail}")


class Row:
    def __init__(self, facts, folder, options):
        self.name = facts["name"]
        self.scenario = (folder / facts["scenario"]).resolve()
        self.work = options.work
        self.kenning = options.kenning
        self.log = options.work / "logs" / f"{self.name}.log"
        self.full = options.work / "measurements" / f"{self.name}.json"
        self.medians = []
        self.error = None
        self.optimises = bool(json.loads(self.scenario.read_text()).get("optimizers"))

    def kenning_run(self, words):
        run([self.kenning, *words, "--cfg", self.scenario], self.work, self.log)

    def prepare(self):
        if self.full.exists():
            return
        steps = ["optimize", "test"] if self.optimises else ["test"]
        self.kenning_run([*steps, "--measurements", self.full, "--name", self.name])

    def measure(self, samples, number):
        out = self.work / "measurements" / f"{self.name}-{number}.json"
        self.kenning_run(["test", "--max-samples", str(samples), "--warm-up", "20", "--measurements", out])
        times = json.loads(out.read_text())["target_inference_step"]
        self.medians.append(statistics.median(times))

    def facts(self):
        record = json.loads(self.full.read_text())
        matrix = record.get("eval_confusion_matrix")
        total = record.get("total")
        correct = sum(matrix[i][i] for i in range(len(matrix))) if matrix else None
        return {
            "samples": total,
            "correct": correct,
            "accuracy": correct / total if total else None,
            "size_bytes": record.get("compiled_model_size"),
            "runtime": record.get("kenning_cpp", {}).get("engine", {}),
        }


class Rival:
    """Keras in Python: model.predict, one sample a call, timed by the worker that the rows' file names."""

    def __init__(self, facts, folder, options):
        self.name = facts["name"]
        self.work = options.work
        self.log = options.work / "logs" / f"{self.name}.log"
        self.model = facts["model"]
        self.shape = facts["shape"]
        self.worker = (folder / facts["worker"]).resolve()
        self.helper = (folder / "../../src/toolchain").resolve()
        self.python = options.rival_python
        self.threads = options.threads
        self.samples = options.work / "rival-samples.npy"
        self.medians = []
        self.error = None

    def prepare(self):
        if not self.python:
            raise RuntimeError("--rival-python is not given")
        make = f"import numpy as n; n.save({str(self.samples)!r}, n.random.default_rng(1).normal(size=[8, *{self.shape}]).astype('f4'))"
        run([self.python, "-c", make], self.work, self.log)

    def measure(self, samples, number):
        request = self.work / "rival-request.json"
        response = self.work / "measurements" / f"{self.name}-{number}.json"
        facts = {"model": str(self.work / self.model), "samples": str(self.samples), "threads": self.threads}
        request.write_text(json.dumps({**facts, "warmup": 10, "repetitions": samples, "modes": ["predict"]}))
        environment = {**os.environ, "PYTHONPATH": str(self.helper)}
        run([self.python, self.worker, request, response], self.work, self.log, environment)
        result = json.loads(response.read_text())["result"]
        self.medians.append(1e-9 * statistics.median(result["modes"]["predict"]["times_ns"]))


def interval(values):
    """Median, and the 95 % bootstrap interval of the median."""
    generator = random.Random(1)
    medians = sorted(statistics.median(generator.choices(values, k=len(values))) for _ in range(BOOTSTRAPS))
    return statistics.median(values), medians[int(0.025 * BOOTSTRAPS)], medians[int(0.975 * BOOTSTRAPS) - 1]


def wilson(correct, total):
    z = 1.959964
    p = correct / total
    middle = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return middle - half, middle + half


def digits(value):
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def cell(triple, unit=""):
    return f"{digits(triple[0])}{unit} ({digits(triple[1])} to {digits(triple[2])})"


def summarise(rows, rival, roofline):
    base = rival if rival and rival.medians else next(row for row in rows if row.medians)
    first = next(row for row in rows if row.medians)
    original = first.facts()["size_bytes"]
    table = []
    for row in ([rival] if rival else []) + rows:
        entry = {"name": row.name, "error": row.error}
        if row.medians:
            entry["latency_ms"] = interval([1e3 * value for value in row.medians])
            rounds = min(len(row.medians), len(base.medians))
            entry["speed_boost"] = interval([base.medians[i] / row.medians[i] for i in range(rounds)])
            entry["round_medians_s"] = row.medians
        if isinstance(row, Row) and row.full.exists():
            entry.update(row.facts())
            if entry["size_bytes"]:
                entry["size_reduction"] = original / entry["size_bytes"]
            if entry["accuracy"] is not None and first.full.exists():
                entry["accuracy_difference"] = entry["accuracy"] - first.facts()["accuracy"]
        bound = roofline.get("int8_ms" if "int8" in row.name else "fp32_ms")
        if bound and row.medians:
            entry["roofline_share"] = bound / entry["latency_ms"][0]
        table.append(entry)
    return table


def markdown(table, roofline):
    lines = ["| row | latency, ms | speed boost | accuracy | size reduction | of the roofline |", "|---|---|---|---|---|---|"]
    for entry in table:
        if entry["error"]:
            lines.append(f"| {entry['name']} | not measured: {entry['error'].splitlines()[0]} | | | | |")
            continue
        accuracy = ""
        if entry.get("accuracy") is not None:
            low, high = wilson(entry["correct"], entry["samples"])
            accuracy = f"{entry['accuracy']:.4f} ({low:.4f} to {high:.4f})"
            if entry.get("accuracy_difference"):
                accuracy += f", {100 * entry['accuracy_difference']:+.2f} pp"
        size = f"{entry['size_reduction']:.2f}" if entry.get("size_reduction") else ""
        share = f"{100 * entry['roofline_share']:.0f} %" if entry.get("roofline_share") else ""
        lines.append(
            f"| {entry['name']} | {cell(entry['latency_ms'])} | {cell(entry['speed_boost'], 'x')} "
            f"| {accuracy} | {size} | {share} |"
        )
    if roofline:
        lines += ["", f"Roofline: {digits(roofline['fp32_ms'])} ms in float32, {digits(roofline['int8_ms'])} ms in int8."]
    return "\n".join(lines) + "\n"


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("rows", type=Path)
    parser.add_argument("--kenning", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rival-python", help="Python of the rival's toolchain")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of the rival; kenning's runtimes decide alone")
    parser.add_argument("--roofline-model", help="below DIR: what \"kenning explain --roofline\" reads operators from")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--samples", type=int, default=60)
    parser.add_argument("--only", nargs="*", default=[], help="only these rows, and the baseline")
    options = parser.parse_args()
    options.kenning = options.kenning.resolve()
    options.work = options.work.resolve()
    for folder in ("logs", "measurements"):
        (options.work / folder).mkdir(parents=True, exist_ok=True)
    return options


def measure_roofline(options):
    """What the machine could do at best with the model's convolutions and matrix products, in milliseconds."""
    if not options.roofline_model:
        return {}
    out = options.work / "measurements" / "roofline.json"
    command = [options.kenning, "explain", "--roofline", options.roofline_model, "--num-threads", str(options.threads)]
    run([*command, "--json", out], options.work, options.work / "logs" / "roofline.log")
    bounds = json.loads(out.read_text())["model"]["roofline"]
    return {"fp32_ms": 1e3 * bounds["bound_float32_s"], "int8_ms": 1e3 * bounds["bound_int8_s"], "threads": options.threads}


def attempt(row, work):
    try:
        work()
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        row.error = str(error)
        print(f"compare.py: {row.name}: {error}", file=sys.stderr)


def main():
    options = parse()
    facts = json.loads(options.rows.read_text())
    folder = options.rows.resolve().parent
    wanted = [row for i, row in enumerate(facts["rows"]) if i == 0 or not options.only or row["name"] in options.only]
    rows = [Row(row, folder, options) for row in wanted]
    rival = Rival(facts["rival"], folder, options) if "rival" in facts else None
    everyone = rows + ([rival] if rival else [])
    for row in everyone:
        print(f"compare.py: preparing {row.name}", file=sys.stderr)
        attempt(row, row.prepare)
    generator = random.Random(20)
    started = time.time()
    load = os.getloadavg()[0]
    for number in range(options.rounds):
        order = [row for row in everyone if not row.error]
        generator.shuffle(order)
        for row in order:
            attempt(row, lambda row=row: row.measure(options.samples, number))
        print(f"compare.py: round {number + 1} of {options.rounds}, {time.time() - started:.0f} s", file=sys.stderr)
    if not any(row.medians for row in rows):
        fail("no row could be measured")
    roofline = measure_roofline(options)
    table = summarise(rows, rival, roofline)
    result = {"rounds": options.rounds, "samples": options.samples, "load_before": load, "roofline": roofline, "table": table}
    (options.work / "comparison.json").write_text(json.dumps(result, indent=1) + "\n")
    text = markdown(table, roofline)
    (options.work / "comparison.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
