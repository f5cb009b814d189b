"""What is written of each prototype: its nearest patches, and what they lie on."""

import numpy as np
import pandas as pd
import pytest

from stages.prototypes.comparison import comparison_figures
from stages.prototypes.parts import NEAREST
from stages.prototypes.sheets import draw_sheets, facts
from stages.prototypes.table import (
    box_share,
    nearest_of,
    nearest_patches,
    peaks_on,
    prototype_table,
    sources_of,
)
from tests.protopnet.tiny import LABELS, trained
from tests.prototypes.tiny import fits, net, run
from twincam.explanations.prototypes.best_cells import Matches
from twincam.explanations.prototypes.places import Field, cell_centre

FIELD = Field(side=20, stride=16, first=8, cells=14)


def test_nearest_patches_are_sorted_and_leave_the_source_out() -> None:
    similarity = np.linspace(0, 1, 24).reshape(12, 2)
    cells = np.arange(48).reshape(12, 2, 2)
    rows = np.arange(100, 112)
    near = nearest_patches(Matches(similarity, cells), rows, np.array([111, 5]))
    assert near.rows.shape == (2, NEAREST)
    assert near.rows[0].tolist() == list(range(110, 100, -1))
    assert near.rows[1].tolist() == list(range(111, 101, -1))
    assert near.cells[1, 0].tolist() == cells[11, 1].tolist()
    assert near.similarity[1, 0] == similarity[11, 1]
    few = nearest_patches(Matches(similarity[:3], cells[:3]), rows[:3], np.array([100, 101]))
    assert few.rows.tolist() == [[102, 101], [102, 100]]


def test_a_box_is_shared_by_what_fills_it_and_unknown_without_masks() -> None:
    masks = np.zeros((2, 224, 224), np.uint8)
    masks[1, 56:72, :] = 255
    cells = np.array([[4, 4], [4, 4], [0, 0]])
    shares = box_share(masks, np.array([1, 0, 1]), cells, FIELD)
    assert shares == pytest.approx([0.5, 0, 0])
    masks[1, :24, :24] = 255
    cut = box_share(masks, np.array([1]), cells[2:], FIELD)
    assert cut == pytest.approx([1]), "cut at the border"
    assert np.isnan(box_share(masks[:0], np.array([1, 0]), cells[:2], FIELD)).all()


def test_a_prototype_that_answers_to_marks_is_found_whatever_its_own_patch() -> None:
    masks = np.zeros((4, 224, 224), np.uint8)
    masks[1:, 60:68, 60:68] = 255
    masks[3] = 0
    cells = np.array([[[4, 4], [0, 0]], [[4, 4], [4, 4]], [[4, 4], [9, 9]], [[4, 4], [4, 4]]])
    found = Matches(np.ones((4, 2)), cells)
    assert peaks_on(masks, np.arange(4), found, FIELD).tolist() == [1.0, 0.5]
    assert np.isnan(peaks_on(masks[:0], np.arange(4), found, FIELD)).all()
    assert np.isnan(peaks_on(np.zeros_like(masks), np.arange(4), found, FIELD)).all()


def table(*, known: bool = True, removed: dict[int, str] | None = None) -> pd.DataFrame:
    some = run(known=known)
    layer = fits().kept.layer
    return prototype_table(some, layer, net().field, nearest_of(some), removed or {})


def described(*, known: bool, removed: dict[int, str] | None = None) -> list[dict[str, object]]:
    rows = table(known=known, removed=removed).to_dict("records")
    return [{str(key): value for key, value in row.items()} for row in rows]


def test_a_prototype_on_a_mark_says_so() -> None:
    rows = described(known=True)
    on_mark = [row for row in rows if float(str(row["on_mark"])) > 0]
    assert on_mark
    assert {row["class"] for row in on_mark} == {"a"}, "only these are marked"
    assert any("lies on a mark" in line for line in facts(on_mark[0], 64))
    assert any("lies on a known defect" in line for line in facts(on_mark[0], 64))
    clean = next(row for row in rows if row["on_mark"] == 0)
    assert not any("lies on a mark" in line for line in facts(clean, 64))
    assert all(row["on_mark"] == row["on_defect"] for row in rows if row["class"] == "a")


def test_where_nothing_is_known_nothing_is_said() -> None:
    for row in described(known=False):
        assert np.isnan(float(str(row["on_mark"])))
        assert len(facts(row, 64)) == 2


def test_shares_are_of_the_prototypes_class_among_its_nearest() -> None:
    near = nearest_of(run())[0]
    for prototype, row in enumerate(described(known=True)):
        own = LABELS[near.rows[prototype]] == net().owner[prototype].item()
        assert row["train_share"] == own.mean()
        source = LABELS[trained().patches[prototype, 0]]
        assert row["class"] == ["a", "b"][source]


def test_a_sheet_names_what_was_removed_and_why() -> None:
    row = described(known=False, removed={2: "it shows a mark"})[2]
    assert "removed by a person: it shows a mark" in facts(row, 64)[0]


def test_every_prototype_has_a_sheet_that_repeats() -> None:
    near = nearest_of(run())
    first, second = (
        [sheet.tobytes() for sheet in draw_sheets(table(), run(), near, net().field)]
        for _ in range(2)
    )
    assert first == second
    assert len(set(first)) == len(table()) == 6


def test_sources_name_the_file_and_the_place_of_each_prototype() -> None:
    for source, (row, *cell) in zip(sources_of(table()), trained().patches, strict=True):
        assert source.path == run().split["path"][row]
        assert source.centre == cell_centre(cell, net().field)


def test_models_are_compared_with_the_classifier_on_the_same_images() -> None:
    labels = np.repeat([0, 1], 20)
    classifier, worse = np.eye(2)[labels], np.eye(2)[np.where(np.arange(40) < 10, 1, labels)]
    found = comparison_figures(labels, classifier, {"worse": worse, "same": classifier}, 0)
    assert found["classifier"]["accuracy"].value == 1
    assert found["worse"]["accuracy"].value == found["worse"]["balanced_accuracy"] == 0.75
    apart = found["worse"]["over_classifier"]
    assert apart.low < apart.value == -0.25 < apart.high < 0
    assert found["worse"]["p"] < 0.01
    assert found["same"]["p"] == 1
