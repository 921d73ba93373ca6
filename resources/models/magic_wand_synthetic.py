# SPDX-License-Identifier: Apache-2.0
"""Generate synthetic accelerometer recordings of magic wand gestures.

A sample is a window of 128 readings of three axes in milli-g at 25 Hz. There are four classes:

* wing: a W drawn in the air, four strokes;
* ring: a clockwise circle begun at its top;
* slope: an L with a slanted first stroke, down to the left and then to the right;
* negative: anything else (rest, tremor, walking, shaking, turning, random strokes).

The wand's tip follows a smooth path, which is differentiated twice to an acceleration; gravity,
the hand's tilt, the turning of the wrist and sensor noise are added. Every synthetic person has
a speed, a size, a way to hold the wand and a tremor of their own.

Run as a script, this file writes such data in the text layout of the published magic wand
dataset: a directory a gesture with the files output_<gesture>_<person>.txt
(output_negative_<n>.txt for the last), where every sample is a line "-,-,-" followed by 128
lines "x,y,z".
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

GESTURES = ("wing", "ring", "slope", "negative")
WINDOW = 128
RATE_HZ = 25
OVERSAMPLING = 8
LIMIT_MILLI_G = 4000.0
GRAVITY = 9.80665

_STEPS = WINDOW * OVERSAMPLING
_DT = 1.0 / (RATE_HZ * OVERSAMPLING)
_WING = np.array([[0.0, 0.0], [0.25, -1.0], [0.5, -0.3], [0.75, -1.0], [1.0, 0.0]])
_SLOPE = np.array([[0.0, 0.0], [-0.6, -1.0], [0.6, -1.0]])


@dataclass(frozen=True)
class Person:
    """How one synthetic person moves."""

    pace: float
    size_m: float
    tilt: np.ndarray
    wrist: np.ndarray
    noise: float


def make_person(rng: np.random.Generator) -> Person:
    """Draw a person."""
    return Person(
        pace=rng.uniform(0.85, 1.2),
        size_m=rng.uniform(0.22, 0.4),
        tilt=rng.normal(0.0, [0.15, 0.25, 0.12]),
        wrist=rng.normal(0.0, 0.5, 2),
        noise=rng.uniform(8.0, 30.0),
    )


def _ease(phase: np.ndarray) -> np.ndarray:
    """Minimum-jerk progress from 0 to 1."""
    phase = np.clip(phase, 0.0, 1.0)
    return phase**3 * (10.0 - 15.0 * phase + 6.0 * phase**2)


def _polyline(points: np.ndarray, duration: float, rng: np.random.Generator) -> np.ndarray:
    """Path through ``points``, one minimum-jerk stroke after another, over a whole window."""
    strokes = np.diff(points, axis=0)
    shares = np.linalg.norm(strokes, axis=1) ** 0.5 * rng.uniform(0.85, 1.15, len(strokes))
    times = duration * shares / shares.sum()
    begin = _begin(duration, rng)
    clock = np.arange(_STEPS) * _DT
    path = np.tile(points[0], (_STEPS, 1))
    for stroke, length in zip(strokes, times, strict=True):
        # Strokes overlap a little: a hand does not stop at a corner.
        path = path + _ease((clock - begin) / (1.15 * length))[:, None] * stroke
        begin += length
    return path


def _begin(duration: float, rng: np.random.Generator) -> float:
    """Time at which a gesture begins, so that the whole of it is in the window."""
    spare = WINDOW / RATE_HZ - duration - 0.3
    return 0.1 + rng.uniform(0.0, max(spare, 0.0))


def _wing(person: Person, rng: np.random.Generator) -> np.ndarray:
    points = (_WING + rng.normal(0.0, 0.05, _WING.shape)) * person.size_m
    return _polyline(points, rng.uniform(1.8, 2.6) / person.pace, rng)


def _slope(person: Person, rng: np.random.Generator) -> np.ndarray:
    points = (_SLOPE + rng.normal(0.0, 0.06, _SLOPE.shape)) * person.size_m
    return _polyline(points, rng.uniform(1.0, 1.5) / person.pace, rng)


def _ring(person: Person, rng: np.random.Generator) -> np.ndarray:
    duration = rng.uniform(1.2, 1.9) / person.pace
    clock = np.arange(_STEPS) * _DT - _begin(duration, rng)
    phase = np.clip(clock / duration, 0.0, 1.0)
    # A circle is drawn at a steadier speed than a stroke.
    turned = 0.5 * _ease(phase) + 0.5 * (phase**2 * (3.0 - 2.0 * phase))
    start = np.pi / 2 + rng.normal(0.0, 0.2)
    angle = start - turned * (2.0 * np.pi + rng.normal(0.0, 0.25))
    radius = 0.5 * person.size_m * rng.uniform(0.85, 1.15, 2)
    return np.stack([radius[0] * np.cos(angle), radius[1] * np.sin(angle)], axis=1)


def _smooth(values: np.ndarray, seconds: float) -> np.ndarray:
    """Smooth along time with a Gaussian of the given deviation."""
    deviation = seconds / _DT
    reach = int(3 * deviation) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    columns = [np.convolve(column, kernel, mode="valid") for column in padded.T]
    return np.stack(columns, axis=1)


def _negative(person: Person, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Path and slow turning of something that is no gesture."""
    path = np.zeros((_STEPS, 3))
    turning = np.zeros((_STEPS, 3))
    clock = np.arange(_STEPS) * _DT
    kind = rng.integers(6)
    if kind == 1:  # tremor and idle motion
        wander = _smooth(rng.normal(0.0, 1.0, (_STEPS, 3)), rng.uniform(0.08, 0.3))
        path = wander / wander.std() * rng.uniform(0.002, 0.02)
    elif kind == 2:  # walking
        frequency = rng.uniform(1.5, 2.2)
        swing = np.array([0.5, 1.0, 1.0]) * frequency
        waves = np.sin(2 * np.pi * (clock[:, None] * swing + rng.random(3)))
        path = waves * rng.uniform(0.3, 1.0, 3) * np.array([0.02, 0.025, 0.015])
    elif kind == 3:  # shaking in one direction
        direction = rng.normal(0.0, 1.0, 3)
        envelope = _ease((clock - rng.uniform(0.0, 2.0)) / 0.3)
        envelope = envelope - _ease((clock - rng.uniform(2.5, 5.0)) / 0.3) * envelope
        wave = np.sin(2 * np.pi * rng.uniform(2.5, 5.0) * clock) * envelope
        path = wave[:, None] * direction / np.linalg.norm(direction) * rng.uniform(0.01, 0.03)
    elif kind == 4:  # picking up, putting down, turning over
        turn = rng.normal(0.0, 0.8, 3)
        progress = _ease((clock - rng.uniform(0.2, 3.0)) / rng.uniform(0.6, 2.0))
        turning = progress[:, None] * turn
        path = progress[:, None] * rng.normal(0.0, 0.1, 3)
    elif kind == 5:  # one stroke, or many strokes that draw no figure
        strokes = rng.choice([1, 6, 7])
        hops = rng.normal(0.0, 0.6, (strokes, 3)) * person.size_m
        points = np.concatenate([np.zeros((1, 3)), np.cumsum(hops, axis=0)])
        path = _polyline(points, strokes * rng.uniform(0.4, 0.65), rng)
    return path, turning


def _rotation(angles: np.ndarray) -> np.ndarray:
    """Rotation matrices [..., 3, 3] of roll, pitch and yaw [..., 3]."""
    cosine, sine = np.cos(angles), np.sin(angles)
    (cr, cp, cy), (sr, sp, sy) = np.moveaxis(cosine, -1, 0), np.moveaxis(sine, -1, 0)
    rows = [
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def make_window(gesture: str, person: Person, rng: np.random.Generator) -> np.ndarray:
    """Return one recording [128,3] of ``gesture`` by ``person``, in milli-g.

    The sensor's axes at rest are x to the right, y forward and z up.
    """
    turning = np.zeros((_STEPS, 3))
    if gesture == "negative":
        path, turning = _negative(person, rng)
    else:
        flat = {"wing": _wing, "ring": _ring, "slope": _slope}[gesture](person, rng)
        flat = _smooth(flat, 0.03)
        depth = rng.normal(0.0, 0.1) * flat[:, 0] + rng.normal(0.0, 0.1) * flat[:, 1]
        path = np.stack([flat[:, 0], depth, flat[:, 1]], axis=1)
        turning[:, 0] = person.wrist[0] * (path[:, 2] - path[0, 2])
        turning[:, 1] = person.wrist[1] * (path[:, 0] - path[0, 0])
    acceleration = np.gradient(np.gradient(path, _DT, axis=0), _DT, axis=0)
    felt = acceleration + np.array([0.0, 0.0, GRAVITY])
    hold = person.tilt + rng.normal(0.0, 0.06, 3)
    axes = _rotation(hold + turning)
    # The reading is in the sensor's frame: the transpose of its attitude.
    reading = np.einsum("tji,tj->ti", axes, felt) * (1000.0 / GRAVITY)
    reading = reading.reshape(WINDOW, OVERSAMPLING, 3).mean(axis=1)
    reading += rng.normal(0.0, person.noise, reading.shape) + rng.normal(0.0, 10.0, 3)
    return np.round(np.clip(reading, -LIMIT_MILLI_G, LIMIT_MILLI_G), 1).astype(np.float32)


def generate(
    samples: int, seed: int, persons: int = 8
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Generate ``samples`` windows of every gesture, dealt out evenly to ``persons`` people.

    Returns the windows [4*samples,128,3] in milli-g as float32, the labels (indices into
    GESTURES) and the people's numbers, both int64. The same arguments give the same data;
    another seed gives other people.
    """
    rng = np.random.default_rng(seed)
    people = [make_person(rng) for _ in range(persons)]
    windows = [
        make_window(gesture, people[index % persons], rng)
        for gesture in GESTURES
        for index in range(samples)
    ]
    labels = np.repeat(np.arange(len(GESTURES)), samples)
    owners = np.tile(np.arange(samples) % persons, len(GESTURES))
    shape = (len(GESTURES) * samples, WINDOW, 3)
    return np.array(windows, dtype=np.float32).reshape(shape), labels, owners


def write_dataset(folder: Path, samples: int, seed: int, persons: int = 8) -> list[Path]:
    """Write generated data under ``folder`` in the published text layout; return the files."""
    windows, labels, owners = generate(samples, seed, persons)
    written = []
    for label, gesture in enumerate(GESTURES):
        directory = folder / gesture
        directory.mkdir(parents=True, exist_ok=True)
        for person in range(min(persons, samples)):
            who = str(person + 1) if gesture == "negative" else f"person{person + 1}"
            lines = []
            for window in windows[(labels == label) & (owners == person)]:
                lines.append("-,-,-")
                lines.extend(f"{x:.1f},{y:.1f},{z:.1f}" for x, y, z in window)
            path = directory / f"output_{gesture}_{who}.txt"
            path.write_text("\n".join(lines) + "\n", encoding="ascii")
            written.append(path)
    return written


def positive(text: str) -> int:
    """Parse a positive whole number of the command line."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def main() -> None:
    """Parse the command line and write the data."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--write-data", type=Path, metavar="DIR", required=True, help="directory to write into"
    )
    parser.add_argument(
        "--samples",
        type=positive,
        default=80,
        metavar="N",
        help="windows of each gesture (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="default: %(default)s")
    parser.add_argument(
        "--persons",
        type=positive,
        default=8,
        metavar="P",
        help="people, thus files of each gesture (default: %(default)s)",
    )
    arguments = parser.parse_args()
    written = write_dataset(
        arguments.write_data, arguments.samples, arguments.seed, arguments.persons
    )
    print(f"{len(written)} files, {arguments.samples} windows of each of {', '.join(GESTURES)}")


if __name__ == "__main__":
    main()
