# SPDX-License-Identifier: Apache-2.0
"""Write synthetic images in the layout of the Oxford-IIIT Pet data set, for measuring.

There are 37 classes, as in the original: 12 of species 1 and 25 of species 2. A class is a pattern
(stripes, checks, dots, rings, …) in two colours; its measures scatter so widely that neighbouring
classes overlap, and a good network errs on some. Nothing of the original data set is in it.

    images/<class>_<number>.jpg
    annotations/list.txt      <class>_<number> <class id> <species> <number within the species>
    annotations/trainval.txt  the same, of the images to train with
    annotations/test.txt      the same, of the images to test with

The same arguments give the same files.
"""

from __future__ import annotations

import argparse
import colorsys
from pathlib import Path

import numpy as np
from PIL import Image

CATS = 12
CLASSES = 37
PATTERNS = ("stripes", "checks", "dots", "rings", "waves", "bricks", "zigzag")


def class_name(number: int) -> str:
    """Name class 0..36; species 1 has a capital, as the cats of the original have."""
    word = PATTERNS[number % len(PATTERNS)]
    return f"{word.capitalize() if number < CATS else word}{number:02d}"


def field(pattern: str, x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the pattern as numbers of about -1..1; one unit of ``x`` and ``y`` is one period."""
    turn = 2 * np.pi
    if pattern == "stripes":
        return np.sin(turn * x)
    if pattern == "checks":
        return np.sign(np.sin(turn * x) * np.sin(turn * y))
    if pattern == "dots":
        return np.sin(turn * x) + np.sin(turn * y) - 0.5
    if pattern == "rings":
        centre = rng.uniform(-1, 1, 2)
        return np.sin(turn * np.hypot(x - centre[0], y - centre[1]))
    if pattern == "waves":
        return np.sin(turn * (x + 0.35 * np.sin(turn * y / 2)))
    if pattern == "bricks":
        row = np.floor(y)
        return np.minimum((x + 0.5 * (row % 2)) % 1.0, y % 1.0) * 8 - 1
    return np.sin(turn * (x + 0.5 * np.abs((y % 1.0) * 2 - 1)))


def make_image(number: int, rng: np.random.Generator) -> Image.Image:
    """Draw one image of a class."""
    height, width = (int(side) for side in rng.integers(180, 300, 2))
    level = number // len(PATTERNS)
    periods = 3.0 * 1.4**level * np.exp(rng.normal(0, 0.08))
    angle = rng.normal(0.5 * level, 0.2)
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    across = (np.cos(angle) * x + np.sin(angle) * y) * periods
    along = (np.cos(angle) * y - np.sin(angle) * x) * periods
    across += rng.uniform(0, 1) + 0.1 * np.sin(3 * along + rng.uniform(0, 6))
    mix = 1 / (1 + np.exp(-4 * field(PATTERNS[number % len(PATTERNS)], across, along, rng)))
    hue = (0.618 * number + rng.normal(0, 0.06)) % 1
    ink = colorsys.hsv_to_rgb(hue, rng.uniform(0.35, 0.9), rng.uniform(0.35, 0.9))
    paper = colorsys.hsv_to_rgb((hue + rng.normal(0.35, 0.1)) % 1, rng.uniform(0.1, 0.6), 0.85)
    pixels = mix[..., None] * np.array(ink) + (1 - mix[..., None]) * np.array(paper)
    pixels *= 1 - 0.35 * rng.uniform() * np.hypot(x, y)[..., None]
    for _ in range(int(rng.integers(0, 3))):
        top, left = rng.integers(0, height), rng.integers(0, width)
        tall, wide = rng.integers(20, 110, 2)
        pixels[top : top + tall, left : left + wide] = rng.uniform(0, 1, 3)
    pixels += rng.normal(0, rng.uniform(0.02, 0.12), pixels.shape)
    return Image.fromarray(np.clip(np.rint(pixels * 255), 0, 255).astype(np.uint8))


def write_data(folder: Path, train: int, test: int, seed: int) -> None:
    """Write ``train`` and ``test`` images a class, and the lists."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "annotations").mkdir(exist_ok=True)
    lists: dict[str, list[str]] = {"trainval": [], "test": []}
    for number in range(CLASSES):
        species = 1 if number < CATS else 2
        breed = number + 1 if species == 1 else number + 1 - CATS
        for index in range(train + test):
            # A seed for each image: one does not depend on how many others there are.
            rng = np.random.default_rng([seed, number, index])
            name = f"{class_name(number)}_{index + 1}"
            make_image(number, rng).save(folder / "images" / f"{name}.jpg", quality=88)
            part = "trainval" if index < train else "test"
            lists[part].append(f"{name} {number + 1} {species} {breed}")
    title = "#Image CLASS-ID SPECIES BREED ID"
    for part, lines in lists.items():
        (folder / "annotations" / f"{part}.txt").write_text("\n".join(lines) + "\n")
    whole = sorted(lists["trainval"] + lists["test"])
    (folder / "annotations" / "list.txt").write_text("\n".join([title, *whole]) + "\n")


def main() -> None:
    """Parse the command line and write the images."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder to write into")
    parser.add_argument("--train", type=int, default=40, metavar="N", help="images a class")
    parser.add_argument("--test", type=int, default=20, metavar="N", help="images a class")
    parser.add_argument("--seed", type=int, default=2026, help="default: %(default)s")
    arguments = parser.parse_args()
    write_data(arguments.folder, arguments.train, arguments.test, arguments.seed)
    print(f"{CLASSES * (arguments.train + arguments.test)} images in {CLASSES} classes")


if __name__ == "__main__":
    main()
