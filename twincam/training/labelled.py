"""Images, and inputs of a network's blocks, with what training knows of them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from twincam.files.shards import Rows
from twincam.training.activations import Inputs
from twincam.training.balancing import sampling_weights


class LabelledImages(NamedTuple):
    """Images, bytes ``[N,H,W,3]``, their class indices, int64 ``[N]``, groups and sources ``[N]``.

    Images of a group are copies or belong together. A source is ``""`` where none is named.
    """

    images: Rows
    labels: Tensor
    groups: np.ndarray
    sources: np.ndarray


class LabelledInputs(NamedTuple):
    """Inputs of the first trained block, and the labels and weights of their images, ``[N]``.

    An image's weight is how often it is sampled in an epoch, on average (`sampling_weights`).
    """

    inputs: Inputs
    labels: Tensor
    weights: np.ndarray


def labelled_images(images: Rows, split: pd.DataFrame, classes: Sequence[str]) -> LabelledImages:
    """Return the N images with what ``data/split.csv`` says of each; labels count ``classes``."""
    labels = torch.tensor(split["label"].map(list(classes).index).to_numpy())
    return LabelledImages(images, labels, split["group"].to_numpy(), split["source"].to_numpy())


def labelled_inputs(inputs: Inputs, data: LabelledImages, rows: np.ndarray) -> LabelledInputs:
    """Return the ``inputs`` of the images ``rows`` ``[N]`` of ``data``."""
    labels = data.labels[rows]
    return LabelledInputs(inputs, labels, sampling_weights(labels.numpy(), data.sources[rows]))
