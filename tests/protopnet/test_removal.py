"""A person takes a prototype out: the others stay what they are, and the cost is said."""

import numpy as np
import pytest
import torch

from stages.protopnet.marks import erase, plant
from stages.protopnet.params import Params, Removal
from stages.protopnet.removal import (
    change_figures,
    removal_figures,
    remove_prototypes,
    require_removable,
)
from stages.protopnet.training import fit_prototypes
from tests.protopnet.tiny import LABELS, ROWS, SETTINGS, fitted, network, pictures, scene, trunk
from twincam.determinism import Run
from twincam.files.errors import UserError
from twincam.models.params import Model


def removals(*ids: int) -> list[Removal]:
    return [Removal(id=number, reason=f"reason {number}") for number in ids]


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
        require_removable(removals(*ids), 6)
    assert "\n" not in str(caught.value)


def test_some_can_be_removed() -> None:
    require_removable(removals(5, 0), 6)
    require_removable([], 6)


def test_the_removed_give_nothing_and_all_but_the_last_layer_stays() -> None:
    before = {name: tensor.clone() for name, tensor in fitted().net.state_dict().items()}
    found = remove_prototypes(fitted(), LABELS, [0, 4], SETTINGS)
    assert found.net.points[[0, 4]].tolist() == [0, 0]
    assert (found.net.points[[1, 2, 3, 5]] > 0).all()
    for name, tensor in found.net.state_dict().items():
        assert torch.equal(before[name], fitted().net.state_dict()[name]), "the first is changed"
        if name not in ("points", "bias"):
            assert torch.equal(tensor, before[name]), name
    assert np.array_equal(found.source, fitted().source)
    assert not np.array_equal(found.refitted, fitted().refitted)
    assert not torch.equal(found.net.points[[1, 2]], before["points"][[1, 2]]), "no refit"


def test_a_class_may_lose_all_of_its_prototypes() -> None:
    found = remove_prototypes(fitted(), LABELS, [0, 1, 2], SETTINGS)
    assert (found.refitted[:, 0] == found.net.bias[0].item()).all()
    assert (found.refitted.argmax(axis=1) == LABELS).mean() > 0.8, "told by absence alone"


def test_fitting_does_not_depend_on_what_is_removed_after_it() -> None:
    settings = SETTINGS.model_copy(update={"remove": removals(0)})
    again = fit_prototypes(network(), pictures()[0], ROWS, LABELS, ROWS, settings, 0)
    assert np.array_equal(again.source, fitted().source)
    assert torch.equal(again.net.points, fitted().net.points)


def params(*ids: int) -> Params:
    settings = SETTINGS.model_copy(update={"remove": removals(*ids)})
    model = Model(arch="resnet18", weights="none", weights_file="data/none", normalisation="native")
    return Params(seed=0, run=Run(threads=1), model=model, real_class="b", protopnet=settings)


def test_the_cost_is_said_with_and_without_the_mark() -> None:
    known = scene()
    marks = known.marks.copy()
    marks[:6] = 0
    known = known._replace(marks=marks)
    without = remove_prototypes(fitted(), LABELS, [0, 1], SETTINGS)
    found = removal_figures(known, fitted(), without, trunk(), params(0, 1))
    assert found["ids"] == [0, 1]
    assert found["reasons"] == ["reason 0", "reason 1"]
    assert found["all"]["n"] == 16
    assert found["all"]["after"] == (without.refitted.argmax(axis=1) == LABELS).mean()
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
    assert sides["a"]["with_mark"]["before"] == 1
    assert sides["a"]["mark_erased"]["before"] < 0.5, "the mark is all that tells class a"


def test_without_marks_nothing_is_said_of_them() -> None:
    found = removal_figures(scene(known=False), fitted(), fitted(), trunk(), params(0))
    assert "by_mark" not in found
    assert found["all"]["change"]["difference"] == 0


def test_a_change_is_paired() -> None:
    before, after = np.arange(40) < 30, np.ones(40, bool)
    found = change_figures(before, after, 0)
    assert (found["before"], found["after"], found["change"]["difference"]) == (0.75, 1.0, 0.25)
    assert found["change"]["low"] > 0
    assert found["p"] < 0.01


def test_an_erased_mark_is_filled_from_around_and_a_planted_one_is_copied() -> None:
    image = np.full((224, 224, 3), (90, 120, 150), np.uint8)
    mask = np.zeros((224, 224), np.uint8)
    mask[100:110, 100:110] = 255
    marked = plant(image, np.full_like(image, 255), mask)
    assert (marked != image).any(axis=2).sum() == 100
    marked[99:111, 99:111] = np.where(marked[99:111, 99:111] == 255, 255, 200)
    assert np.array_equal(erase(marked, mask), image), "the rim goes too"
