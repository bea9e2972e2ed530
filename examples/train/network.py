"""A network with one hidden layer (leaky ReLU, softmax), trained by mini-batch descent on the cross-entropy.

Matrices are lists of rows. All of it uses one operation, `rows_by_rows(a, b)` = a * transpose(b), because the inner
product of two rows, `sum(map(mul, ...))`, is the fastest loop in plain Python. The last column of each
weight matrix belongs to the constant input 1.0: the bias.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul

LEAK = 0.01  # slope below zero: with 0, one step that is too large would turn a unit off for ever

Matrix = Sequence[Sequence[float]]
Weights = list[list[float]]


@dataclass
class Network:
    """`first`: a row per hidden unit over the inputs. `second`: a row per class over the hidden units."""

    first: Weights
    second: Weights

    @classmethod
    def fresh(cls, inputs: int, hidden: int, classes: int, rng: random.Random) -> Network:
        """Weights drawn from `rng` with the variance that suits ReLU (2 over the number of inputs)."""

        def draw(rows: int, columns: int) -> Weights:
            spread = math.sqrt(2 / columns)
            return [[rng.gauss(0, spread) for _ in range(columns)] for _ in range(rows)]

        return cls(draw(hidden, inputs), draw(classes, hidden + 1))

    def train_on(self, images: Matrix, digits: Sequence[int], lr: float, l2: float) -> float:
        """Take one step of gradient descent on this batch; return the batch's mean loss before the step, in nats."""
        active = self._hidden(images)
        losses, errors = _softmax_errors(rows_by_rows(active, self.second), digits)
        back = rows_by_rows(errors, transposed(self.second))
        deltas = [
            [error if unit > 0 else LEAK * error for error, unit in zip(row, units[:-1], strict=False)]
            for row, units in zip(back, active, strict=True)
        ]
        _descend(self.second, rows_by_rows(transposed(errors), transposed(active)), lr, l2)
        _descend(self.first, rows_by_rows(transposed(deltas), transposed(images)), lr, l2)
        return sum(losses) / len(losses)

    def evaluate(self, images: Matrix, digits: Sequence[int]) -> tuple[float, float]:
        """Mean loss in nats and accuracy in 0..1 on these images; changes nothing."""
        scores = rows_by_rows(self._hidden(images), self.second)
        losses, _ = _softmax_errors(scores, digits)
        answers = [max(range(len(row)), key=row.__getitem__) for row in scores]
        right = sum(answer == digit for answer, digit in zip(answers, digits, strict=True))
        return sum(losses) / len(losses), right / len(digits)

    def _hidden(self, images: Matrix) -> Weights:
        return [[max(LEAK * z, z) for z in row] + [1.0] for row in rows_by_rows(images, self.first)]


def rows_by_rows(a: Matrix, b: Matrix) -> Weights:
    """The matrix of inner products of the rows of `a` with the rows of `b`."""
    return [[sum(map(mul, left, right)) for right in b] for left in a]


def transposed(matrix: Matrix) -> list[tuple[float, ...]]:
    """The columns of `matrix` as rows."""
    return list(zip(*matrix, strict=True))


def _softmax_errors(scores: Matrix, digits: Sequence[int]) -> tuple[list[float], Weights]:
    """Each example's cross-entropy, and the gradient of the batch's mean with respect to the scores."""
    losses, errors = [], []
    for row, digit in zip(scores, digits, strict=True):
        peak = max(row)  # subtracted before exp, so that no score can overflow
        powers = [math.exp(score - peak) for score in row]
        total = sum(powers)
        losses.append(math.log(total) + peak - row[digit])
        error = [power / total / len(digits) for power in powers]
        error[digit] -= 1 / len(digits)
        errors.append(error)
    return losses, errors


def _descend(weights: Weights, gradient: Matrix, lr: float, l2: float) -> None:
    """One step of gradient descent; `l2` shrinks every weight except the bias in the last column."""
    keep = 1 - lr * l2
    for row, slope in zip(weights, gradient, strict=True):
        bias = row[-1] - lr * slope[-1]
        row[:] = [keep * weight - lr * g for weight, g in zip(row, slope, strict=True)]
        row[-1] = bias
