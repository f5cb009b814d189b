"""Every view that is trained on or scored, described once."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import joblib
import numpy as np
import pandas as pd
import torch

from benchmarks.generalisation.features import network_features, residuals
from benchmarks.generalisation.pictures import FAMILIES, Picture, Set
from stages.common.determinism import generator
from stages.traces import views
from stages.traces.remakes import REMAKES, Networks, remake
from stages.traces.views import Plan, finish, patch

TRAIN_VIEWS, SCORE_VIEWS = 2, 3
TRAINING = {
    "native": Plan("native", False),
    "equalised": Plan("random", True),
    "fitted": views.TRAINING,
}
SCORING = {
    "native": Plan("native", False),
    "equalised": Plan("native", False),
    "fitted": views.SCORING,
}


class Job(NamedTuple):
    """One view: its recipe, whether it is for training, how it is remade, for which family."""

    recipe: str
    training: bool
    made: str
    family: str
    number: int


class Corpus(NamedTuple):
    """A row of ``about`` for each view, and its features by the name of their part ``[V,F]``.

    Columns of ``about``: source, index (in its set), generator, fold, and those of `Job`.
    """

    about: pd.DataFrame
    parts: dict[str, np.ndarray]


def jobs_of(source: str, index: int, fake: bool) -> Iterator[Job]:
    """List the views of an image as the protocol wants them."""
    for recipe in TRAINING:
        if source in FAMILIES:
            for number in range(TRAIN_VIEWS):
                yield Job(recipe, True, "", source, number)
    for recipe in ("equalised", "fitted"):
        for number in range(SCORE_VIEWS):
            yield Job(recipe, False, "", "", number)
        if fake:
            continue
        for family in (source,) if source in FAMILIES else FAMILIES:
            for made in REMAKES:
                if source in FAMILIES:
                    yield Job(recipe, True, made, family, 0)
                if index % 2 == 0:
                    yield Job(recipe, False, made, family, 0)


def view(picture: Picture, job: Job, networks: dict[str, Networks], seed: int) -> np.ndarray:
    """Make one view: bytes ``[SIDE,SIDE,3]``."""
    rng = generator(seed, picture.source, picture.generator, picture.name, picture.given, *job)
    plan = (TRAINING if job.training else SCORING)[job.recipe]
    square = patch(picture.image, plan, rng)
    if job.made:
        square = remake(job.made, square, networks[job.family], rng)
    return finish(square, plan, rng)


def _describe(
    picture: Picture, jobs: Sequence[Job], networks: dict[str, Networks], seed: int
) -> dict[str, np.ndarray]:
    torch.set_num_threads(1)
    made = np.stack([view(picture, job, networks, seed) for job in jobs])
    rows = [residuals(one) for one in made]
    statistics = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    found = {**statistics, **network_features(made)}
    return {name: values.astype(np.float32) for name, values in found.items()}


def build(sets: dict[str, Set], networks: dict[str, Networks], seed: int, workers: int) -> Corpus:
    """Make and describe all views, in an order that does not depend on ``workers``."""
    rows, tasks = [], []
    for source, images in sets.items():
        for index, picture in enumerate(images.pictures):
            jobs = list(jobs_of(source, index, bool(picture.generator)))
            tasks.append(joblib.delayed(_describe)(picture, jobs, networks, seed))
            about = (source, index, picture.generator, int(images.folds[index]))
            rows += [(*about, *job) for job in jobs]
    found = joblib.Parallel(n_jobs=workers, batch_size=4)(tasks)
    parts = {name: np.concatenate([one[name] for one in found]) for name in found[0]}
    columns = ["source", "index", "generator", "fold", *Job._fields]
    return Corpus(pd.DataFrame(rows, columns=columns), parts)
