"""A linear discriminant between photographs and their remakes, trained without generators."""

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold

from stages.forensics.describing import TRAINING_VIEWS
from stages.forensics.remakes import REMAKES
from stages.forensics.summary import FOLDS
from twincam.determinism import derived_seed
from twincam.forensics.detector import Discriminant

PENALTY = 10.0


def fit(training: np.ndarray) -> Discriminant:
    """Fit ridge regression to -1 (photograph) and 1 (remake), with a strong penalty.

    Photographs have the same total weight as remakes, and each kind of remake the same.

    Args:
        training: described views ``[N,len(TRAINING_VIEWS),F]``.
    """
    made = np.array(TRAINING_VIEWS)
    photographs = training[:, made == ""].reshape(-1, training.shape[-1])
    centre, spread = photographs.mean(axis=0), photographs.std(axis=0) + 1e-6
    views = training.reshape(-1, training.shape[-1])
    kinds = np.tile(made, len(training))
    remade = kinds != ""
    weights = np.where(remade, 0.5 / len(REMAKES), 0.5 / (made == "").sum()) * len(made)
    ridge = Ridge(alpha=PENALTY * len(views), solver="cholesky")
    ridge.fit((views - centre) / spread, np.where(remade, 1.0, -1.0), sample_weight=weights)
    return Discriminant(centre, spread, ridge.coef_, np.array(ridge.intercept_))


def cross_fit(
    training: np.ndarray, scoring: np.ndarray, groups: Sequence[object], seed: int
) -> tuple[np.ndarray, list[Discriminant]]:
    """Score every photograph by a model that was not fitted on it or its copies.

    Args:
        training: of N photographs ``[N,len(TRAINING_VIEWS),F]``.
        scoring: of the same ``[N,V,F]``.
        groups: ``[N]``, equal for copies; at least `FOLDS` distinct ones.
        seed: of the folds.

    Returns:
        Scores ``[N]`` and the `FOLDS` models.
    """
    folds = GroupKFold(FOLDS, shuffle=True, random_state=derived_seed(seed, "traces") % 2**32)
    scores, models = np.zeros(len(training)), []
    for fitted, held_out in folds.split(training, groups=groups):
        models.append(fit(training[fitted]))
        scores[held_out] = models[-1].score(scoring[held_out])
    return scores, models
