#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs what README.md tells its readers to run. Needs Python's standard library alone.

    check_readme.py --kenning PROGRAM ROOT

Every command of a ```sh block of README.md is run in a temporary folder that looks like the source tree after
`make demo`: `resources` and `build/release/bin` are links, everything else is new. It must end with 0, or with N
where its line ends in `# exit N`. A ```text block after `<!-- output -->` is compared with what the ```sh block before
it printed: each line must begin as a line of the output does, up to the first number, colon, wide gap or "…".

`make`, `cmake`, `ctest` and scripts are not run: the targets, presets, options and files that they name must exist.
Of `make demo` the lines of its recipe that call kenning are run. The same names are checked in the commands of
CONTRIBUTING.md and docs/. A block after `<!-- not run: reason -->` is left alone. Every class that `kenning list`
shows must be in README.md.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

RELEASE = "build/release/bin"
COMMAND_SECONDS = 60
DATA = Path("/usr/share/datasets/fashion-mnist")
SKIPPED = 77
NOT_RUN = re.compile(r"<!-- not run: \S.* -->")
EXIT = re.compile(r"\s*# exit (\d+)\s*$")
BUILD_TOOLS = re.compile(r"(?:make|cmake|ctest|scripts/[\w-]+)(?=\s|$)")


@dataclass
class Block:
    language: str
    line: int  # Of the first line inside.
    note: str  # The HTML comment right before it.
    lines: list = field(default_factory=list)


def fenced_blocks(text):
    """The ``` blocks of a Markdown text, and the text's other lines as (number, line)."""
    blocks, rest, block, before = [], [], None, ""
    for number, line in enumerate(text.split("\n"), 1):
        if block is not None:
            if line.strip() == "```":
                blocks.append(block)
                block, before = None, ""
            else:
                block.lines.append(line)
        elif line.startswith("```"):
            block = Block(line[3:].strip(), number + 1, before if before.startswith("<!--") else "")
        else:
            rest.append((number, line))
            before = line.strip() or before
    if block is not None:
        raise SystemExit(f"line {block.line - 1}: a block without an end")
    return blocks, rest


def commands(block):
    """The commands of a block as (line number, text): continued lines and here-documents are one."""
    pending, start = "", 0
    for number, line in enumerate(block.lines, block.line):
        if not pending and (not line.strip() or line.lstrip().startswith("#")):
            continue
        start = start if pending else number
        pending += line + "\n"
        if line.endswith("\\"):
            continue
        check = subprocess.run(["bash", "-n", "-c", pending], capture_output=True, text=True)
        if check.returncode == 0 and not check.stderr:
            yield start, pending.rstrip("\n")
            pending = ""
    if pending:
        yield start, pending.rstrip("\n")


def label(line):
    return re.split(r"\s{2,}|[\d:…(]", line.strip(), maxsplit=1)[0].strip()


class Names:
    """What the build's own files define."""

    def __init__(self, root):
        self.root = root
        makefile = (root / "Makefile").read_text()
        self.targets = set(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE))
        self.variables = set(re.findall(r"^(?:export )?([A-Z_]+) *[:?]?=", makefile, re.MULTILINE))
        presets = json.loads((root / "CMakePresets.json").read_text())
        self.presets = {
            kind: {p["name"] for p in presets.get(f"{kind}Presets", []) if not p.get("hidden")}
            for kind in ("configure", "build", "test")
        }
        lists = [root / "CMakeLists.txt", *root.glob("cmake/*.cmake"), *root.glob("tests/**/CMakeLists.txt")]
        self.cmake = "\n".join(path.read_text() for path in lists if path.is_file())

    def problems(self, command):
        """What a build command names that does not exist."""
        words = shlex.split(command, comments=True)
        if words[0] == "make":
            yield from self._make(words[1:])
        elif words[0] in ("cmake", "ctest"):
            yield from self._cmake(words)
        else:
            yield from self._script(words)

    def _make(self, words):
        for word in words:
            name = word.partition("=")[0]
            if "=" in word and name not in self.variables:
                yield f"the Makefile has no variable {name}"
            elif "=" not in word and not word.startswith("-") and word not in self.targets:
                yield f"the Makefile has no target {word}"

    def _cmake(self, words):
        kind = "test" if words[0] == "ctest" else "build" if "--build" in words else "configure"
        for word, value in zip(words, words[1:] + [""]):
            if word == "--preset" and value not in self.presets[kind]:
                yield f"CMakePresets.json has no {kind} preset {value}"
            elif word == "--install" and Path(value).name not in self.presets["configure"]:
                yield f"{value} is the folder of no preset"
            elif word == "-L" and not re.search(rf"(LABELS|labels) [^)]*\b{re.escape(value)}\b", self.cmake):
                yield f"no test has the label {value}"
            elif re.match(r"-DKENNING_", word) and word[2:].partition("=")[0] not in self.cmake:
                yield f"the CMake files do not know {word[2:].partition('=')[0]}"

    def _script(self, words):
        path = self.root / words[0]
        if not os.access(path, os.X_OK):
            yield f"there is no script {words[0]}"
            return
        for word in words[1:]:
            if word.startswith("--") and word not in path.read_text():
                yield f"{words[0]} has no option {word}"


class Checker:
    def __init__(self, root, kenning):
        self.root = root.resolve()
        self.kenning = kenning.resolve()
        self.names = Names(self.root)
        self.problems = []
        self.run_count = 0
        self.output = ""

    def fail(self, file, line, what):
        self.problems.append(f"{file}:{line}: {what}")

    def check_readme(self):
        blocks, rest = fenced_blocks((self.root / "README.md").read_text())
        with tempfile.TemporaryDirectory(prefix="kenning-readme-") as folder:
            self._prepare(Path(folder))
            for block in blocks:
                if NOT_RUN.fullmatch(block.note):
                    continue
                if block.language == "sh":
                    self.output = ""
                    for line, command in commands(block):
                        self._command(line, command)
                elif block.language == "text" and block.note == "<!-- output -->":
                    self._compare(block)
            self._blocks_named()
        self._inline("README.md", rest)

    def check_names(self, file):
        """Build commands in another document, in ``` blocks or indented ones."""
        blocks, rest = fenced_blocks((self.root / file).read_text())
        indented = [(number, line[4:]) for number, line in rest if line.startswith("    ")]
        fenced = [one for block in blocks if block.language == "sh" for one in commands(block)]
        for line, command in indented + fenced:
            if BUILD_TOOLS.match(command):
                self._names(file, line, command)
        self._inline(file, rest)

    def _inline(self, file, lines):
        for number, line in lines:
            for target in re.findall(r"`(make [a-z-]+)`", line):
                self._names(file, number, target)

    def _names(self, file, line, command):
        for what in self.names.problems(command):
            self.fail(file, line, what)

    def _prepare(self, folder):
        self.folder = folder / "kenning"
        (self.folder / RELEASE).parent.mkdir(parents=True)
        (self.folder / RELEASE).symlink_to(self.kenning.parent)
        (self.folder / "resources").symlink_to(self.root / "resources")
        drop = re.compile(r"KENNING_|XDG_|MAKE|MFLAGS")
        self.environment = {k: v for k, v in os.environ.items() if not drop.match(k)}
        self.environment.update(
            HOME=str(folder), PATH=f"{self.folder / RELEASE}:{os.environ.get('PATH', '')}", LC_ALL="C.UTF-8"
        )

    def _command(self, line, text):
        expected = int(match.group(1)) if (match := EXIT.search(text)) else 0
        text = EXIT.sub("", text)
        if re.match(r"(sudo|git) ", text):
            return
        if BUILD_TOOLS.match(text):
            self._names("README.md", line, text)
            if re.match(r"make demo\b", text):
                self._demo(line)
            return
        if match := re.fullmatch(r"source <\((.*)\)(?:\s+#.*)?", text):
            text = match.group(1)
        self._run(line, text, expected)

    def _demo(self, line):
        recipe = subprocess.run(
            ["make", "-n", "demo"], cwd=self.root, env=self.environment, capture_output=True, text=True
        )
        calls = [c for c in recipe.stdout.splitlines() if c.startswith((f"{RELEASE}/kenning ", "mkdir "))]
        if recipe.returncode != 0 or not any("kenning" in call for call in calls):
            self.fail("README.md", line, f"make -n demo shows no call of {RELEASE}/kenning: {recipe.stderr}")
        for call in calls:
            self._run(line, call, 0)

    def _run(self, line, text, expected):
        self.run_count += 1
        shown = text.split("\n")[0]
        try:
            done = subprocess.run(
                ["bash", "-c", text], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=COMMAND_SECONDS,
            )
        except subprocess.TimeoutExpired:
            self.fail("README.md", line, f"{shown}: not done after {COMMAND_SECONDS} s")
            return
        self.output += done.stdout
        if done.returncode != expected:
            self.fail("README.md", line, f"{shown}: exit code {done.returncode}, expected {expected}\n{done.stdout}")

    def _blocks_named(self):
        self.output = ""
        self._run(1, "kenning list", 0)
        readme = (self.root / "README.md").read_text()
        for name in re.findall(r"^  (\w+) ", self.output, re.MULTILINE):
            if f"`{name}`" not in readme:
                self.fail("README.md", 1, f"the class {name} of kenning list is not named")

    def _compare(self, block):
        seen = {label(line) for line in self.output.splitlines()}
        for number, line in enumerate(block.lines, block.line):
            want = label(line)
            if want and want not in seen and not any(one.startswith(want) for one in seen):
                self.fail("README.md", number, f'no line of the output begins with "{want}"')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kenning", required=True, type=Path)
    parser.add_argument("root", type=Path)
    arguments = parser.parse_args()
    checker = Checker(arguments.root, arguments.kenning)
    documents = [arguments.root / "CONTRIBUTING.md", *sorted((arguments.root / "docs").rglob("*.md"))]
    for document in documents:
        if document.is_file():
            checker.check_names(document.relative_to(arguments.root))
    if "FashionMNIST" in (arguments.root / "README.md").read_text() and not DATA.is_dir():
        print("\n".join(checker.problems + [f"skipped: {DATA} is not there; scripts/setup installs it"]))
        sys.exit(1 if checker.problems else SKIPPED)
    checker.check_readme()
    print("\n".join(checker.problems + [f"{checker.run_count} commands were run"]))
    sys.exit(1 if checker.problems else 0)


if __name__ == "__main__":
    main()
