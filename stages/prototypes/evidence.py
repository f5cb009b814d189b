"""What the logit of a class consists of: similarity to its own prototypes, or a bias."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from twincam.explanations.prototypes.contributions import LastLayer
from twincam.files.metrics import Estimate
from twincam.statistics.estimates import mean
from twincam.statistics.intervals import stratified_resamples


def evidence_figures(
    similar: np.ndarray, labels: np.ndarray, layer: LastLayer, classes: Sequence[str], seed: int
) -> dict[str, Any]:
    """Return by class what its logit consists of, and whether similarity or its absence decides.

    Over the ``n`` images of the class: ``bias``; ``contribution``, the mean sum of its prototypes'
    contributions, with a 95 % bootstrap interval; ``mainly_bias``, whether the bias is larger. The
    images of a class are set apart because its own prototypes contribute more than in other images,
    or because the other classes' prototypes contribute less: ``presence`` is the first's share of
    both, with a bootstrap interval stratified by class. Near 0 the class is recognised by the
    absence of the others; None if neither sets it apart.

    Args:
        similar: best similarities ``[N,P]``.
        labels: class indices ``[N]``.
        layer: the weights.
        classes: the K labels.
        seed: of the bootstraps.
    """
    given = (similar.astype(float) * layer.weight) @ np.eye(len(classes))[layer.owner]
    found: dict[str, Any] = {}
    for k, name in enumerate(classes):
        own = labels == k
        if not own.any() or own.all():
            continue
        others = np.delete(given, k, axis=1).mean(axis=1)
        draws = stratified_resamples(own, seed, "presence", name)
        shares = [_presence(given[rows, k], others[rows], own[rows]) for rows in draws]
        defined = [share for share in shares if not np.isnan(share)] or [float("nan")]
        low, high = np.percentile(defined, [2.5, 97.5])
        presence = _presence(given[:, k], others, own)
        contribution = mean(given[own, k], seed, "points", name)
        found[name] = {
            "n": int(own.sum()),
            "bias": float(layer.bias[k]),
            "contribution": contribution,
            "mainly_bias": bool(layer.bias[k] > contribution.value),
            "presence": Estimate(presence, float(low), float(high), len(labels)),
        }
    return found


def _presence(mine: np.ndarray, others: np.ndarray, own: np.ndarray) -> float:
    more = max(0.0, float(mine[own].mean() - mine[~own].mean()))
    less = max(0.0, float(others[~own].mean() - others[own].mean()))
    return more / (more + less) if more + less > 0 else float("nan")
