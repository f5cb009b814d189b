"""What would make the classifier more accurate?

Used as ``python -m benchmarks.accuracy_leads path/to/data``, a folder with `cats-ddpm`, `cats-sd`
and `oxford-cats`: out of fold on `cats-ddpm` and on photographs of other sources, as in
`benchmarks.levels`; each lead is compared with the default, paired by image over all seeds.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Beta

from benchmarks.backbones import OTHERS
from benchmarks.levels import (
    deliveries_in,
    mean_of,
    out_of_fold,
    prepared,
    recognised,
    with_levels,
)
from benchmarks.runs import ROOT
from benchmarks.tables import print_cells, print_heading, spelled
from stages.train.params import Params
from twincam.files.params_file import read_params
from twincam.images.params import Prepare
from twincam.statistics.estimates import difference, mean, share
from twincam.training import fitting, refits
from twincam.training.activations import Inputs
from twincam.training.labelled import LabelledImages, LabelledInputs, labelled_inputs

ALPHA = 0.2
"""Of the Beta distribution of the shares of two images, as published for ImageNet."""


@contextmanager
def mixup() -> Iterator[None]:
    """Train on mixtures of two images' views, and of their labels.

    Zhang et al., mixup: Beyond Empirical Risk Minimization (ICLR 2018). Mixed is the input of the
    first trained block (Verma et al., Manifold Mixup, ICML 2019).
    """
    drawn: list[tuple[float, Tensor]] = []
    part_of_loss = fitting._part_of_loss

    def mixed(inputs: Inputs, data: LabelledImages, rows: np.ndarray) -> LabelledInputs:
        def mixtures(epoch: int, indices: np.ndarray) -> Tensor:
            views = inputs(epoch, indices)
            first, order = Beta(ALPHA, ALPHA).sample().item(), torch.randperm(len(indices))
            drawn[:] = [(first, order)]
            return first * views + (1 - first) * views[order]

        return labelled_inputs(mixtures, data, rows)

    def loss(logits: Tensor, target: Tensor, smoothing: float, count: int) -> Tensor:
        ((first, order),) = drawn
        own, other = (
            part_of_loss(logits, labels, smoothing, count) for labels in (target, target[order])
        )
        return first * own + (1 - first) * other

    with (
        patch.object(refits, "labelled_inputs", mixed),
        patch.object(fitting, "_part_of_loss", loss),
    ):
        yield


class Lead(NamedTuple):
    """The side of the prepared images in pixels, and what changes training."""

    size: int = 224
    training: Callable[[], AbstractContextManager[None]] = nullcontext


DEFAULT = "default"
LEADS = {DEFAULT: Lead(), "mixup": Lead(training=mixup), "256 px": Lead(256), "288 px": Lead(288)}


def main() -> None:
    """Print a row for each seed and lead, and after each seed the differences over all so far."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--leads", nargs="+", choices=LEADS, default=list(LEADS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    args = parser.parse_args()
    every: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in args.leads}
    for seed in args.seeds:
        print_heading("lead", "seed", "out of fold", *(f"{name} real" for name in OTHERS))
        for name, seeds in every.items():
            seeds.append(right_by(LEADS[name], args.data, seed))
            print_cells(name, seed, *(spelled(share(one)) for one in seeds[-1].values()))
        means = {name: mean_of(seeds) for name, seeds in every.items()}
        for name, found in means.items():
            print_cells(name, "mean", *(spelled(mean(one, 0, "seeds")) for one in found.values()))
        for name in args.leads:
            if name != DEFAULT and DEFAULT in means:
                gains = (
                    spelled(difference(means[name][key], one, 0, "seeds"))
                    for key, one in means[DEFAULT].items()
                )
                print_cells(f"{name} minus {DEFAULT}", "mean", *gains)


def right_by(lead: Lead, data: Path, seed: int) -> dict[str, np.ndarray]:
    """Return which images `recognised` says are classified correctly with ``lead``."""
    params = read_params(ROOT / "params.yaml", Params)
    own = with_levels(params, params.model.levels, seed)
    prepare = {**params.prepare, "image_size": lead.size}
    own = own.model_copy(update={"prepare": prepare})
    others = deliveries_of_others(data, Prepare.model_validate(prepare))
    with prepared(data / "cats-ddpm", image_size=lead.size) as folder, lead.training():
        return recognised(folder, *out_of_fold(folder, folder / "data/cats-ddpm", own, others))


@cache
def deliveries_of_others(data: Path, prepare: Prepare) -> dict[str, np.ndarray]:
    """Return the deliveries of the images of each of `OTHERS`, read once for every ``prepare``."""
    return {name: deliveries_in(data / name, prepare) for name in OTHERS}


if __name__ == "__main__":
    main()
