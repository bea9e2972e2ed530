"""The data set: 8x8 images of handwritten digits, read from a CSV and split the same way for every run."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

PIXELS = 64
BRIGHTEST = 16  # each pixel counts the dark dots of a 4x4 block
CLASSES = 10
HELD_OUT_EVERY = 4  # every fourth image of each digit is held out: the same for every seed, so runs can be compared

Rows = list[list[float]]


class DataError(Exception):
    """The data file cannot be used; the message names file, line and reason."""


@dataclass(frozen=True)
class Part:
    """Images (64 pixels scaled to 0..1, then a constant 1.0 for the bias) and their digits, in the same order."""

    images: Rows
    digits: list[int]


@dataclass(frozen=True)
class Digits:
    """The training part, the held-out part, and a fingerprint of the data file."""

    train: Part
    held_out: Part
    fingerprint: str

    def majority_baseline(self) -> float:
        """Held-out accuracy (0..1) of always answering the digit most frequent in training."""
        seen = self.train.digits
        commonest = max(range(CLASSES), key=seen.count)
        return self.held_out.digits.count(commonest) / len(self.held_out.digits)


def load(path: Path) -> Digits:
    """Read `path`: a header, then one image per line: the digit 0..9 and 64 integer pixel values 0..16.

    Raises:
        DataError: the file is missing, unreadable, malformed, or has too few images to hold some out.
    """
    try:
        content = path.read_bytes()
        lines = content.decode().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the data file {path}: {error}") from error
    train, held_out = Part([], []), Part([], [])
    seen = [0] * CLASSES
    for number, cells in enumerate(csv.reader(lines[1:]), start=2):
        digit, image = _parse(cells, f"{path}:{number}")
        seen[digit] += 1
        part = train if seen[digit] % HELD_OUT_EVERY else held_out
        part.images.append(image)
        part.digits.append(digit)
    if not held_out.digits:
        raise DataError(f"{path}: {len(train.digits)} images are too few: none could be held out")
    return Digits(train, held_out, hashlib.sha256(content).hexdigest()[:16])


def _parse(cells: list[str], where: str) -> tuple[int, list[float]]:
    if len(cells) != 1 + PIXELS:
        raise DataError(f"{where}: {1 + PIXELS} columns expected, {len(cells)} found")
    try:
        digit, *pixels = map(int, cells)
    except ValueError as error:
        raise DataError(f"{where}: only whole numbers are expected: {error}") from error
    if not 0 <= digit < CLASSES:
        raise DataError(f"{where}: the digit must be 0 to 9, not {digit}")
    if not all(0 <= pixel <= BRIGHTEST for pixel in pixels):
        raise DataError(f"{where}: pixels must be 0 to {BRIGHTEST}")
    return digit, [pixel / BRIGHTEST for pixel in pixels] + [1.0]
