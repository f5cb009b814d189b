"""Groups never cross splits, order does not matter, and a new image moves no other."""

import hashlib

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from stages.split.assignment import divide
from stages.split.groups import components
from stages.split.params import Split
from twincam.determinism import derived_seed

SETTINGS = st.builds(
    Split,
    seed=st.integers(0, 99),
    val_fraction=st.floats(0.1, 0.45),
    test_fraction=st.sampled_from([0.0, 0.2, 0.45]),
    near_duplicate_distance=st.just(10),
)
ROW = st.tuples(
    st.sampled_from("ab"), st.integers(0, 30), st.sampled_from(["", "", "x", "y"]), st.booleans()
)
ROWS = st.lists(ROW, min_size=2, max_size=40)
SPLITS = st.lists(st.sampled_from(["train", "val", "test"]), min_size=40, max_size=40)
PAIRS = st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=6)


def table(rows: list[tuple[str, int, str, bool]]) -> pd.DataFrame:
    """Return images with few contents and manifest groups, so that many are linked."""
    return pd.DataFrame(
        {
            "id": [f"{n:03}" for n in range(len(rows))],
            "path": [f"{label}/{n:03}.png" for n, (label, *_) in enumerate(rows)],
            "label": [label for label, *_ in rows],
            "split": "",
            "sha256": [hashlib.sha256(bytes([content])).hexdigest() for _, content, *_ in rows],
            "group": [group for *_, group, _ in rows],
            "left_out": [out and content % 5 == 0 for _, content, _, out in rows],
        }
    )


def links(pairs: list[tuple[int, int]], count: int) -> np.ndarray:
    inside = sorted({(min(pair), max(pair)) for pair in pairs if max(pair) < count})
    return np.array([pair for pair in inside if pair[0] < pair[1]], int).reshape(-1, 2)


@given(ROWS, PAIRS, SETTINGS, SPLITS, st.booleans())
def test_linked_images_are_never_in_two_splits(
    rows: list, pairs: list, settings: Split, splits: list[str], is_given: bool
) -> None:
    images, near = table(rows), links(pairs, len(rows))
    if is_given:
        images["split"] = splits[: len(rows)]
    kept, leaks = divide(images, is_given, settings, near)
    linked = pd.Series(components(images, near), images.index)[kept.index]
    assert (kept.groupby(linked)["split"].nunique() == 1).all()
    assert (kept.groupby("group")["split"].nunique() == 1).all()
    assert len(kept) + len(leaks) >= len(rows) - images["left_out"].sum()
    if is_given:
        assert (kept["split"] == images["split"][kept.index]).all()
        assert not {leak["path"] for leak in leaks} & set(kept["path"])


@given(ROWS, PAIRS, SETTINGS, st.randoms(use_true_random=False))
def test_the_order_of_the_listing_does_not_matter(
    rows: list, pairs: list, settings: Split, random: np.random.RandomState
) -> None:
    images, near = table(rows), links(pairs, len(rows))
    order = list(range(len(rows)))
    random.shuffle(order)
    place = np.argsort(order)
    shuffled = images.iloc[order].reset_index(drop=True)
    one, _ = divide(images, False, settings, near)
    other, _ = divide(shuffled, False, settings, place[near])
    assert one.set_index("path")["split"].to_dict() == other.set_index("path")["split"].to_dict()


@given(st.lists(st.sampled_from("ab"), min_size=12, max_size=40), SETTINGS, st.sampled_from("ab"))
def test_a_new_image_moves_no_other_where_every_split_has_every_class(
    labels: list[str], settings: Split, label: str
) -> None:
    rows = [(one, n, "", False) for n, one in enumerate(labels)]
    before, _ = divide(table(rows), False, settings, links([], 0))
    images = table([*rows, (label, 200, "", False)])
    after, _ = divide(images, False, settings, links([], 0))
    moved = (before["split"].to_numpy() != after["split"].to_numpy()[:-1]).sum()
    splits = 2 + (settings.test_fraction > 0)
    drawn = [derived_seed(settings.seed, "split", key) / 2.0**63 for key in before["sha256"]]
    bounds = np.cumsum([settings.val_fraction, settings.test_fraction])
    by_hash = pd.crosstab(np.searchsorted(bounds, drawn, side="right"), before["label"])
    full = (by_hash > 0).to_numpy().sum() == 2 * splits
    assert moved <= (0 if full else splits)
