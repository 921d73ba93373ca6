#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Wrong commands, names and outputs are found; a good README passes."""

import json
import tempfile
import unittest
from pathlib import Path

import check_readme

KENNING = """#!/bin/sh
case $1 in
  list) printf 'runtimes:\\n  FastRuntime      Fast.\\n' ;;
  fail) exit 3 ;;
  *) echo "took 7 ms, $*"; echo "accuracy   93 %" ;;
esac
"""
MAKEFILE = "SECONDS ?= 1\ndemo:\n\tbuild/release/bin/kenning demo\ntest:\n\ttrue\n"
PRESETS = {
    "configurePresets": [{"name": "base", "hidden": True}, {"name": "dev"}],
    "buildPresets": [{"name": "dev"}],
    "testPresets": [{"name": "dev"}],
}
GOOD = """`FastRuntime` by `make test`.

```sh
make demo SECONDS=3  # a remark
cmake --preset dev
kenning a \\
  b
cat > here <<'END'
text
END
test -f here
source <(kenning completion bash)  # a remark
kenning fail  # exit 3
```

<!-- output -->
```text
took 123 s
…
accuracy   1 %
```

<!-- not run: it needs a device -->
```sh
no-such-command
```
"""


class CheckReadme(unittest.TestCase):
    def problems(self, readme, document=""):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "bin").mkdir()
            (root / "resources").mkdir()
            (root / "bin/kenning").write_text(KENNING)
            (root / "bin/kenning").chmod(0o755)
            (root / "Makefile").write_text(MAKEFILE)
            (root / "CMakePresets.json").write_text(json.dumps(PRESETS))
            (root / "README.md").write_text(readme)
            (root / "CONTRIBUTING.md").write_text(document)
            checker = check_readme.Checker(root, root / "bin/kenning")
            checker.check_names("CONTRIBUTING.md")
            checker.check_readme()
            return "\n".join(checker.problems)

    def with_command(self, command):
        return self.problems(GOOD + f"\n```sh\n{command}\n```\n")

    def test_good(self):
        self.assertEqual(self.problems(GOOD, "Text:\n\n    make test\n    not a command\n"), "")

    def test_exit_codes(self):
        self.assertIn("exit code 3, expected 0", self.with_command("kenning fail"))
        self.assertIn("exit code 0, expected 2", self.with_command("kenning list  # exit 2"))
        self.assertIn("exit code 3, expected 0", self.with_command("source <(kenning fail)  # a remark"))
        self.assertIn("exit code 127", self.with_command("no-such-command"))

    def test_names(self):
        for command, what in (
            ("make tests", "no target tests"),
            ("make demo FAST=1", "no variable FAST"),
            ("cmake --preset base", "no configure preset base"),
            ("cmake --build --preset rel", "no build preset rel"),
            ("ctest --preset ci", "no test preset ci"),
            ("cmake --preset dev -DKENNING_FAST=ON", "do not know KENNING_FAST"),
            ("scripts/absent --all", "no script scripts/absent"),
        ):
            self.assertIn(what, self.with_command(command))
            self.assertIn("CONTRIBUTING.md:3: ", self.problems(GOOD, f"Text:\n\n    {command}\n"))
        self.assertIn("CONTRIBUTING.md:1: ", self.problems(GOOD, "Use `make all`.\n"))

    def test_output(self):
        self.assertIn('begins with "accurate"', self.problems(GOOD.replace("accuracy", "accurate")))

    def test_blocks(self):
        self.assertIn("FastRuntime", self.problems(GOOD.replace("`FastRuntime`", "It")))

    def test_no_end(self):
        with self.assertRaises(SystemExit):
            self.problems(GOOD + "```sh\nls\n")


if __name__ == "__main__":
    unittest.main()
