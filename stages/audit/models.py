"""Fit models on descriptors, score them on held-out images, and estimate chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, make_scorer
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from twincam.determinism import derived_seed
from twincam.statistics.estimates import share
from twincam.statistics.ranking import mean_auc
from twincam.statistics.sampling import complete_folds

PENALTIES = (0.001, 0.01, 0.1, 1.0, 10.0)
"""Inverse strengths of the logistic regressions' L2 penalty, cross-validated on train."""


@dataclass(frozen=True)
class Data:
    """Descriptors ``[N,F]`` with the labels and groups of the same images."""

    features: pd.DataFrame
    labels: np.ndarray
    groups: np.ndarray


@dataclass(frozen=True)
class Scored:
    """The figures of one model and its probabilities ``[M,K]`` for the scored images."""

    figures: dict[str, Any]
    probabilities: np.ndarray


def folds(data: Data, seed: int, most: int = 5) -> StratifiedGroupKFold:
    """Return up to ``most`` folds that keep groups together; each class has at least 2 groups."""
    frame = pd.DataFrame({"label": data.labels, "group": data.groups})
    count = min(most, int(frame.groupby("label")["group"].nunique().min()))
    return StratifiedGroupKFold(
        count, shuffle=True, random_state=derived_seed(seed, "folds") % 2**32
    )


def logistic(penalty: float) -> Any:
    """Return a logistic regression on standardised descriptors."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=2000))


def tree(depth: int) -> Any:
    """Return a decision tree; at depth 1 it is a stump, which uses one feature."""
    return DecisionTreeClassifier(max_depth=depth, random_state=0)


def best_logistic(data: Data, split: StratifiedGroupKFold) -> Any:
    """Return the logistic regression of lowest cross-validated loss on ``data``.

    Without `complete_folds` the most penalised one is returned.
    """
    features, labels = data.features.to_numpy(), data.labels
    classes = np.unique(labels)
    complete = complete_folds(split.split(features, labels, data.groups), labels)
    if not complete:
        return logistic(min(PENALTIES))
    loss = make_scorer(
        log_loss, response_method="predict_proba", greater_is_better=False, labels=classes
    )
    penalties = {"logisticregression__C": PENALTIES}
    search = GridSearchCV(logistic(1.0), penalties, scoring=loss, cv=complete, refit=False)
    search.fit(features, labels)
    return logistic(search.best_params_["logisticregression__C"])


def candidates(data: Data, split: StratifiedGroupKFold, *, trees: bool) -> dict[str, Any]:
    """Return the models to try by name, the simplest first."""
    simple = {"stump": tree(1), "tree": tree(3)} if trees else {}
    return {**simple, "logistic": best_logistic(data, split)}


def best_of(models: Mapping[str, Any], data: Data, split: StratifiedGroupKFold) -> str:
    """Return the name of the model with the best cross-validated accuracy, the first of equals."""
    accuracy = {
        name: cross_val_score(
            model, data.features.to_numpy(), data.labels, groups=data.groups, cv=split
        ).mean()
        for name, model in models.items()
    }
    return max(accuracy, key=lambda name: accuracy[name])


def score(
    model: Any, train: Data, features: pd.DataFrame, labels: np.ndarray, classes: Sequence[str]
) -> Scored:
    """Fit ``model`` on ``train`` and score it on ``features`` ``[M,F]`` with ``labels`` ``[M]``."""
    model.fit(train.features.to_numpy(), train.labels)
    p = model.predict_proba(features.to_numpy())
    right = np.array(classes)[p.argmax(axis=1)] == labels
    return Scored({"accuracy": share(right), "auc": mean_auc(labels, p, classes)}, p)


def chance(
    model: Any,
    train: Data,
    features: pd.DataFrame,
    labels: np.ndarray,
    permutations: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the accuracies ``[permutations]`` of ``model`` fitted on shuffled labels of train."""
    fitted, scored = train.features.to_numpy(), features.to_numpy()
    return np.array(
        [
            (model.fit(fitted, rng.permutation(train.labels)).predict(scored) == labels).mean()
            for _ in range(permutations)
        ]
    )


def used_feature(model: Any, names: Sequence[str]) -> str | None:
    """Return the feature that a fitted stump uses, None if it uses none."""
    first = int(model.tree_.feature[0])
    return names[first] if first >= 0 else None
