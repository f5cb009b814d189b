"""The effective field: where an image moves a similarity."""

import pytest

from stages.protopnet.locality import effective_fields
from tests.protopnet.tiny import STRIDE, fitted, pictures, trunk
from twincam.models.network import receptive_field


def test_half_of_the_gradient_lies_well_within_what_a_cell_can_see() -> None:
    images, _ = pictures()
    made = trunk()
    sides = effective_fields(fitted().net, made, images, fitted().source, STRIDE)
    assert sides.shape == (len(fitted().source),)
    assert (sides % 2 == 1).all()
    assert (sides > 1).all()
    assert (sides < receptive_field(made.blocks, fitted().net.after_block)[0]).all()


def test_what_lies_outside_the_square_moves_less_than_what_lies_inside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images, _ = pictures()
    found = {}
    for held in (0.1, 0.5, 0.9):
        monkeypatch.setattr("stages.protopnet.locality.HELD", held)
        found[held] = effective_fields(fitted().net, trunk(), images, fitted().source[:1], STRIDE)
    assert found[0.1] < found[0.5] < found[0.9]
    assert found[0.5] - found[0.1] < found[0.9] - found[0.1], "most lies near the middle"
