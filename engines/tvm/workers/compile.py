# SPDX-License-Identifier: Apache-2.0
"""Compiles a model with TVM: reads it, fuses, tunes each operator, proves the result, links and packs it."""

import os
import re
import tempfile
import time

import kenning_worker as worker

FEATURES = (
    "sse4.1 sse4.2 avx avx2 fma bmi bmi2 avx512f avx512bw avx512dq avx512vl avx512cd avx512vnni avx512bf16"
).split()


def parse_target(text, threads):
    """TVM's target of "llvm -mcpu=core-avx2": its own form of today is a dictionary."""
    import tvm

    words = text.split()
    if not words or words[0] != "llvm":
        raise worker.WorkerError("unsupported", f'target "{text}": kenning compiles for "llvm", that is for CPUs, alone')
    fields = {"kind": "llvm", "num-cores": threads}
    names = {"mcpu": "mcpu", "mtriple": "mtriple", "mattr": "mattr", "mabi": "mabi", "model": "model"}
    for word in words[1:]:
        match = re.fullmatch(r"-{1,2}([a-z-]+)=(\S+)", word)
        if not match or match[1] not in {*names, "device", "keys", "libs", "num-cores", "opt-level"}:
            raise worker.WorkerError("unsupported", f'target "{text}": "{word}" is not understood')
        if match[1] == "mattr":
            fields["mattr"] = match[2].split(",")
        elif match[1] in names:
            fields[match[1]] = match[2]
        elif match[1] == "num-cores":
            fields["num-cores"] = int(match[2])
    if fields.get("mcpu") in ("native", "host"):
        fields["mcpu"] = tvm.target.codegen.llvm_get_system_cpu()
    fields["mcpu"] = {"core-avx2": "haswell", "core-avx-i": "ivybridge"}.get(fields.get("mcpu"), fields.get("mcpu", "x86-64"))
    try:
        return tvm.target.Target(fields)
    except Exception as error:
        raise worker.WorkerError("unsupported", f'target "{text}": {error}') from error


def cpu_features(target):
    import tvm

    return [f for f in FEATURES if tvm.target.codegen.llvm_cpu_has_features(f, target)]


def machine_of(target, features, threads):
    import tvm_schedules

    if "avx512f" in features:
        return tvm_schedules.Machine(16, 32, threads)
    return tvm_schedules.Machine(8 if "avx2" in features else 4, 16, threads)


def dot_of(features):
    """The target's instruction for sums of products of int8."""
    import tvm_quantized

    if "avx512vnni" in features:
        return tvm_quantized.VNNI
    return tvm_quantized.PAIRS if "avx2" in features else None


def runs_here(features):
    """Whether this machine can run, and so measure, code of the target."""
    import tvm

    own = tvm.target.Target({"kind": "llvm", "mcpu": tvm.target.codegen.llvm_get_system_cpu()})
    return set(features) <= set(cpu_features(own))


def read_model(request):
    import tvm_graph

    try:
        if request["format"] == "tflite":
            return tvm_graph.read_tflite(request["model"])
        return tvm_graph.read_onnx(request["model"])
    except worker.WorkerError:
        raise
    except Exception as error:
        text = f"{type(error).__name__}: {str(error)[-1500:]}"
        kind = "unsupported" if "support" in text.lower() or "not implement" in text.lower() else "invalid-model"
        raise worker.WorkerError(kind, f"TVM cannot read {request['model']}: {text}") from error


def build(module, target, opt_level):
    import tvm
    from tvm import relax

    with tvm.transform.PassContext(opt_level=opt_level), target:
        return tvm.compile(module, target=target, relax_pipeline=relax.pipeline.default_build_pipeline())


def run_model(executable, arrays):
    import tvm
    from tvm import relax

    machine = relax.VirtualMachine(executable, tvm.cpu())
    tensors = [tvm.runtime.tensor(array) for array in arrays]
    results = machine["main"](*tensors)
    listed = results if isinstance(results, (list, tuple)) or hasattr(results, "__len__") and not hasattr(results, "numpy") else [results]
    taken = min(machine.time_evaluator("main", tvm.cpu(), number=1, repeat=5)(*tensors).results)
    return [result.numpy() for result in listed], taken


def sample_inputs(inputs):
    import numpy

    rng = numpy.random.default_rng(7)
    arrays = []
    for _, dtype, shape in inputs:
        if "float" in dtype:
            arrays.append(rng.uniform(0, 1, shape).astype(dtype))
        elif dtype == "bool":
            arrays.append(rng.integers(0, 2, shape).astype(bool))
        else:
            info = numpy.iinfo(dtype)
            arrays.append(rng.integers(max(info.min, -128), min(info.max, 127), shape).astype(dtype))
    return arrays


def prove(plain, tuned, inputs):
    """The tuned program computes what the untuned one does, on random inputs. Returns both times."""
    import tvm_tuning

    arrays = sample_inputs(inputs)
    expected, plain_s = run_model(plain, arrays)
    got, tuned_s = run_model(tuned, arrays)
    for index, (a, b) in enumerate(zip(got, expected)):
        if not tvm_tuning.same(a, b):
            raise worker.WorkerError("engine-failure", f"output {index} of the tuned program differs from the untuned one's; nothing was written")
    return plain_s, tuned_s


def tune_all(module, tuner):
    import tvm_graph
    import tvm_schedules

    found = tvm_graph.operators(module)
    # The largest first, so that a short budget goes where the time goes.
    found.sort(key=lambda item: -tvm_schedules.Operator(item[1]).work * item[2])
    records = []
    for index, (variable, function, calls) in enumerate(found):
        worker.progress(index, len(found), f"tuning {variable.name_hint}")
        scheduled, record = tuner.tune(variable.name_hint, function)
        new = scheduled["main"].with_attrs({k: v for k, v in (function.attrs or {}).items()}) if function.attrs else scheduled["main"]
        new = new.without_attr("global_symbol") if "global_symbol" not in (function.attrs or {}) else new
        module[variable] = new.with_attr("tirx.is_scheduled", True)
        records.append((variable.name_hint, calls, record))
        print(variable.name_hint, calls, record, flush=True)
    return records


def notes_of(tuner, records, times, took_s, request):
    notes = []
    plain_s, tuned_s = times
    if not request["tune"]:
        notes.append("tuning is off: every operator has the first schedule that fits, unmeasured")
    elif plain_s and tuned_s:
        notes.append(
            f"tuning bought {plain_s / tuned_s:.1f}x: {len(records)} tasks, {tuner.measured} trials, {took_s:.0f} s; "
            f"untuned {plain_s * 1e3:.2f} ms, tuned {tuned_s * 1e3:.2f} ms, {request['threads']} threads"
        )
        if tuner.found_before:
            notes.append(f"{tuner.found_before} of {len(records)} schedules were known from earlier runs")
    if request["tune"] and tuner.unmeasured:
        notes.append(
            f"NOT TUNED for want of time, first schedule that fits: {len(tuner.unmeasured)} of {len(records)} tasks: "
            f"{', '.join(tuner.unmeasured[:8])}; run again to go on, or raise tuning_time_s"
        )
    slow = sorted(records, key=lambda r: -r[2].get("seconds", 0) * r[1])[:40]
    for name, calls, record in slow:
        if "seconds" in record:
            gain = record["untuned_s"] / record["seconds"]
            notes.append(f"{name} (x{calls}): {record['seconds'] * 1e6:.0f} us, {gain:.1f}x by tuning")
    return notes


def notes_on_integers(request, integers):
    if integers:
        return [f"{integers} convolutions computed in int8"]
    types = [item.get("dtype") for items in request["spec"].values() if isinstance(items, list) for item in items]
    if "int8" in types or "uint8" in types:
        return ["quantised convolutions are computed in float32: int8 is for targets with avx2"]
    return []


def spec_item(name, dtype, shape, known):
    item = {"name": name, "dtype": dtype, "shape": shape}
    for key in ("scale", "zero_point", "quantized_dimension"):
        if known and key in known and known.get("dtype") == dtype:
            item[key] = known[key]
    return item


def describe(request, target_text, features, inputs, outputs):
    import tvm

    spec = request["spec"]
    given = spec.get("processed_input") or spec.get("input") or []
    made = spec.get("processed_output") or spec.get("output") or []

    def known(items, name, index):
        named = [i for i in items if i.get("name") == name]
        return named[0] if named else items[index] if index < len(items) else None

    return {
        "input": [spec_item(n, d, s, known(given, n, i)) for i, (n, d, s) in enumerate(inputs)],
        "output": [spec_item(n, d, s, known(made, n, i)) for i, (n, d, s) in enumerate(outputs)],
        "tvm": tvm.__version__,
        "target": target_text,
        "cpu_features": features,
    }


def handle(request):
    os.environ["TVM_NUM_THREADS"] = str(request["threads"])
    os.environ.setdefault("TVM_BIND_THREADS", "0")
    import tvm
    import tvm_graph
    import tvm_package
    import tvm_tuning

    tvm_package.linker()
    target = parse_target(request["target"], request["threads"])
    features = cpu_features(target)
    can_run = runs_here(features)
    if request["tune"] and not can_run:
        raise worker.WorkerError("unsupported", f'target "{request["target"]}": this machine cannot run its code, so it cannot measure it; set tuning to "off"')
    worker.progress(0, 0, "reading the model")
    module, inputs, names = read_model(request)
    module, integers = tvm_graph.prepare(module, target, dot_of(features))
    outputs = [(n, d, s) for n, (d, s) in zip(names, tvm_graph.result_specs(module))]
    started = time.monotonic()
    tuner = tvm_tuning.Tuner(target, machine_of(target, features, request["threads"]), request, worker.progress)
    plain = build(module, target, request["opt_level"]) if can_run else None
    scheduled = tvm.ir.IRModule(dict(module.functions.items()), attrs=module.attrs)
    records = tune_all(scheduled, tuner) if can_run else []
    took_s = time.monotonic() - started
    worker.progress(0, 0, "building")
    executable = build(scheduled, target, request["opt_level"])
    times = prove(plain, executable, inputs) if can_run else (0, 0)
    with tempfile.TemporaryDirectory() as folder:
        library = tvm_package.shared_object(executable, folder)
    tvm_package.write(library, describe(request, request["target"], features, inputs, outputs), request["output"], request["container"])
    return {"version": tvm.__version__, "notes": [*notes_of(tuner, records, times, took_s, request), *notes_on_integers(request, integers)]}


if __name__ == "__main__":
    worker.main(handle)
