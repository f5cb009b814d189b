"""What would bring the prototype network closer to its classifier?

Used as ``python -m benchmarks.prototype_leads path/to/data``, a folder with `cats-ddpm`. Out of
fold as in `benchmarks.prototypes`, with the same folds and classifiers; each lead is compared with
the classifier and with today's prototypes, paired by image over all seeds.
"""

import argparse
import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax, softmax

from benchmarks.levels import prepared
from benchmarks.prototypes import Settings, gap_by_class, hits, out_of_fold
from benchmarks.tables import print_cells, print_heading
from stages.protopnet import training
from stages.protopnet.examples import Examples
from stages.protopnet.losses import prototype_loss
from stages.protopnet.params import Params, ProtoPNet
from stages.protopnet.training import Trained, fit_prototypes
from stages.prototypes import params as last_layer
from stages.prototypes.last_layer import fit_layer
from twincam.determinism import Run
from twincam.explanations.prototypes.contributions import layer_logits
from twincam.explanations.prototypes.matches import best_similarities
from twincam.explanations.prototypes.network import PrototypeNet
from twincam.files.params_file import read_params
from twincam.files.shards import Rows, read_shards
from twincam.files.tables import class_names, read_split
from twincam.models.forward import logits_of
from twincam.models.network import Levels, Network, pool
from twincam.models.runtimes import compiled
from twincam.training.activations import Inputs, augmented, augmented_inputs
from twincam.training.labelled import labelled_images
from twincam.training.refits import Evaluate, Refit, Results

ONNX = Run(engine="local", threads=1, runtime="onnxruntime")

TEMPERATURE = 2.0
"""Of the classifier's probabilities that a distilled network matches."""


class Lead(NamedTuple):
    """What is changed: settings of block ``protopnet``, or the loss."""

    changes: Mapping[str, int | None] = {}
    distilled: bool = False


VIEWS = 6
"""Views of each image that the classifier is trained on; the prototypes are trained on two."""

TODAY, REFITTED = "today", f"today, refitted on {VIEWS} views"
LEADS = {
    TODAY: Lead(),
    f"{VIEWS} views": Lead({"views": VIEWS}),
    "distilled": Lead(distilled=True),
    "20 per class": Lead({"prototypes_per_class": 20}),
    "after block 4": Lead({"after_block": 4}),
    "crops": Lead({"after_block": None}),
}


def with_leads(
    images: np.ndarray, labels: np.ndarray, settings: Settings, leads: Sequence[str], seed: int
) -> Evaluate:
    """Return the measure that keeps the logits of the classifier, of each of ``leads``, and of
    today's prototypes with another last layer.
    """

    def measure(network: Network, part: Refit) -> Results:
        examples = Examples(images, labels, part.train, part.held_out)
        found = {"classifier": logits_of(network, images[part.held_out])}
        for name in leads:
            learning = settings.protopnet.model_copy(update=LEADS[name].changes)
            trained = train(network, examples, learning, LEADS[name], seed)
            similar = trained.train.similarity
            found[name] = refitted_logits(trained, similar, examples.train_labels, settings)
            if name == TODAY:
                every = np.concatenate([similar, *other_views(trained, examples, learning, seed)])
                truth = np.tile(examples.train_labels, VIEWS)
                found[REFITTED] = refitted_logits(trained, every, truth, settings)
        return found

    return measure


def train(
    network: Network, examples: Examples, learning: ProtoPNet, lead: Lead, seed: int
) -> Trained:
    """Return prototypes of ``network``, which stays as it is, trained as ``lead`` says."""
    own = compiled(copy.deepcopy(network), ONNX)
    with distillation(copy.deepcopy(network)) if lead.distilled else nullcontext():
        return fit_prototypes(own, examples, learning, seed)


def refitted_logits(
    trained: Trained, best: np.ndarray, labels: np.ndarray, settings: Settings
) -> np.ndarray:
    """Return logits ``[V,K]`` of the evaluated images by a last layer fitted to ``best``
    ``[N,P]``.
    """
    layer = fit_layer(best, trained.net.owner.cpu().numpy(), labels, settings.prototypes)
    return layer_logits(layer, trained.evaluated.similarity)


def other_views(
    trained: Trained, examples: Examples, learning: ProtoPNet, seed: int
) -> Iterator[np.ndarray]:
    """Yield best similarities ``[N,P]`` of each augmented view of the training images."""
    rows = np.arange(len(examples.train))
    for number in range(1, VIEWS):
        view = seed, number
        yield best_similarities(
            trained.net,
            augmented(examples.images, examples.train, learning.augmentations, view, rows),
            rows,
        )


@contextmanager
def distillation(teacher: Network) -> Iterator[None]:
    """Add to the loss that the prototypes match the probabilities of ``teacher`` for each view.

    Hinton, Vinyals & Dean, Distilling the Knowledge in a Neural Network (2015).
    """
    wanted: list[Tensor] = []

    def watched(network: Network, images: Rows, rows: np.ndarray, cut: int, *others: Any) -> Inputs:
        inputs = augmented_inputs(network, images, rows, cut, *others)
        tail = Levels(teacher.blocks[cut:], [level - cut for level in teacher.levels]).eval()

        @torch.no_grad()
        def kept(epoch: int, indices: np.ndarray) -> Tensor:
            activations = inputs(epoch, indices)
            wanted[:] = [teacher.head(pool(tail(activations)))]
            return activations

        return kept

    def loss(
        net: PrototypeNet, vectors: Tensor, similar: Tensor, labels: Tensor, settings: ProtoPNet
    ) -> dict[str, Tensor]:
        terms = prototype_loss(net, vectors, similar, labels, settings)
        own = log_softmax(net.logits(similar.amax(dim=(2, 3))) / TEMPERATURE, dim=1)
        apart = kl_div(own, softmax(wanted[0] / TEMPERATURE, dim=1), reduction="batchmean")
        return terms | {"total": terms["total"] + TEMPERATURE**2 * apart}

    with (
        patch.object(training, "augmented_inputs", watched),
        patch.object(training, "prototype_loss", loss),
    ):
        yield


def print_leads(
    labels: np.ndarray, runs: Sequence[Sequence[tuple[Refit, Results]]], leads: Sequence[str]
) -> None:
    """Print a row for each of ``leads``: balanced accuracy in the mean of the runs, differences."""
    right = {
        name: np.stack([hits(labels, folds, name) for folds in runs])
        for name in ("classifier", *leads)
    }
    print()
    print_heading(
        f"{len(runs)} seeds",
        "balanced accuracy",
        "lowest recall of a seed",
        "minus classifier (95 %)",
        "minus today's (95 %)",
    )
    for name, own in right.items():
        recalls = np.stack([own[:, labels == k].mean(axis=1) for k in np.unique(labels)])
        apart = [f"{recalls.mean():.3f}", f"{recalls.min():.3f}"]
        for other in ("classifier", TODAY):
            value, low, high = gap_by_class(labels, own - right[other])
            apart.append("–" if name == other else f"{value:+.3f} ({low:+.3f} to {high:+.3f})")
        print_cells(name, *apart)


def main() -> None:
    """Print a Markdown table after each seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--leads", nargs="+", choices=LEADS, default=list(LEADS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--kept", type=Path, required=True, help="folder for finished folds")
    args = parser.parse_args()
    leads = [TODAY, *(name for name in args.leads if name != TODAY)]
    with prepared(args.data / "cats-ddpm") as folder:
        params = folder / "params.yaml"
        split = read_split(folder / "data" / "split.csv")
        images = read_shards(folder / "data" / "prepared" / "images")[:]
        settings = Settings(
            read_params(params, Params).protopnet,
            read_params(params, last_layer.Params).prototypes,
        )
        classes = class_names(split)
        labels = split["label"].map(classes.index).to_numpy()
        examples = labelled_images(images, split, classes)
        runs = []
        for seed in args.seeds:
            measure = with_leads(images, labels, settings, leads, seed)
            kept = args.kept / str(seed)
            runs.append(list(out_of_fold(examples, split, params, seed, measure, kept)))
            print_leads(labels, runs, [TODAY, REFITTED, *leads[1:]])


if __name__ == "__main__":
    main()
