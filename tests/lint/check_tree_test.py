#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every check finds its fault, and says nothing of a good tree."""

import tempfile
import unittest
from pathlib import Path

import check_tree

SPDX = "// SPDX-License-Identifier: Apache-2.0\n"
GOOD = {
    "LICENSE": "Apache License\n",
    "CMakeLists.txt": "# SPDX-License-Identifier: Apache-2.0\nproject(kenning VERSION 1.2.3)\n",
    "CHANGELOG.md": "## [1.2.3]\n",
    "scripts/fetch-deps": "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n",
    "engines/onnxruntime/deps.sh": "# SPDX-License-Identifier: Apache-2.0\nORT_VERSION=1.31.1\n",
    "cmake/OnnxRuntime.cmake": '# SPDX-License-Identifier: Apache-2.0\nset(r "${D}/onnxruntime-1.31.1")\n',
    "engines/onnxruntime/README.md": "ONNX Runtime 1.31.1\n",
    "src/report/report.h": SPDX + '#pragma once\n#include "kenning/core/tensor.h"\n',
    "src/base/file.cc": SPDX + '#include <spdlog/spdlog.h>\n#include "kenning/base/file.h"\n',
    "src/base/file_test.cc": SPDX,
    "src/base/CMakeLists.txt": "# SPDX-License-Identifier: Apache-2.0\nTESTS file_test.cc\n",
    "engines/null/module.cc": SPDX + '#include "null_runtime.h"\n',
    "engines/onnxruntime/ort_api.cc": SPDX + "#include <onnxruntime_cxx_api.h>\n",
    "docs/index.md": "[the sources](../src/base/file.cc), `[not](a-link)`\n",
}
# check: (file, its text, a part of the message)
BAD = {
    "layers": [
        ("src/base/up.cc", SPDX + '#include "kenning/core/tensor.h"\n', "base must not depend on core"),
        ("src/report/up.cc", SPDX + '#include "kenning/registry/registry.h"\n', "report must not depend on registry"),
        ("include/kenning/core/up.h", SPDX + '#pragma once\n#include "report/report.h"\n', "public header"),
        ("engines/null/sdk.cc", SPDX + "#include <onnxruntime_c_api.h>\n", "engines/onnxruntime/"),
        ("engines/null/other.cc", SPDX + '#include "engines/onnxruntime/ort_api.h"\n', "another"),
        ("src/novel/a.cc", SPDX, "'novel' is not known"),
    ],
    "licence": [("src/base/bare.cc", "int x;\n", "no licence header")],
    "length": [
        ("src/base/long.cc", SPDX + "int x;\n" * 800, "801 lines"),
        ("CONTRIBUTING.md", "text\n" * 151, "151 lines"),
    ],
    "large": [("data.bin", "x" * 1_000_001, "1000001 bytes")],
    "text": [
        ("a.md", "end \n", "trailing white space"),
        ("b.md", "end", "no line feed"),
        ("src/base/tab.cc", SPDX + "\tint x;\n", "tab"),
        ("c.md", "end\r\n", "carriage return"),
    ],
    "paths": [("a.md", "see /ho" + "me/me/x\n", "a path of one machine")],
    "unfinished": [("src/base/half.cc", SPDX + "// TO" + "DO\n", "unfinished")],
    "tests_listed": [
        ("src/base/lost_test.cc", SPDX, "not among the TESTS"),
        ("src/base/once.h", SPDX, "no #pragma once"),
    ],
    "links": [("docs/bad.md", "[x](nowhere.md)\n", "nowhere.md")],
    "versions": [("CHANGELOG.md", "## [1.2.4]\n", "version differs")],
    "shell": [("scripts/dead", "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n", "chmod +x")],
}


def make_tree(folder, files):
    for name, text in files.items():
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, newline="")
        if name == "scripts/fetch-deps":
            path.chmod(0o755)
    return check_tree.Tree(folder)


class CheckTreeTest(unittest.TestCase):
    def test_every_check_is_tested(self):
        self.assertEqual(set(BAD), set(check_tree.CHECKS))

    def test_good_tree_passes(self):
        with tempfile.TemporaryDirectory() as folder:
            tree = make_tree(folder, GOOD)
            for name, check in check_tree.CHECKS.items():
                self.assertEqual(list(check(tree)), [], name)

    def test_faults_are_found(self):
        for name, cases in BAD.items():
            for file, text, message in cases:
                with self.subTest(check=name, file=file), tempfile.TemporaryDirectory() as folder:
                    problems = list(check_tree.CHECKS[name](make_tree(folder, GOOD | {file: text})))
                    self.assertTrue(any(message in p[2] for p in problems), problems)


if __name__ == "__main__":
    unittest.main()
