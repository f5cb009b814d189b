"""What simpler readers of the same patches reach: no learning, and no constraint."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from stages.protopnet.params import ProtoPNet
from stages.protopnet.training import best_similarities, fit_last_layer, logits, placed, project
from twincam.models.network import Network

STRENGTH = 1.0
"""Inverse strength of the logistic regression's squared penalty, scikit-learn's default."""


def k_means_logits(
    network: Network,
    images: np.ndarray,
    rows: np.ndarray,
    labels: np.ndarray,
    watched: np.ndarray,
    settings: ProtoPNet,
    seed: int,
) -> np.ndarray:
    """Return logits ``[V,K]`` of prototypes that are k-means centres: nothing is trained.

    They start as the prototype network's do, are projected onto patches as its are, and its last
    layer is fitted to them; only the training between is left out.

    Args:
        network: the fine-tuned classifier, before joint training has changed its blocks; it stays
            as it is.
        images: bytes ``[M,S,S,3]``.
        rows: the training images, ``[N]``.
        labels: their class indices, ``[N]``.
        watched: rows to give logits for, ``[V]``.
        settings: block ``protopnet``.
        seed: of k-means.
    """
    net = placed(network, images, rows, labels, settings, seed)
    project(net, network, images, rows, labels)
    best, seen = (best_similarities(net, network, images, some) for some in (rows, watched))
    fit_last_layer(net, best, labels, settings)
    return logits(net, seen)


def logistic_logits(
    best_train: np.ndarray, labels: np.ndarray, best_eval: np.ndarray
) -> np.ndarray:
    """Return logits ``[V,K]`` of a logistic regression on maximal similarities.

    Any prototype may speak for or against any class. Similarities are standardised by the training
    images', classes weigh alike. Logits of two classes are plus and minus half the log-odds.

    Args:
        best_train: best similarities of the training images, ``[N,P]``.
        labels: their class indices, ``[N]``; every class 0 to K-1 is there.
        best_eval: best similarities to judge, ``[V,P]``.
    """
    regression = LogisticRegression(C=STRENGTH, class_weight="balanced", tol=1e-8, max_iter=10_000)
    with threadpool_limits(1):
        model = make_pipeline(StandardScaler(), regression)
        model.fit(best_train.astype(float), labels)
        odds = model.decision_function(best_eval.astype(float))
    return np.stack([-odds / 2, odds / 2], axis=1) if odds.ndim == 1 else np.asarray(odds)
