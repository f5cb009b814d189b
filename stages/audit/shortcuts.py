"""How well the classes can be classified without the image content."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from stages.audit.models import (
    Data,
    best_of,
    candidates,
    chance,
    folds,
    score,
    used_feature,
)
from twincam.determinism import generator
from twincam.files.messages import INDEPENDENT
from twincam.files.metrics import Estimate

FEWEST_SCORED, FEWEST_TRAINED = 12, 5
"""Fewest images in val, and of a class in train, for a meaningful result."""


def too_few(split: pd.DataFrame) -> str | None:
    """Return why this split is too small for an audit, or None."""
    train, val = (split[split["split"] == name] for name in ("train", "val"))
    groups = train.groupby("label")["group"].nunique()
    least = int(groups.reindex(split["label"].unique(), fill_value=0).min())
    if len(val) < FEWEST_SCORED:
        return f"{len(val)} images in val; at least {FEWEST_SCORED} are needed"
    if least < FEWEST_TRAINED:
        return f"{least} {INDEPENDENT} of a class; at least {FEWEST_TRAINED} are needed"
    return None


def audit(
    split: pd.DataFrame,
    features: pd.DataFrame,
    classes: Sequence[str],
    permutations: int,
    seed: int,
    name: str,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Fit models on one descriptor of train and score them on val.

    Args:
        split: ``id, label, split, group`` of N images.
        features: the descriptor of the same images ``[N,F]``.
        classes: the labels, sorted.
        permutations: fits on shuffled labels that estimate chance.
        seed: of folds and permutations.
        name: of the descriptor; for metadata, trees are tried, too.

    Returns:
        ``model, accuracy, auc, n, chance, chance_high, p`` (the share of shuffled fits
        at least as accurate, this fit included) and for metadata each model's figures;
        and for every image of val and test its ``id, split, predicted`` and ``p_<class>``.
    """
    train, val = ((split["split"] == part).to_numpy() for part in ("train", "val"))
    labels = split["label"].to_numpy()
    fitted = Data(features[train], labels[train], split["group"].to_numpy()[train])
    plan = folds(fitted, seed)
    models = candidates(fitted, plan, trees=name == "metadata")
    best = best_of(models, fitted, plan)
    found = {
        key: score(model, fitted, features[val], labels[val], classes)
        for key, model in models.items()
    }
    accuracy = found[best].figures["accuracy"].value
    shuffled = generator(seed, "permutations", name)
    null = chance(models[best], fitted, features[val], labels[val], permutations, shuffled)
    figures = {
        "model": best,
        "n": int(val.sum()),
        **found[best].figures,
        "chance": float(null.mean()),
        "chance_high": float(np.quantile(null, 0.95)),
        "p": float((1 + (null >= accuracy).sum()) / (1 + permutations)),
    }
    if name == "metadata":
        figures |= {key: one.figures for key, one in found.items()}
        models["stump"].fit(fitted.features.to_numpy(), fitted.labels)
        figures["stump"]["feature"] = used_feature(models["stump"], list(features.columns))
    evaluated = split["split"].isin(("val", "test")).to_numpy()
    others = features[evaluated], labels[evaluated]
    p = score(models[best], fitted, *others, classes).probabilities
    table = split.loc[evaluated, ["id", "split"]].reset_index(drop=True)
    table["predicted"] = np.array(classes)[p.argmax(axis=1)]
    return figures, table.assign(**{f"p_{label}": p[:, k] for k, label in enumerate(classes)})


def headlines(details: Mapping[str, Any]) -> dict[str, Estimate]:
    """Return the accuracy of the strongest shortcut in the prepared images."""
    found = [one["accuracy"] for one in details.get("harmonised", {}).values()]
    return {"shortcut_accuracy": max(found)} if found else {}


def sentences(raw: Mapping[str, Any], harmonised: Mapping[str, Any]) -> list[str]:
    """Return the significant results of `audit` as sentences."""
    sentences = []
    for place, found in (("the original files", raw), ("the prepared images", harmonised)):
        significant = {
            name: one
            for name, one in found.items()
            if one["p"] < 0.05 and one["accuracy"].low > one["chance"]
        }
        for name, one in sorted(significant.items(), key=lambda item: -item[1]["accuracy"].value):
            feature = one.get("stump", {}).get("feature") if one["model"] == "stump" else None
            by = f"{name} ({feature})" if feature else name
            sentences.append(
                f"{by[0].upper()}{by[1:]} of {place} correctly classifies "
                f"{100 * one['accuracy'].value:.1f} % of {one['n']} images "
                f"({100 * one['accuracy'].low:.1f} to {100 * one['accuracy'].high:.1f}); "
                f"chance is {100 * one['chance']:.1f} % "
                f"(95th percentile {100 * one['chance_high']:.1f} %)."
            )
        if not significant:
            sentences.append(f"No model of {place} is significantly better than chance.")
    return sentences
