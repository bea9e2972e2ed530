"""Train a small network to recognise handwritten digits: a real training job in plain Python.

    python train.py --lr 0.2 --hidden 16 --epochs 30

Under Greenroom it reports progress and metrics and resumes from its checkpoint; without Greenroom it only prints.
Exit status: 0 trained, 1 refused or diverged (the last line says why), 2 wrong arguments.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from pathlib import Path
from typing import Any

from digits import CLASSES, PIXELS, DataError, Digits, load
from network import Network
from outputs import Outputs, RunLog

HERE = Path(__file__).resolve().parent
# The loss of guessing is ln(10) = 2.30 nats. A run with ten times this loss in an epoch has never recovered.
DIVERGED = 10 * math.log(CLASSES)


class TrainingError(Exception):
    """The run was refused or has failed; the message is the line to print."""


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; argparse exits with status 2 if it is wrong."""
    parser = argparse.ArgumentParser(description="Train a one-hidden-layer network on handwritten digits.")
    parser.add_argument("--lr", type=float, default=0.2, help="learning rate (default: %(default)s)")
    parser.add_argument("--hidden", type=int, default=16, help="hidden units (default: %(default)s)")
    parser.add_argument("--l2", type=float, default=0.0, help="weight decay (default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=25, help="images per step (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=30, help="passes over the data (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the weights and the order (default: %(default)s)")
    parser.add_argument("--data", type=Path, default=HERE / "digits.csv", help="CSV file (default: %(default)s)")
    return parser.parse_args(argv)


def check(arguments: argparse.Namespace) -> None:
    """Refuse an invalid hyper-parameter.

    Raises:
        TrainingError: names the option, the range and the value.
    """
    for name, low, high in (("hidden", 1, 512), ("batch_size", 1, 10_000), ("epochs", 1, 10_000)):
        value = getattr(arguments, name)
        if not low <= value <= high:
            raise TrainingError(f"--{name.replace('_', '-')} must be {low} to {high}, not {value}")
    if not (math.isfinite(arguments.lr) and arguments.lr > 0):
        raise TrainingError(f"--lr must be a number above 0, not {arguments.lr}")
    if not (math.isfinite(arguments.l2) and arguments.l2 >= 0):
        raise TrainingError(f"--l2 must be 0 or a number above 0, not {arguments.l2}")


def resume(outputs: Outputs, settings: dict[str, Any]) -> tuple[int, Network] | None:
    """The finished epochs and the network of the checkpoint, or None if there is no checkpoint.

    Raises:
        TrainingError: the checkpoint was made with other settings, so the result would fit neither.
    """
    try:
        state = outputs.load_checkpoint()
    except ValueError as error:
        raise TrainingError(str(error)) from error
    if state is None:
        return None
    other = [
        f"{name} {was}, now {settings.get(name)}"
        for name, was in state["settings"].items()
        if was != settings.get(name)
    ]
    if other:
        raise TrainingError(f"the checkpoint in {outputs.directory} was made with other settings: {'; '.join(other)}")
    outputs.carry_checkpoint(state)
    return state["epoch"], Network(state["first"], state["second"])


def run_epoch(network: Network, data: Digits, arguments: argparse.Namespace, epoch: int) -> float:
    """One pass over the training images; returns their mean loss in nats.

    Raises:
        TrainingError: the loss is not a number, or far above that of guessing.
    """
    order = list(range(len(data.train.digits)))
    random.Random(f"{arguments.seed}:{epoch}").shuffle(
        order
    )  # depends on the epoch only: a resumed run has the same order
    total = 0.0
    for start in range(0, len(order), arguments.batch_size):
        batch = order[start : start + arguments.batch_size]
        images = [data.train.images[index] for index in batch]
        digits = [data.train.digits[index] for index in batch]
        total += len(batch) * network.train_on(images, digits, arguments.lr, arguments.l2)
    loss = total / len(order)
    if not loss < DIVERGED:  # also true of NaN
        raise TrainingError(
            f"diverged in epoch {epoch}: mean loss {loss:.3g} (random guesses: {math.log(CLASSES):.2f}); "
            f"--lr {arguments.lr:g} is too large"
        )
    return loss


def train(arguments: argparse.Namespace, outputs: Outputs, log: RunLog) -> None:
    """Train to the last epoch, from the checkpoint if there is one, and write the final metrics.

    Raises:
        TrainingError, DataError, OSError: refused, diverged, unusable data, or an output that cannot be written.
    """
    check(arguments)
    data = load(arguments.data)
    settings = {name: getattr(arguments, name) for name in ("lr", "hidden", "l2", "batch_size", "seed")}
    key = settings | {"data": data.fingerprint}
    log.info(f"{len(data.train.digits)} images to train on, {len(data.held_out.digits)} held out", **settings)
    fresh = Network.fresh(PIXELS + 1, arguments.hidden, CLASSES, random.Random(arguments.seed))
    done, network = resume(outputs, key) or (0, fresh)
    if done:
        log.info(f"resumed after epoch {done}", epoch=done)
    for epoch in range(done + 1, arguments.epochs + 1):
        loss = run_epoch(network, data, arguments, epoch)
        held_out_loss, accuracy = network.evaluate(data.held_out.images, data.held_out.digits)
        measured = {"loss": loss, "held_out_loss": held_out_loss, "accuracy": accuracy}
        rounded = {name: round(value, 4) for name, value in measured.items()}
        outputs.progress(step=epoch, total=arguments.epochs, **rounded)
        outputs.save_checkpoint({"settings": key, "epoch": epoch, "first": network.first, "second": network.second})
        log.info(f"epoch {epoch}/{arguments.epochs}  loss {loss:.4f}  held-out accuracy {accuracy:.1%}", **rounded)
    finish(network, data, settings | {"epochs": max(done, arguments.epochs)}, outputs, log)


def finish(network: Network, data: Digits, settings: dict[str, Any], outputs: Outputs, log: RunLog) -> None:
    """Evaluate the trained network on both parts; write and log the result."""
    train_loss, train_accuracy = network.evaluate(data.train.images, data.train.digits)
    held_out_loss, accuracy = network.evaluate(data.held_out.images, data.held_out.digits)
    metrics = {
        "accuracy": accuracy,
        "held_out_loss": held_out_loss,
        "train_loss": train_loss,
        "train_accuracy": train_accuracy,
        "majority_baseline": data.majority_baseline(),
    }
    rounded = {name: round(value, 4) for name, value in metrics.items()}
    outputs.result(**rounded, **settings)
    log.info(
        f"done: held-out accuracy {accuracy:.1%}, most frequent digit: {metrics['majority_baseline']:.1%}",
        **rounded,
    )


def main() -> int:
    """Train, and turn an error into one line and an exit status."""
    arguments = parse_arguments()
    log = RunLog()
    try:
        train(arguments, Outputs.from_env(), log)
    except (TrainingError, DataError, OSError) as error:
        log.error(f"train.py: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
