# SPDX-License-Identifier: Apache-2.0
"""ONNX to a module of IREE, with the IO specification inside, and outputs to compare it with."""

import json
import os
import re
import signal
import subprocess
import sys

import depthwise
import kenning_worker as worker

REFERENCE_SECONDS = 60
# Element types of torch tensors in the imported text, in NumPy's spelling.
TYPES = {
    "f32": "float32", "f64": "float64", "f16": "float16", "bf16": "bfloat16", "i1": "bool",
    "si8": "int8", "ui8": "uint8", "si16": "int16", "ui16": "uint16",
    "si32": "int32", "ui32": "uint32", "si64": "int64", "ui64": "uint64",
}  # fmt: skip
FUNCTION = re.compile(r"^\s*func\.func @(?:[\w.$-]+|\"[^\"]*\")\((.*?)\) -> (.*?) attributes \{", re.M)
TENSOR = re.compile(r"!torch\.vtensor<\[([-\d?,]*)\],(\w+)>")


def tool(folder, *command):
    """Runs a tool of the toolchain in `folder`; gives its error text, empty where it succeeded."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    sys.stderr.write(done.stderr)
    if done.returncode == 0:
        return ""
    if done.returncode < 0:
        return f"{os.path.basename(command[0])} crashed with signal {-done.returncode}"
    lines = [line for line in done.stderr.splitlines() if "error:" in line or "Error:" in line]
    return "\n".join(line[:400] for line in (lines or done.stderr.splitlines()[-3:])[:3]) or "no message"


def tensors(text):
    """[(dtype, shape)] of the tensor types in a piece of the function's head."""
    found = []
    for dims, element in TENSOR.findall(text):
        shape = [-1 if dim == "?" else int(dim) for dim in dims.split(",") if dim]
        found.append((TYPES.get(element, element), shape))
    return found


def check(kind, got, want):
    """The module must take what the specification says, or the specification would lie."""
    named = [(tensor["dtype"], list(tensor["shape"])) for tensor in want]
    named = [({"float": "float32"}.get(dtype, dtype), shape) for dtype, shape in named]
    same = len(named) == len(got) and all(
        a[0] == b[0] and len(a[1]) == len(b[1]) and all(x == y or -1 in (x, y) for x, y in zip(a[1], b[1]))
        for a, b in zip(named, got)
    )
    if not same:
        raise worker.WorkerError("invalid-model", f"the model's {kind} are {got}, its IO specification says {named}")


def fix_batch(model, size):
    """Gives the first dimension of every input a size where it has none; the rest is inferred anew."""
    import onnx

    constants = {tensor.name for tensor in model.graph.initializer}
    fixed = False
    for value in model.graph.input:
        dims = value.type.tensor_type.shape.dim
        if value.name not in constants and dims and not dims[0].dim_value:
            dims[0].dim_value = size
            fixed = True
    if not fixed:
        return model
    del model.graph.value_info[:]
    for value in model.graph.output:
        for dim in value.type.tensor_type.shape.dim:
            if not dim.dim_value:
                dim.Clear()
    return onnx.shape_inference.infer_shapes(model)


def prepare(request):
    """The model to import: itself, or a copy with a fixed batch, which the compiler does far better on."""
    import onnx

    model = onnx.load(request["model"], load_external_data=False)
    external = any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer)
    if not request["batch_size"] or external:
        return request["model"]
    path = os.path.join(request["folder"], "model.onnx")
    onnx.save(fix_batch(model, request["batch_size"]), path)
    return path


def embed(mlir, spec):
    """Puts the specification, with the sizes that are now known, into the attributes of the module's function."""
    with open(mlir, encoding="utf-8") as file:
        text = file.read()
    head = FUNCTION.search(text)
    if head is None:
        raise worker.WorkerError("unsupported", "the imported model has no function with tensors as inputs and outputs")
    for kind, part in (("input", head.group(1)), ("output", head.group(2))):
        check(kind + "s", tensors(part), spec[kind])
        for tensor, (_, shape) in zip(spec[kind], tensors(part)):
            tensor["shape"] = [known if known > 0 else got for known, got in zip(tensor["shape"], shape)]
    text_of_spec = json.dumps(spec, ensure_ascii=False)
    escaped = "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\{b:02X}" for b in text_of_spec.encode())
    attribute = f'iree.reflection = {{"kenning.io" = "{escaped}"}}, '
    with open(mlir, "w", encoding="utf-8") as file:
        file.write(text[: head.end()] + attribute + text[head.end() :])


CHANNELS_LAST = (
    "--iree-preprocessing-pass-pipeline="
    "builtin.module(util.func(iree-preprocessing-convert-conv-to-channels-last))"
)  # fmt: skip


def compiler_options(request, channels_last):
    options = [
        "--iree-hal-target-device=local",
        f"--iree-hal-local-target-device-backends={request['backend']}",
        f"--iree-opt-level={request['opt_level']}",
        f"--iree-opt-data-tiling={'true' if request['data_tiling'] else 'false'}",
    ]
    if request["backend"] == "llvm-cpu":
        options += [
            f"--iree-llvmcpu-target-cpu={request['target_cpu']}",
            # Quantised layers need more than the default of 32 kB; IREE's threads have 128 kB.
            "--iree-llvmcpu-stack-allocation-limit=65536",
        ]
        if request["target_cpu_features"]:
            options.append(f"--iree-llvmcpu-target-cpu-features={request['target_cpu_features']}")
    if channels_last:
        options.append(CHANNELS_LAST)
    # An option may be given once only.
    own = [arg.lstrip("-").split("=")[0] for arg in request["compiler_args"]]
    return [o for o in options if o.lstrip("-").split("=")[0] not in own] + request["compiler_args"]


def compile_module(request, binaries, model, channels_last):
    """Writes the module; returns what iree-compile complains of, or nothing."""
    folder = request["folder"]
    compiler = os.path.join(binaries, "iree-compile")
    options = compiler_options(request, channels_last)
    # Names without folders: they go into the module, and the same model must give the same module.
    grouped = any(
        attribute.name == "group" and attribute.i > 1 for node in model.graph.node for attribute in node.attribute
    )
    if not channels_last or not grouped:
        return tool(folder, compiler, "model.mlir", *options, "-o", request["output"])
    error = tool(folder, compiler, "model.mlir", *options, "--compile-to=preprocessing", "-o", "preprocessed.mlir")
    if error:
        return error
    path = os.path.join(folder, "preprocessed.mlir")
    with open(path, encoding="utf-8") as file:
        text, _ = depthwise.channels_last(file.read())
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return tool(
        folder, compiler, "preprocessed.mlir", *options, "--compile-from=preprocessing", "-o", request["output"]
    )


def quantised(model):
    return any("Quant" in node.op_type or "Integer" in node.op_type for node in model.graph.node)


class TooSlow(Exception):
    pass


def too_slow(_signal, _frame):
    raise TooSlow


def reference(model, folder):
    """Writes inputs and outputs of the ONNX project's own evaluator; returns why not, or nothing."""
    import numpy
    import onnx
    import onnx.version_converter
    from onnx.reference import ReferenceEvaluator

    random = numpy.random.default_rng(7)
    constants = {tensor.name for tensor in model.graph.initializer}
    feeds = {}
    for value in model.graph.input:
        if value.name in constants:
            continue
        kind = value.type.tensor_type
        shape = [dim.dim_value or 1 for dim in kind.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        if numpy.issubdtype(dtype, numpy.floating):
            array = random.uniform(-1, 1, shape).astype(dtype)
        elif dtype in (numpy.int8, numpy.uint8):
            info = numpy.iinfo(dtype)
            array = random.integers(info.min, info.max + 1, shape).astype(dtype)
        else:
            array = numpy.zeros(shape, dtype)
        array.tofile(os.path.join(folder, f"input{len(feeds)}.bin"))
        feeds[value.name] = array
    signal.signal(signal.SIGALRM, too_slow)
    signal.alarm(REFERENCE_SECONDS)
    try:
        # The evaluator has quantised operators in their newer form only.
        opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
        if quantised(model) and opset < 21:
            model = onnx.version_converter.convert_version(model, 21)
        with numpy.errstate(all="ignore"):
            outputs = ReferenceEvaluator(model).run(None, feeds)
    except TooSlow:
        return f"the reference implementation took more than {REFERENCE_SECONDS} s"
    except Exception as error:
        return f"the reference implementation failed: {type(error).__name__}: {error}"[:300]
    finally:
        signal.alarm(0)
    for number, array in enumerate(outputs):
        numpy.ascontiguousarray(array).tofile(os.path.join(folder, f"output{number}.bin"))
    return ""


def handle(request):
    import importlib.metadata

    import onnx

    folder = request["folder"]
    steps = 3 if request["reference"] else 2
    binaries = os.path.dirname(sys.executable)
    mlir = os.path.join(folder, "model.mlir")
    worker.progress(0, steps, "importing")
    path = prepare(request)
    error = tool(folder, os.path.join(binaries, "iree-import-onnx"), path, "-o", mlir)
    if error:
        raise worker.WorkerError("unsupported", f"the model cannot be imported: {error}")
    embed(mlir, json.loads(request["io_spec"]))
    worker.progress(1, steps, "compiling")
    model = onnx.load(path, load_external_data=False)
    layout = request["conv_layout"]
    channels_last = layout == "channels_last" or (layout == "auto" and not quantised(model))
    error = compile_module(request, binaries, model, channels_last)
    if error and channels_last and layout == "auto":
        channels_last = False
        error = compile_module(request, binaries, model, channels_last)
    if error:
        raise worker.WorkerError("unsupported", f"iree-compile: {error}")
    result = {
        "version": importlib.metadata.version("iree-base-compiler"),
        "channels_last": channels_last,
        "quantised": quantised(model),
        "reference": False,
    }
    if request["reference"]:
        worker.progress(2, steps, "computing a reference")
        model = onnx.load(path)
        why = reference(model, folder)
        result["reference"] = not why
        result["no_reference"] = why
    worker.progress(steps, steps)
    return result


worker.main(handle)
