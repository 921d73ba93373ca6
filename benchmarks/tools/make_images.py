# SPDX-License-Identifier: Apache-2.0
"""Write synthetic photographs in folders named by class, for measuring memory and speed.

An image is a blurred random colour pattern with a few hard-edged rectangles and a little noise.
Its class means nothing. The same arguments give the same files.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image


def positive(text: str) -> int:
    """Parse a positive whole number of the command line."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def make_image(rng: np.random.Generator, size: int) -> Image.Image:
    """Draw one image of ``size`` by ``size`` pixels."""
    cells = int(rng.integers(3, 9))
    coarse = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
    pixels = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC)).astype(np.float32)
    for _ in range(int(rng.integers(1, 6))):
        top, left = rng.integers(0, size, 2)
        height, width = rng.integers(size // 16 + 1, size // 2 + 2, 2)
        colour = rng.integers(0, 256, 3)
        pixels[top : top + height, left : left + width] = colour
    pixels += rng.normal(0.0, 3.0, pixels.shape)
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def write_images(
    folder: Path, count: int, classes: list[str], size: int, suffix: str, seed: int
) -> int:
    """Write ``count`` images, dealt out evenly to ``classes``; return their bytes."""
    for name in classes:
        (folder / name).mkdir(parents=True, exist_ok=True)
    total = 0
    for index in range(count):
        # A seed for each image: the first images do not depend on how many follow.
        rng = np.random.default_rng([seed, index])
        path = folder / classes[index % len(classes)] / f"{index:05d}.{suffix}"
        options = {"quality": 85} if suffix == "jpg" else {"compress_level": 6}
        make_image(rng, size).save(path, **options)
        total += path.stat().st_size
    return total


def main() -> None:
    """Parse the command line and write the images."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder to write into")
    parser.add_argument(
        "--count", type=positive, default=200, metavar="N", help="images (default: %(default)s)"
    )
    parser.add_argument(
        "--classes",
        nargs="+",
        default=["a", "b"],
        metavar="NAME",
        help="names of the class folders (default: a b)",
    )
    parser.add_argument(
        "--size", type=positive, default=224, metavar="PIXELS", help="default: %(default)s"
    )
    parser.add_argument("--format", choices=("jpg", "png"), default="jpg", help="default: jpg")
    parser.add_argument("--seed", type=int, default=2026, help="default: %(default)s")
    arguments = parser.parse_args()
    total = write_images(
        arguments.folder,
        arguments.count,
        arguments.classes,
        arguments.size,
        arguments.format,
        arguments.seed,
    )
    print(f"{arguments.count} images, {total / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
