"""Take out prototypes that a person objects to: only the last layer is fitted again."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from stages.protopnet.marks import changed_pictures
from stages.protopnet.params import Params, ProtoPNet, Removal
from stages.protopnet.scene import Scene
from stages.protopnet.training import Fitted, best_similarities, fit_last_layer, logits
from twincam.files.errors import UserError
from twincam.models.network import Network
from twincam.statistics.intervals import mcnemar, paired_difference, share_with_interval


def require_removable(remove: Sequence[Removal], count: int) -> None:
    """Check that each of ``remove`` is one of ``count`` prototypes, named once, and some stay.

    Raises:
        UserError: it is not so.
    """
    ids = [removal.id for removal in remove]
    unknown = sorted({number for number in ids if number >= count})
    if unknown:
        raise UserError(
            f"protopnet.remove names prototype {unknown[0]}; allowed: 0 to {count - 1} "
            "(reports/prototypes.csv lists them)"
        )
    if len(set(ids)) < len(ids):
        twice = next(number for number in ids if ids.count(number) > 1)
        raise UserError(f"protopnet.remove names prototype {twice} twice; name each once")
    if len(ids) == count:
        raise UserError(f"protopnet.remove names all {count} prototypes; leave at least one")


def remove_prototypes(
    fitted: Fitted, labels: np.ndarray, ids: Sequence[int], settings: ProtoPNet
) -> Fitted:
    """Return the network with no points for ``ids`` and its last layer fitted to the others.

    All else stays, so that an id means the same prototype before and after. ``fitted`` is left as
    it is.

    Args:
        fitted: the network, with the similarities of its training images.
        labels: class indices of these, ``[N]``.
        ids: positions of prototypes; at least one other stays.
        settings: the penalties.
    """
    net = copy.deepcopy(fitted.net)
    fit_last_layer(net, fitted.known.similarity, labels, settings, ids)
    return replace(fitted, net=net, refitted=logits(net, fitted.seen.similarity))


def removal_figures(
    scene: Scene, full: Fitted, fitted: Fitted, network: Network, params: Params
) -> dict[str, Any]:
    """Return what was removed and what it cost or brought, with paired intervals.

    ``all`` evaluated images and, where some carry a known mark, ``by_mark``: of each class those
    ``with_mark`` and ``without_mark``, and the pictures of `marks.changed_pictures`; each as
    `change_figures`.

    Args:
        scene: the images.
        full: the network with all prototypes.
        fitted: the network without those removed, at least one.
        network: whose blocks both stand on.
        params: name what is removed.
    """
    seed, truth, marked = params.seed, scene.truth, scene.marked
    before, after = (one.refitted.argmax(axis=1) == truth for one in (full, fitted))
    found: dict[str, Any] = {
        "ids": [removal.id for removal in params.protopnet.remove],
        "reasons": [removal.reason for removal in params.protopnet.remove],
        "all": change_figures(before, after, seed),
    }
    if not marked.any():
        return found
    cases: dict[tuple[int, str], tuple[np.ndarray, np.ndarray]] = {}
    for k in np.unique(truth):
        for name, which in (("with_mark", marked), ("without_mark", ~marked)):
            own = which & (truth == k)
            cases[int(k), name] = before[own], after[own]
    for case, pictures in changed_pictures(scene, seed).items():
        best = best_similarities(full.net, network, pictures, np.arange(len(pictures)))
        right = [logits(one.net, best).argmax(axis=1) == case[0] for one in (full, fitted)]
        cases[case] = right[0], right[1]
    found["by_mark"] = {
        scene.classes[k]: {
            name: change_figures(*right, seed, k, name)
            for (of, name), right in cases.items()
            if of == k and len(right[0])
        }
        for k in np.unique(truth)
    }
    return found


def change_figures(
    before: np.ndarray, after: np.ndarray, seed: int, *names: object
) -> dict[str, Any]:
    """Return two accuracies on the same images, the second minus the first, and McNemar's p.

    Args:
        before: bool ``[N]``, N at least 1, what was right.
        after: bool ``[N]``, what is right.
        seed: of the bootstrap.
        names: of the bootstrap.
    """
    return {
        "n": len(before),
        **share_with_interval("before", before),
        **share_with_interval("after", after),
        "change": paired_difference(after, before, seed, "removal", *names),
        "p": mcnemar(before, after),
    }
