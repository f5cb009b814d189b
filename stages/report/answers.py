"""The page's answers: a sentence or two for each question, for readers new to the project."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from twincam.figures.text import counted, percent

Figures = Mapping[str, Any]


class Question(NamedTuple):
    """A question of the page, its answer, and the names of the sections with the evidence."""

    key: str
    title: str
    answer: str
    sections: Sequence[str]


def questions(
    details: Mapping[str, Figures], predictions: pd.DataFrame, split: str
) -> list[Question]:
    """Return the page's questions with their answers.

    Args:
        details: of each stage, by its name.
        predictions: ``reports/predictions.csv``.
        split: the split whose figures are the headlines.
    """
    found = details["evaluate"][split]
    return [
        Question("results", "How often is it right?", accuracy(found), ("results", "crossval")),
        Question("trust", "How sure is it, and can it be believed?", certainty(found), ("trust",)),
        Question(
            "audit", "Could it have taken a shortcut?", shortcuts(details["audit"]), ("audit",)
        ),
        Question(
            "sources",
            "Which sources does it know, and how does it do on others?",
            " ".join(
                filter(
                    None,
                    (
                        *details["split"].get("sentences", []),
                        weakest_source(predictions),
                        details["evaluate"]["scope"],
                    ),
                )
            ),
            ("sources", "forensics"),
        ),
        Question(
            "robustness",
            "Does saving, scaling or cropping change the answer?",
            deliveries(details["stability"][split]),
            ("robustness",),
        ),
        Question(
            "heat",
            "Where does it look, and can the heat maps be trusted?",
            heat(details["explain"]),
            ("heat",),
        ),
        Question(
            "twins",
            "Which training images are most similar?",
            twins(details["explain"]),
            ("twins",),
        ),
        Question(
            "counterfactual",
            "What would change its mind?",
            counterfactuals(details["explain"]["counterfactual"]),
            ("counterfactual",),
        ),
        Question(
            "prototypes",
            "Which parts of an image does it recognise?",
            prototypes(details["prototypes"], split),
            ("prototypes",),
        ),
        Question("data", "What was it trained on?", data(details["split"]), ("data",)),
    ]


def accuracy(found: Figures) -> str:
    """Return how often the model is right, and how often the most frequent class would be."""
    right = round(found["accuracy"] * found["n"])
    return (
        f"On {right} of {found['n']} images that it was not trained on: "
        f"{_share(found, 'accuracy')}. Always naming the most frequent class would be right on "
        f"{percent(found['majority_share'])}."
    )


def certainty(found: Figures) -> str:
    """Return how often the model is unsure, and how often it is right where it is sure."""
    unsure = found["unsure"]
    if "n_sure" not in unsure:
        return _skipped(unsure)
    doubted = unsure["n"] - unsure["n_sure"]
    said = f"It says “unsure” for {doubted} of {unsure['n']} images."
    if not unsure["n_sure"]:
        return said
    right = round(unsure["accuracy_when_sure"] * unsure["n_sure"])
    return (
        f"{said} When it is sure, it is right on {right} of {unsure['n_sure']}: "
        f"{_share(unsure, 'accuracy_when_sure')}."
    )


def shortcuts(audit: Figures) -> str:
    """Return what models found that do not see the content of the images."""
    tried = "Simple models without access to the image content were tried."
    return _skipped(audit) or " ".join([tried, *audit["sentences"]])


def weakest_source(predictions: pd.DataFrame) -> str:
    """Return which source is recognised worst, of several; nothing if there is one or none."""
    named = predictions[predictions["source"] != ""]
    if named["source"].nunique() < 2:
        return ""
    right = (named["label"] == named["predicted"]).groupby(named["source"]).agg(["sum", "size"])
    if (right["sum"] == right["size"]).all():
        return f"Every evaluated image of all {len(right)} sources is classified correctly."
    worst = (right["sum"] / right["size"]).sort_values(kind="stable").index[0]
    hits, n = right.loc[worst]
    return f"Of the sources, {worst} has the lowest accuracy: {hits} of {n} evaluated images."


def deliveries(stability: Figures) -> str:
    """Return how often re-saving, scaling or cropping changes the prediction."""
    if "flip_rate" not in stability:
        return "Not measured."
    rates = {
        name: one["flip_rate"]
        for name, one in stability["deliveries"].items()
        if one.get("flip_rate") is not None
    }
    changed = f"At least one of these changes {_share(stability, 'flip_rate')} of the predictions"
    worst = max(rates, key=lambda name: rates[name], default=None)
    if worst is None or not rates[worst]:
        return f"{changed}."
    return f"{changed}, most often “{worst}”: {percent(rates[worst])}."


def heat(explain: Figures) -> str:
    """Return how often the heat map peaks on the known ground truth."""
    found = explain["heatmaps"][explain["method"]]
    if "pointing_game" not in found:
        return "These images have no ground truth to compare the heat maps with."
    return (
        f"Where the ground truth of an image is known, the heat map peaks on it in "
        f"{_share(found, 'pointing_game')} of {found['pointing_game_n']} images; the best fixed "
        f"point lies on it in {percent(found['pointing_game_best_fixed_point'])}."
    )


def twins(explain: Figures) -> str:
    """Return how well the nearest training images follow the model."""
    found = explain["twins"][explain["space"]]
    return (
        "The five training images nearest to an image vote for the model's prediction in "
        f"{_share(found, 'agreement')} of {found['n']} cases."
    )


def counterfactuals(found: Figures) -> str:
    """Return how much has to be swapped for another prediction."""
    if not found["n"]:
        return "No training image has another predicted class, so there are no counterfactuals."
    cells = counted(round(found["cells_median"]), "feature-map cell")
    return (
        f"Swapping {cells} (median) for those of the nearest image with another prediction changes "
        "the prediction. Pasting the same squares into the image changes it in "
        f"{percent(found['image_flip_rate'])} of {found['n']} images, random squares in "
        f"{percent(found['image_flip_rate_random'])}."
    )


def prototypes(found: Figures, split: str) -> str:
    """Return how often a network that decides by a few patches is right."""
    return (
        f"A second network decides only by similarity to {found['prototypes']['total']} patches of "
        f"training images. It is right on {_share(found[split], 'accuracy')} of "
        f"{found[split]['n']} unmodified images."
    )


def data(split: Figures) -> str:
    """Return how many images there are of which class."""
    trained = ", ".join(f"{n.get('train', 0)} {label}" for label, n in split["classes"].items())
    images = split["images"]
    bad, copies = images["bad"], images["dropped"]
    used = f"{counted(bad, 'file')} could not be used" if bad else "Every file could be used"
    left = "none is a copy"
    if copies:
        left = f"{counted(copies, 'file')} left out as {'a copy' if copies == 1 else 'copies'}"
    said = f"Training images: {trained}. {used}; {left} of an image in an earlier split."
    return f"{said} {reviewed(split['reviewed'])}" if split.get("reviewed") else said


def reviewed(reviews: Sequence[Mapping[str, str]]) -> str:
    """Return how many images people marked, and what was done."""
    changed = sum(review["label"] != "" for review in reviews)
    return (
        f"People marked {counted(len(reviews), 'image')}; of these, {changed} got another label "
        f"and the others ({len(reviews) - changed}) are left out."
    )


def _skipped(found: Figures) -> str:
    return f"Not measured: {found['skipped']}." if "skipped" in found else ""


def _share(found: Figures, name: str) -> str:
    low, high = found[f"{name}_low"], found[f"{name}_high"]
    return f"{percent(found[name])} ({100 * low:.1f} to {100 * high:.1f})"
