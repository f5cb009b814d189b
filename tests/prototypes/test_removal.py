"""A person removes a prototype: the others stay what they are, and the cost is reported."""

import numpy as np
import pytest

from stages.prototypes.removal import change_figures, removal_figures, require_removable
from tests.protopnet.tiny import LABELS
from tests.prototypes.tiny import LAST_LAYER, fits, net, removing, run
from twincam.files.errors import UserError


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        ((6,), "names prototype 6; allowed: 0 to 5"),
        ((2, 9, 7), "names prototype 7; allowed: 0 to 5"),
        ((1, 1), "prototype 1 twice"),
        ((0, 1, 2, 3, 4, 5), "all 6 prototypes"),
    ],
)
def test_what_cannot_be_removed_is_named_in_one_line(ids: tuple[int, ...], words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        require_removable(removing(*ids).remove, 6)
    assert "\n" not in str(caught.value)


def test_some_can_be_removed() -> None:
    require_removable(removing(5, 0).remove, 6)
    require_removable([], 6)


def test_the_removed_have_no_weight_and_the_others_are_fitted_again() -> None:
    before, found = fits(), fits(removing(0, 4))
    assert before.kept is before.all
    weight = found.kept.layer.weight
    assert weight[[0, 4]].tolist() == [0, 0]
    assert (weight[[1, 2, 3, 5]] > 0).all()
    assert np.array_equal(found.all.layer.weight, before.all.layer.weight)
    assert not np.array_equal(weight[[1, 2]], before.all.layer.weight[[1, 2]]), "no refit"
    assert not np.array_equal(found.kept.logits, found.all.logits)
    assert net().weight.tolist() == pytest.approx([20 / 3] * 6), "the network is changed"


def test_a_class_may_lose_all_of_its_prototypes() -> None:
    found = fits(removing(0, 1, 2)).kept
    assert (found.logits[:, 0] == found.layer.bias[0]).all()
    assert (found.logits.argmax(axis=1) == LABELS).mean() > 0.8, "recognised by absence alone"


def test_the_cost_is_given_with_and_without_the_mark() -> None:
    settings = removing(0, 1)
    known, removed = run(marked=tuple(range(6, 16))), fits(settings)
    found = removal_figures(known, removed, settings.remove, 0)
    assert found["ids"] == [0, 1]
    assert found["reasons"] == ["reason 0", "reason 1"]
    assert found["all"]["n"] == 16
    assert found["all"]["after"].value == (removed.kept.logits.argmax(axis=1) == LABELS).mean()
    sides = found["by_mark"]
    assert {name: case["n"] for name, case in sides["a"].items()} == {
        "with_mark": 5,
        "without_mark": 3,
        "mark_erased": 5,
    }
    assert {name: case["n"] for name, case in sides["b"].items()} == {
        "without_mark": 8,
        "mark_planted": 8,
        "other_planted": 8,
    }
    assert sides["a"]["with_mark"]["before"].value == 1
    assert sides["a"]["mark_erased"]["before"].value < 0.5, "only the mark tells class a"


def test_without_marks_nothing_is_reported_of_them() -> None:
    settings = removing(0)
    same = fits(LAST_LAYER)
    found = removal_figures(run(known=False), same, settings.remove, 0)
    assert "by_mark" not in found
    assert found["all"]["change"].value == 0


def test_a_change_is_paired() -> None:
    before, after = np.arange(40) < 30, np.ones(40, bool)
    found = change_figures(before, after, 0)
    assert [found[name].value for name in ("before", "after", "change")] == [0.75, 1.0, 0.25]
    assert found["change"].low > 0
    assert found["p"] < 0.01
