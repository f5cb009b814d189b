"""Verdicts in words that claim no more than the evidence supports.

A model trained on some generators can report that an image looks like their images. It can never
report that a photograph is real, only that it finds no trace of these generators.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twincam.confidence.verdicts import FOUND, UNSURE
from twincam.files.predictions import split_names

if TYPE_CHECKING:
    import pandas as pd


def statements(table: pd.DataFrame, real_class: str | None) -> list[str]:
    """Return the verdict on each of N images as a sentence.

    Args:
        table: ``predicted, set, weak, traces, unsure`` of N images.
        real_class: the class of genuine images; None where there is none.
    """
    return [
        unsure_statement(
            row["predicted"],
            split_names(row["set"]),
            weak=row["weak"],
            traced=row["traces"] == FOUND,
        )
        if row["unsure"]
        else sure_statement(row["predicted"], real_class)
        for row in table[["predicted", "set", "weak", "traces", "unsure"]].to_dict("records")
    ]


def sure_statement(predicted: str, real_class: str | None) -> str:
    """Return the verdict on an image whose prediction nothing contradicts."""
    if predicted == real_class:
        return "no trace of the generators seen in training"
    return f"looks like the {predicted} images seen in training"


def unsure_statement(predicted: str, held: Sequence[str], *, weak: bool, traced: bool) -> str:
    """Return the verdict on an image that is unsure, and why.

    Args:
        predicted: the class.
        held: the classes in its prediction set.
        weak: whether the margin is below the least.
        traced: whether traces contradict the prediction.
    """
    reasons = [f"the evidence for {predicted} is weak"] if weak else []
    if len(held) > 1:
        reasons.append(f"could be {' or '.join(held)}")
    if traced:
        reasons.append("its finest detail is unlike that of the photographs seen in training")
    return f"{UNSURE} ({'; '.join(reasons)})"


def remark_of(predicted: str, as_is: str) -> str:
    """Return a note if explanations, which are of the unmodified image, explain another class.

    Args:
        predicted: the class, by the mean over deliveries.
        as_is: the class predicted for the unmodified image.
    """
    if as_is == predicted:
        return ""
    return (
        f"The unmodified image is classified as {as_is}: heat map, twins, counterfactual and "
        "prototypes explain that prediction."
    )


def scope_of(
    train: pd.DataFrame,
    real_class: str | None,
    leave_one_source_out: Mapping[str, Any],
    external: Mapping[str, Mapping[str, Any]],
) -> str:
    """Return in sentences what the model was trained on and its recall on other sources.

    Args:
        train: ``label, source`` of the training images.
        real_class: as in `statements`.
        leave_one_source_out: the details of that stage, as in its JSON file.
        external: the figures of other sources, by source, in the same form.
    """
    classes = sorted(train["label"].unique())
    if real_class not in classes:
        return (
            f"The model distinguishes only the classes {', '.join(classes)}, as shown in its "
            "training images."
        )
    generated = train[train["label"] != real_class]
    named = sorted(generated.loc[generated["source"] != "", "source"].unique())
    seen = ", ".join(named) or f"those of the class {', '.join(generated['label'].unique())}"
    sentences = [f"Generators seen in training: {seen}."]
    for label, found in leave_one_source_out.get("macro", {}).items():
        if label != real_class:
            sentences.append(
                f"Of {found['n']} {label} images of {_sources(found, leave_one_source_out['by'])}, "
                f"each excluded from training, {_recall(found)} were recognised."
            )
    for source, found in external.items():
        for label, one in found["per_class"].items():
            if label != real_class:
                sentences.append(
                    f"Of {one['n']} {label} images of {source}, not used in training, "
                    f"{_recall(one)} were recognised."
                )
    if len(sentences) == 1:
        sentences.append(
            "Recall on unseen generators was not measured; expect their images to be missed, "
            "with high confidence."
        )
    return " ".join(sentences)


def _sources(found: Mapping[str, Any], kind: str) -> str:
    count = found["sources"]
    plural = {"source": "sources", "family": "families"}[kind]
    return f"{count} {kind if count == 1 else plural}"


def _recall(found: Mapping[str, Any]) -> str:
    value, low, high = (100 * found[f"recall{end}"] for end in ("", "_low", "_high"))
    return f"{value:.1f} % ({low:.1f} to {high:.1f})"
