#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that the tree keeps its own rules (CONTRIBUTING.md). Needs Python's standard library alone.

    check_tree.py [--check NAME]… ROOT [FILE…]

With FILEs (relative to ROOT) only these are looked at. Prints one line a problem, `file:line: what and what to do`.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

MAX_SOURCE_LINES = 800
MAX_FILE_BYTES = 1_000_000
MAX_DOC_LINES = {"CONTRIBUTING.md": 150, "README.md": 300, "docs/adr/": 80}

# Who may include whom. Dependencies go down only; a part not listed here must be added by hand.
DOWN = {
    "base": set(),
    "core": {"base"},
    "registry": {"core", "base"},
    "resource": {"base"},
    "evaluate": {"core", "base"},
    "measure": {"core", "base"},
    "io_spec": {"core", "base"},
    "transport": {"core", "base"},
    "wire": {"transport", "io_spec", "core", "base"},
    "scenario": {"registry", "core", "base"},
    "report": {"evaluate", "measure", "core", "base"},
    "blocks": {"transport", "toolchain", "resource", "measure", "io_spec", "registry", "core", "base"},
    "toolchain": {"core", "base"},
    "engines": {"toolchain", "io_spec", "registry", "core", "base"},
    "target": {"wire", "transport", "toolchain", "measure", "io_spec", "registry", "core", "base"},
    "app": {
        "wire", "transport", "toolchain", "scenario", "resource", "evaluate", "measure", "io_spec", "registry", "core",
        "base",
    },
    "cli": {
        "app", "target", "wire", "transport", "toolchain", "report", "scenario", "resource", "evaluate", "measure",
        "registry", "core", "base",
    },
}
# Folders that may use any part.
FREE = ("tests/", "benchmarks/")
# A library's headers and the only folders that include them.
OWNERS = {
    r"onnxruntime_": ("engines/onnxruntime/", "benchmarks/", "tests/fuzz/"),
    r"(.*/)?tflite_c_api\.h": ("engines/tflite/",),
    r"openvino/": ("engines/openvino/", "benchmarks/"),
    r"executorch/": ("engines/executorch/", "benchmarks/"),
    r"iree/": ("engines/iree/", "benchmarks/"),
    r"tvm/|dlpack/": ("engines/tvm/", "benchmarks/"),
    r"onnx/onnx\.pb\.h": ("engines/onnxruntime/", "engines/libtorch/", "benchmarks/", "tests/fuzz/"),
    r"torch/|ATen/|c10/|caffe2/": ("engines/libtorch/",),
    r"yaml-cpp/": ("src/scenario/",),
    r"CLI/": ("src/cli/", "target/"),
    r"spdlog/": ("src/base/",),
    r"openssl/": ("src/base/", "src/transport/"),
    r"libserialport\.h": ("src/transport/",),
    r"curl/": ("src/resource/",),
    r"archive(_entry)?\.h": ("src/resource/",),
    r"png\.h|jpeglib\.h|turbojpeg\.h": ("blocks/datasets/",),
}

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')
# Written so that this file does not match itself.
HOME_PATH = re.compile(r"(?<![\w.$}/-])/(?:ho" r"me|ro" r"ot|wo" r"rk|Us" r"ers)/\w")
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b")


class Tree:
    def __init__(self, root, files=None):
        self.root = Path(root)
        self.files = sorted(files if files else self._list())
        self._text = {}

    def _list(self):
        command = ["git", "-C", str(self.root), "ls-files", "-co", "--exclude-standard", "-z"]
        if (self.root / ".git").exists() and shutil.which("git"):
            found = subprocess.run(command, capture_output=True, text=True)
            if found.returncode == 0:
                return [f for f in set(found.stdout.split("\0")) if f and (self.root / f).is_file()]
        files = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = [f for f in folders if f not in ("build", ".git", "__pycache__")]
            files += [str(PurePosixPath(Path(folder, n).relative_to(self.root))) for n in names]
        return files

    def text(self, file):
        """The file's text, or None where it is not UTF-8 (a model, an image)."""
        if file not in self._text:
            data = (self.root / file).read_bytes()
            try:
                self._text[file] = None if b"\0" in data else data.decode()
            except UnicodeDecodeError:
                self._text[file] = None
        return self._text[file]

    def lines(self, file):
        return enumerate((self.text(file) or "").split("\n"), 1)

    def is_script(self, file):
        return (self.text(file) or "").startswith("#!")

    def is_cpp(self, file):
        return file.endswith((".cc", ".h"))

    def is_source(self, file):
        name = PurePosixPath(file).name
        return (
            self.is_cpp(file)
            or file.endswith((".py", ".cmake"))
            or name in ("CMakeLists.txt", "Makefile")
            or self.is_script(file)
        )

    def is_data(self, file):
        """Input of tests, which may be wrong on purpose."""
        return file.startswith(("tests/scenarios/", "tests/fuzz/corpus/")) or "/testdata/" in file


def part_of(file):
    """The layer a file belongs to and its own folder; (None, None) for what is in no layer."""
    pieces = file.split("/")
    if pieces[:2] == ["include", "kenning"] and len(pieces) > 3:
        return pieces[2], None
    if pieces[0] == "target" and len(pieces) > 1:
        return "target", None
    if pieces[0] == "src" and len(pieces) > 2:
        return pieces[1], None
    if pieces[0] in ("blocks", "engines") and len(pieces) > 2:
        return pieces[0], "/".join(pieces[:2])
    return None, None


def check_layers(tree):
    src = {p.name for p in (tree.root / "src").glob("*") if p.is_dir()}
    for file in filter(tree.is_cpp, tree.files):
        part, folder = part_of(file)
        if file.startswith(FREE):
            part = None
        elif part is None or part not in DOWN:
            yield file, 1, f"layer '{part}' is not known; add it to DOWN in tests/lint/check_tree.py"
            continue
        for number, line in tree.lines(file):
            match = INCLUDE.match(line)
            if not match:
                continue
            header = match.group(1)
            for pattern, owners in OWNERS.items():
                if re.match(pattern, header) and not file.startswith(owners):
                    yield file, number, f"{header} belongs to {', '.join(owners)} alone"
            if part is None:
                continue
            pieces = header.split("/")
            if pieces[0] == "kenning" and len(pieces) > 2:
                used = pieces[1]
            elif pieces[0] in src and len(pieces) > 1:
                used = pieces[0]
                if file.startswith("include/"):
                    yield file, number, f"a public header must not include {header} of src/"
            elif pieces[0] in ("blocks", "engines") and len(pieces) > 2:
                if folder != "/".join(pieces[:2]):
                    yield file, number, f"{header} is another block's or engine's own; move what both need to src/"
                continue
            else:
                continue
            if used != part and used not in DOWN[part]:
                yield file, number, f"{part} must not depend on {used} ({header}); dependencies go down only"


def check_licence(tree):
    for file in tree.files:
        if tree.is_data(file) or not tree.is_source(file):
            continue
        head = (tree.text(file) or "").split("\n")[:3]
        if not any("SPDX-License-Identifier: Apache-2.0" in line for line in head):
            yield file, 1, "no licence header; start with: SPDX-License-Identifier: Apache-2.0"
    licence = tree.root / "LICENSE"
    if not licence.is_file() or "Apache License" not in licence.read_text():
        yield "LICENSE", 1, "the Apache-2.0 licence text is missing"


def check_length(tree):
    for file in tree.files:
        text = tree.text(file)
        if text is None or tree.is_data(file):
            continue
        count = text.count("\n")
        if tree.is_source(file) and count > MAX_SOURCE_LINES:
            yield file, count, f"{count} lines, at most {MAX_SOURCE_LINES}; split it by responsibility"
        for name, limit in MAX_DOC_LINES.items():
            if (file == name or (name.endswith("/") and file.startswith(name))) and count > limit:
                yield file, count, f"{count} lines, at most {limit}; say less, or move a part to docs/"


def check_large(tree):
    for file in tree.files:
        size = (tree.root / file).stat().st_size
        if size > MAX_FILE_BYTES:
            yield file, 1, f"{size} bytes, at most {MAX_FILE_BYTES}; large data come by package or download"


def check_text(tree):
    for file in tree.files:
        text = tree.text(file)
        if not text or tree.is_data(file) or file == "LICENSE" or file.endswith(".svg"):
            continue
        for number, line in tree.lines(file):
            if line.endswith("\r"):
                yield file, number, "carriage return; use plain line feeds"
            elif line != line.rstrip():
                yield file, number, "trailing white space"
            if "\t" in line and tree.is_cpp(file):
                yield file, number, "tab; use spaces"
        if not text.endswith("\n"):
            yield file, text.count("\n") + 1, "no line feed at the end"


def check_paths(tree):
    for file in tree.files:
        for number, line in tree.lines(file):
            match = HOME_PATH.search(line)
            if match:
                yield file, number, f"{match.group(0)}…: a path of one machine; make it relative or a setting"


def check_unfinished(tree):
    for file in filter(tree.is_source, tree.files):
        for number, line in tree.lines(file):
            if UNFINISHED.search(line):
                yield file, number, "unfinished; finish it, or describe the limit in the documentation"


def check_tests_listed(tree):
    """A test beside its source that no CMakeLists.txt names would never run."""
    for file in tree.files:
        if not file.endswith("_test.cc"):
            continue
        folder = PurePosixPath(file).parent
        listed = ""
        for place in (folder, folder.parent):
            for lists in sorted((tree.root / place).glob("**/*")):
                if lists.name in ("CMakeLists.txt", "sources.cmake"):
                    listed += lists.read_text()
        if not re.search(rf"(?<![\w-]){re.escape(PurePosixPath(file).name)}\b", listed):
            yield file, 1, "not among the TESTS of its folder's CMakeLists.txt"
    for file in tree.files:
        if file.endswith(".h") and "#pragma once" not in (tree.text(file) or ""):
            yield file, 1, "no #pragma once"


def check_links(tree):
    link = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
    for file in tree.files:
        if not file.endswith(".md") or tree.is_data(file):
            continue
        fenced = False
        for number, line in tree.lines(file):
            fenced ^= line.lstrip().startswith("```")
            if fenced:
                continue
            for target in link.findall(re.sub(r"`[^`]*`", "", line)):
                if re.match(r"[a-z]+:", target):
                    continue
                if not (tree.root / PurePosixPath(file).parent / target).exists():
                    yield file, number, f"link to {target}, which does not exist"


def find_version(tree, file, pattern):
    path = tree.root / file
    match = re.search(pattern, path.read_text(), re.MULTILINE) if path.is_file() else None
    return match.group(1) if match else None


def check_versions(tree):
    facts = {
        "version": [
            ("CMakeLists.txt", r"project\(kenning VERSION ([\d.]+)"),
            ("CHANGELOG.md", r"^## \[([\d.]+)\]"),
        ],
        "ONNX Runtime": [
            ("engines/onnxruntime/deps.sh", r"^ORT_VERSION=([\d.]+)"),
            ("cmake/OnnxRuntime.cmake", r"/onnxruntime-([\d.]+\d)"),
            ("engines/onnxruntime/README.md", r"ONNX Runtime (\d+\.\d+\.\d+)"),
        ],
    }
    for name, places in facts.items():
        found = {file: find_version(tree, file, pattern) for file, pattern in places}
        if len(set(found.values())) != 1 or None in found.values():
            yield places[0][0], 1, f"{name} differs or is missing: {found}"


def check_shell(tree):
    scripts = [f for f in tree.files if re.match(r"#!.*\b(ba)?sh\b", (tree.text(f) or "").split("\n")[0])]
    for file in scripts:
        if not os.access(tree.root / file, os.X_OK):
            yield file, 1, "a script that cannot be run; chmod +x"
    if scripts and shutil.which("shellcheck"):
        command = ["shellcheck", "--format=gcc", *scripts]
        for line in subprocess.run(command, cwd=tree.root, capture_output=True, text=True).stdout.splitlines():
            match = re.match(r"([^:]+):(\d+):\d+: (.*)", line)
            if match:
                yield match.group(1), int(match.group(2)), match.group(3)


CHECKS = {
    name.removeprefix("check_"): function
    for name, function in sorted(globals().items())
    if name.startswith("check_")
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root")
    parser.add_argument("files", nargs="*")
    parser.add_argument("--check", action="append", choices=sorted(CHECKS), help="only this one; may be repeated")
    arguments = parser.parse_args()
    tree = Tree(arguments.root, arguments.files)
    if not tree.files:
        sys.exit(f"{arguments.root}: no files")
    problems = 0
    for name in arguments.check or CHECKS:
        for file, line, what in CHECKS[name](tree):
            problems += 1
            print(f"{file}:{line}: {what} [{name}]")
    if problems:
        sys.exit(f"{problems} problems")


if __name__ == "__main__":
    main()
