"""The effective field: where an image moves a similarity."""

import pytest

from stages.protopnet.locality import effective_fields
from tests.protopnet.tiny import pictures, trained


def test_half_of_the_gradient_lies_well_within_what_a_cell_can_see() -> None:
    images, _ = pictures()
    sides = effective_fields(trained().net, images, trained().patches)
    assert sides.shape == (len(trained().patches),)
    assert (sides % 2 == 1).all()
    assert (sides > 1).all()
    assert (sides < trained().net.field[0]).all()


def test_what_lies_outside_the_square_moves_less_than_what_lies_inside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images, _ = pictures()
    found = {}
    for held in (0.1, 0.5, 0.9):
        monkeypatch.setattr("stages.protopnet.locality.HELD", held)
        found[held] = effective_fields(trained().net, images, trained().patches[:1])
    assert found[0.1] < found[0.5] < found[0.9]
    assert found[0.5] - found[0.1] < found[0.9] - found[0.1], "most lies near the middle"
