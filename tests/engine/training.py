"""A short training by one process or by two tasks, and what happens to the tasks meanwhile."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stages.train import divided, methods
from stages.train.divided import Files
from stages.train.params import Params
from tests.fitted import IMAGES, MODEL, SETTINGS, SPLIT
from tests.training.divided import network
from twincam.determinism import Run
from twincam.engine.group import Member
from twincam.files.arrays import write_array
from twincam.models.network import Network
from twincam.training.fitting import Epoch

TABLE = SPLIT.assign(split=["train"] * 8 + ["val"] * 4)

Trained = tuple[list[Epoch], Network]

real_part = divided._part


def params(workers: int) -> Params:
    """Return the settings of a training by so many workers."""
    changes = {"unfreeze_from": 0, "epochs": 20, "optimizer": "sgd", "workers": workers}
    return Params(
        seed=0,
        run=Run(engine="ray", threads=1, runtime="torch"),
        model=MODEL,
        train=SETTINGS.model_copy(update=changes),
        prepare={},
    )


def written(folder: Path) -> Files:
    """Write the images into ``folder``; return what the tasks read, and the checkpoint."""
    write_array(folder / "images" / "0.npy", IMAGES)
    return Files(folder / "images", folder / "none", folder / "checkpoint.pt")


@contextmanager
def tiny_network() -> Iterator[pytest.MonkeyPatch]:
    """Train a network whose library need not be imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(methods, "initial_network", lambda *_names: network())
        yield patch


def alone(files: Files) -> Trained:
    """Train in this process."""
    with tiny_network():
        made, data = methods.start(params(1), TABLE, files.images, files.weights_file)
    return methods.fine_tune(made, data, TABLE["split"], params(1), files.checkpoint)[0], made


def by_two(files: Files, part: Any) -> Trained:
    """Train by two tasks that run ``part``."""
    with tiny_network() as patch:
        made, _ = methods.start(params(2), TABLE, files.images, files.weights_file)
        patch.setattr(divided, "_part", part)
        return divided.fine_tune_divided(made, TABLE, params(2), files)[0], made


def killed_part(params: Params, split: pd.DataFrame, files: Files, member: Member) -> Any:
    """Train as a task of the stage; number 1 is killed once, after the first checkpoint."""
    mark = files.checkpoint.with_suffix(".killed")
    if member.rank and not mark.exists():
        Thread(target=kill_after, args=(files.checkpoint, mark), daemon=True).start()
    with tiny_network():
        return real_part(params, split, files, member)


def kill_after(checkpoint: Path, mark: Path) -> None:
    """Kill this process once there is a checkpoint."""
    while not checkpoint.exists():
        time.sleep(0.001)
    mark.touch()
    os.kill(os.getpid(), signal.SIGKILL)


def placed_part(params: Params, split: pd.DataFrame, files: Files, member: Member) -> Any:
    """Train as a task of the stage; note the node's address."""
    import ray

    address = files.checkpoint.with_name(f"{member.rank}.address")
    address.write_text(ray.util.get_node_ip_address())
    with tiny_network():
        return real_part(params, split, files, member)


def furthest(one: Trained, other: Trained) -> float:
    """Return the largest difference of a number in the histories, or of a weight."""
    rows, others = ([list(vars(row).values()) for row in history] for history, _ in (one, other))
    here, there = (made.module.state_dict() for _, made in (one, other))
    weights = (float((here[name] - there[name]).abs().max()) for name in there)
    return max(float(np.abs(np.array(rows) - np.array(others)).max()), *weights)
