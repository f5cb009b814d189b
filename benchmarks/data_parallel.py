"""How far a training by two workers is from one by one worker, and what rounding alone does.

Used as ``python -m benchmarks.data_parallel``, with the prepared images of the working tree's run
and its params.yaml. It trains on `TRAIN` of them for two epochs and evaluates `VAL` others: by one
worker with one thread, by one with two threads, and by two workers with one thread each.
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import ray

from stages.train.divided import Files, fine_tune_divided
from stages.train.methods import fine_tune, start
from stages.train.params import Params
from twincam.files.params_file import read_params
from twincam.files.tables import read_split

TRAIN, VAL, EPOCHS = 36, 12, 2


def losses(params: Params, split: pd.DataFrame, folder: Path) -> np.ndarray:
    """Return the losses of training and validation, ``[EPOCHS,2]``."""
    images, weights_file = Path("data/prepared/images"), Path(params.model.weights_file)
    network, data = start(params, split, images, weights_file)
    checkpoint = folder / f"{params.run.threads}-{params.train.workers}-{params.train.optimizer}.pt"
    if params.train.workers == 1:
        history, _ = fine_tune(network, data, split["split"], params, checkpoint)
    else:
        files = Files(images.absolute(), weights_file, checkpoint)
        history, _ = fine_tune_divided(network, split, params, files)
    return np.array([(row.train_loss, row.val_loss) for row in history])


def changed(params: Params, optimizer: str, threads: int, workers: int) -> Params:
    """Return ``params`` for a short training."""
    training = {"method": "fine_tune", "epochs": EPOCHS, "optimizer": optimizer, "workers": workers}
    return params.model_copy(
        update={
            "run": params.run.model_copy(update={"engine": "ray", "threads": threads}),
            "train": params.train.model_copy(update=training),
        }
    )


def main() -> None:
    """Print the largest difference of a loss for each optimiser."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    params = read_params(Path("params.yaml"), Params)
    split = read_split(Path("data/split.csv"))
    rows = np.random.default_rng(0).permutation(len(split))
    split["split"] = "unused"
    split.loc[rows[:TRAIN], "split"] = "train"
    split.loc[rows[TRAIN : TRAIN + VAL], "split"] = "val"
    for optimizer in ("adamw", "sgd"):
        with TemporaryDirectory() as name:
            one, threads, workers = (
                losses(changed(params, optimizer, *numbers), split, Path(name))
                for numbers in ((1, 1), (2, 1), (1, 2))
            )
        print(f"{optimizer}: losses of training and validation {one.round(4).tolist()}")
        for what, other in (("two threads", threads), ("two workers", workers)):
            train, val = np.abs(other - one).max(axis=0)
            print(f"  {what}: train loss {train:.1e}, val loss {val:.1e}", flush=True)


if __name__ == "__main__":
    main()
