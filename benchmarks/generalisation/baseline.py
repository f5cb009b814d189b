"""What the default preset does in the same three tests: harmonised images, fine-tuned network."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.generalisation.corpus import SCORE_VIEWS, TRAIN_VIEWS, Job, view
from benchmarks.generalisation.judging import macro_interval
from benchmarks.generalisation.pictures import FAMILIES, Set, fakes_by_generator
from benchmarks.generalisation.related import MIXTURE, recall_row
from benchmarks.generalisation.thresholds import RATE
from stages.common.images import harmonise
from stages.common.params import read_params
from stages.common.ranking import auc
from stages.common.refits import Refit, logits_alone, refit
from stages.common.settings import Training
from stages.common.setup import initial_network
from stages.common.statistics import wilson
from stages.traces.remakes import REMAKES, Networks
from stages.traces.thresholds import worst_source
from stages.train.params import Params

ROOT = Path(__file__).parents[2]
EPOCHS_OF_VIEWS = 6


def margins(
    images: np.ndarray, fake: np.ndarray, plan: Sequence[Refit], training: Training, seed: int
) -> list[np.ndarray]:
    """Fine-tune the default network on each part and return the margins for "fake" of its rest.

    Args:
        images: bytes ``[N,H,W,3]``.
        fake: bool ``[N]``.
        plan: what to learn from and what to score.
        training: the settings.
        seed: of everything.
    """
    params = read_params(ROOT / "params.yaml", Params)
    network = initial_network(params.model, Path(), ("fake", "real"))
    labels = torch.from_numpy(np.where(fake, 0, 1))
    with tempfile.TemporaryDirectory() as scratch:
        keep, kept = logits_alone(images), Path(scratch)
        found = refit(network, images, labels, plan, keep, training, seed, checkpoints=kept)
        return [one["logits"][:, 0] - one["logits"][:, 1] for one in found]


def tables(
    sets: dict[str, Set], networks: dict[str, Networks], seed: int
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the titles and rows of the tables of the default preset."""
    training = read_params(ROOT / "params.yaml", Params).train
    names = list(sets)
    source = np.concatenate([np.full(len(sets[name].pictures), name) for name in names])
    generators = np.concatenate([sets[name].generators for name in names])
    folds = np.concatenate([sets[name].folds for name in names])
    pictures = [picture for name in names for picture in sets[name].pictures]
    images = np.stack([harmonise(picture.image, 224, True, 85) for picture in pictures])
    everything = np.arange(len(source))
    kinds = sorted(set(generators[source == "sd"]) - {""})
    plan = [
        Refit(np.flatnonzero((source == own) & (folds != 0)), everything) for own in FAMILIES
    ] + [
        Refit(
            np.flatnonzero((source == "sd") & (folds != 0) & ~np.isin(generators, [name, MIXTURE])),
            everything,
        )
        for name in kinds
    ]
    scores = margins(images, generators != "", plan, training, seed)
    held = (generators == "") & (folds == 0)

    unseen, unknown = [], []
    for own, other, margin in zip(FAMILIES, FAMILIES[::-1], scores, strict=False):
        for name in (other, "oxford"):
            right = margin[(source == name) & (generators == "")] <= 0
            unseen.append({"trained on": own, "photographs": name, **_share("recognised", right)})
        unknown.append(
            {"model": "default preset", **_unknown(margin, source, generators, held, own, other)}
        )
    yield "T2: unseen photographs, its own decision", unseen
    related = [
        {
            **recall_row(name, margin[generators == name] > 0),
            **_share("held-out photographs recognised", margin[held & (source == "sd")] <= 0),
        }
        for name, margin in zip(kinds, scores[len(FAMILIES) :], strict=True)
    ]
    yield "T1: related generators, each left out of cats-sd, its own decision", related
    for own, other in (FAMILIES, FAMILIES[::-1]):
        margin = _on_views(sets, networks, own, training, seed)
        row = _unknown(margin, source, generators, held, own, other)
        unknown.append({"model": "fine-tuned on fitted views, both kinds of fakes", **row})
    yield "T3: unknown family, threshold frozen on held-out own photographs and oxford", unknown


def _unknown(
    margin: np.ndarray,
    source: np.ndarray,
    generators: np.ndarray,
    held: np.ndarray,
    own: str,
    other: str,
) -> dict[str, Any]:
    """Return recalls and false alarms on the other set, by threshold and by own decision."""
    known = (held & (source == own)) | (source == "oxford")
    threshold = worst_source(margin[known], source[known], RATE)
    tested = source == other
    hits = {
        name: margin[tested][rows] > threshold
        for name, rows in fakes_by_generator(generators[tested]).items()
    }
    low, high = macro_interval(list(hits.values()), 0)
    macro = np.mean([hit.mean() for hit in hits.values()])
    plain = np.mean(
        [
            (margin[tested][rows] > 0).mean()
            for rows in fakes_by_generator(generators[tested]).values()
        ]
    )
    return {
        "trained on": own,
        "AUC": f"{auc(generators[tested] != '', margin[tested]):.2f}",
        "recalls": ", ".join(f"{name} {hit.mean():.2f}" for name, hit in hits.items()),
        "macro-recall (95 %)": f"{macro:.2f} ({low:.2f}–{high:.2f})",
        **_share("false alarms", margin[tested & (generators == "")] > threshold),
        "macro-recall by own decision": f"{plain:.2f}",
    }


def _share(name: str, hits: np.ndarray) -> dict[str, Any]:
    low, high = wilson(int(hits.sum()), len(hits))
    return {f"{name} (95 %)": f"{hits.mean():.2f} ({low:.2f}–{high:.2f}), n = {len(hits)}"}


def _on_views(
    sets: dict[str, Set], networks: dict[str, Networks], own: str, training: Training, seed: int
) -> np.ndarray:
    """Return the margins of all images, of a network trained on views and remakes of ``own``."""
    learn = [
        (picture, Job("fitted", True, made, own, number), bool(picture.generator or made))
        for picture, fold in zip(sets[own].pictures, sets[own].folds, strict=True)
        if fold != 0
        for made in ("", *(() if picture.generator else REMAKES))
        for number in range(1 if made else TRAIN_VIEWS)
    ]
    score = [
        (picture, Job("fitted", False, "", "", number), bool(picture.generator))
        for name in sets
        for picture in sets[name].pictures
        for number in range(SCORE_VIEWS)
    ]
    rows = learn + score
    images = np.stack([view(picture, job, networks, seed) for picture, job, _ in rows])
    fake = np.array([is_fake for *_, is_fake in rows])
    settings = training.model_copy(update={"views": 1, "variations": [], "epochs": EPOCHS_OF_VIEWS})
    plan = [Refit(np.arange(len(learn)), np.arange(len(learn), len(rows)))]
    return margins(images, fake, plan, settings, seed)[0].reshape(-1, SCORE_VIEWS).mean(axis=1)
