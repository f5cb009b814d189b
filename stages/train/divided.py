"""Fine-tuning divided among tasks of a Ray cluster."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from torch import Tensor

from stages.train.methods import fine_tune, start
from stages.train.params import Params
from twincam.engine.group import Member, run_group
from twincam.models.network import Network
from twincam.training.data_parallel import joined
from twincam.training.fitting import Epoch


class Files(NamedTuple):
    """What each task reads, on a file system that all nodes share, and the first one's checkpoint.

    Training resumes from it, also where a worker has died.
    """

    images: Path
    weights_file: Path
    checkpoint: Path


def fine_tune_divided(
    network: Network, split: pd.DataFrame, params: Params, files: Files
) -> tuple[list[Epoch], int]:
    """Fine-tune ``network``, in place, by ``train.workers`` tasks; return as `fine_tune` does.

    Args:
        network: gets the trained weights.
        split: ``data/split.csv``.
        params: of the stage.
        files: for the tasks.
    """
    task = partial(_part, params, split, files)
    state, history, kept = run_group(task, params.train.workers, params.run)
    network.module.load_state_dict(state)
    return history, kept


def _part(
    params: Params, split: pd.DataFrame, files: Files, member: Member
) -> tuple[dict[str, Tensor], list[Epoch], int]:
    """Return the trained weights, the history and the number of the epoch kept."""
    network, data = start(params, split, files.images, files.weights_file)
    with joined(*member) as group:
        history, kept = fine_tune(network, data, split["split"], params, files.checkpoint, group)
    state = {name: tensor.cpu() for name, tensor in network.module.state_dict().items()}
    return state, history, kept
