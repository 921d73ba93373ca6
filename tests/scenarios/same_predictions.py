# SPDX-License-Identifier: Apache-2.0
"""Compares measurement files sample by sample: same_predictions.py FIRST OTHER…"""

import json
import sys

files = [json.load(open(name)) for name in sys.argv[1:]]
first = files[0]["kenning_cpp"]["evaluation"]
for name, file in zip(sys.argv[2:], files[1:]):
    other = file["kenning_cpp"]["evaluation"]
    assert other["ids"] == first["ids"], f"{name}: other samples"
    assert file["eval_confusion_matrix"] == files[0]["eval_confusion_matrix"], f"{name}: another matrix"
    different = sum(a != b for a, b in zip(first["predicted"], other["predicted"]))
    assert different == 0, f"{name}: {different} predictions differ"
    print(f"{name}: the same {len(other['predicted'])} predictions")
