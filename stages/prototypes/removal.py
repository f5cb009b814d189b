"""Remove prototypes that a person objects to: only the last layer is refitted."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from stages.prototypes.last_layer import Fits
from stages.prototypes.params import Removal
from stages.prototypes.run import Run
from twincam.explanations.prototypes.contributions import layer_logits
from twincam.files.errors import UserError
from twincam.statistics.estimates import difference, share
from twincam.statistics.intervals import mcnemar


def require_removable(remove: Sequence[Removal], count: int) -> None:
    """Check that each of ``remove`` is one of ``count`` prototypes, named once, and some stay.

    Raises:
        UserError: they are not.
    """
    ids = [removal.id for removal in remove]
    unknown = sorted({number for number in ids if number >= count})
    if unknown:
        raise UserError(
            f"prototypes.remove names prototype {unknown[0]}; allowed: 0 to {count - 1} "
            "(reports/prototypes.csv lists them)"
        )
    if len(set(ids)) < len(ids):
        twice = next(number for number in ids if ids.count(number) > 1)
        raise UserError(f"prototypes.remove names prototype {twice} twice; name it once")
    if len(ids) == count:
        raise UserError(f"prototypes.remove names all {count} prototypes; leave at least one")


def removal_figures(run: Run, fits: Fits, remove: Sequence[Removal], seed: int) -> dict[str, Any]:
    """Return what was removed and how that changed the accuracy, with paired intervals.

    ``all`` evaluated images and, where some carry a known mark, ``by_mark``: of each class those
    ``with_mark`` and ``without_mark``, and the pictures of `Measurements.changed`; each as
    `change_figures`.

    Args:
        run: the images and their similarities.
        fits: the last layers with all prototypes and without those removed.
        remove: what is removed.
        seed: of the bootstraps.
    """
    truth, marked = run.evaluated_labels, run.marked
    before, after = (one.logits.argmax(axis=1) == truth for one in (fits.all, fits.kept))
    found: dict[str, Any] = {
        "ids": [removal.id for removal in remove],
        "reasons": [removal.reason for removal in remove],
        "all": change_figures(before, after, seed),
    }
    if not marked.any():
        return found
    cases: dict[tuple[int, str], tuple[np.ndarray, np.ndarray]] = {}
    for k in np.unique(truth):
        for name, which in (("with_mark", marked), ("without_mark", ~marked)):
            own = which & (truth == k)
            cases[int(k), name] = before[own], after[own]
    changed = run.measured.changed
    for k, name in changed.drop_duplicates().itertuples(index=False):
        own = (changed["class_index"] == k) & (changed["change"] == name)
        best = run.measured.changed_similarity[own.to_numpy()]
        right = [layer_logits(one.layer, best).argmax(axis=1) == k for one in (fits.all, fits.kept)]
        cases[k, name] = right[0], right[1]
    found["by_mark"] = {
        run.classes[k]: {
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
        before: bool ``[N]``, N at least 1, whether correct before.
        after: bool ``[N]``, whether correct after.
        seed: of the bootstrap.
        names: of the bootstrap.
    """
    return {
        "n": len(before),
        "before": share(before),
        "after": share(after),
        "change": difference(after, before, seed, "removal", *names),
        "p": mcnemar(before, after),
    }
