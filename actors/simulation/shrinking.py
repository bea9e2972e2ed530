"""From a seed that fails to the shortest beginning of its script that still does, and the steps that matter."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import attrs

from actors.simulation.running import Outcome, simulate

Run = Callable[..., Outcome]


@attrs.frozen
class Shrunk:
    """The smallest failure that was found: its outcome, which steps it needs, and how many runs finding it took."""

    outcome: Outcome
    steps: int
    without: tuple[int, ...]
    runs: int

    @property
    def command(self) -> str:
        """What shows it again."""
        left_out = f" --without {written(self.without)}" if self.without else ""
        outcome = self.outcome
        world = f"--seeds {outcome.seed} --hours {outcome.hours:g}"
        return f"python -m actors.simulation {world} --steps {self.steps}{left_out}"


def written(numbers: Sequence[int]) -> str:
    """``0-3,7``: whole numbers in their order, as the command line takes them."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][-1] == number - 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts)


class Shrinker:
    """Looks for less that breaks the same rule, in at most ``runs`` runs."""

    def __init__(self, failed: Outcome, *, runs: int = 60, run: Run = simulate) -> None:
        self._best = failed
        self._steps = failed.steps
        self._without: tuple[int, ...] = ()
        self._left = runs
        self._runs = runs
        self._run = run

    def shrink(self) -> Shrunk:
        """The shortest prefix first, then steps left out of it, in ever smaller pieces."""
        low, high = 0, self._steps
        while low < high and self._left:
            middle = (low + high) // 2
            if self._fails(middle, ()):
                high = middle
            else:
                low = middle + 1
        size = self._steps // 2
        while size and self._left:
            for start in range(0, self._steps - 1, size):
                piece = range(start, min(start + size, self._steps - 1))
                if set(piece) - set(self._without):
                    self._fails(self._steps, {*self._without, *piece})
            size //= 2
        return Shrunk(self._best, self._steps, self._without, self._runs - self._left)

    def _fails(self, steps: int, without: Collection[int]) -> bool:
        if not self._left:
            return False
        self._left -= 1
        outcome = self._run(self._best.seed, self._best.hours, steps=steps, without=without)
        if outcome.rule != self._best.rule:
            return False
        self._best, self._steps = outcome, steps
        self._without = tuple(sorted(number for number in without if number < steps))
        return True
