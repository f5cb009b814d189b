import hashlib

import numpy as np
import pandas as pd
import pytest

from stages.split.assignment import assign, check_covered, divide, find_leaks
from stages.split.groups import (
    components,
    dominant_groups,
    duplicate_counts,
    group_names,
    label_conflicts,
)
from stages.split.params import Split
from tests.conftest import user_error


def settings(**changes: float) -> Split:
    known = {"seed": 0, "val_fraction": 0.3, "test_fraction": 0.0, "near_duplicate_distance": 10}
    return Split.model_validate({**known, **changes})


NONE = np.zeros((0, 2), int)


def table(count: int = 0, **columns: list) -> pd.DataFrame:
    """Return images that are unlike each other except as ``columns`` says."""
    count = count or len(next(iter(columns.values())))
    names = columns.pop("path", [f"a/{n:05}.png" for n in range(count)])
    known = {
        "id": [hashlib.sha256(name.encode()).hexdigest()[:12] for name in names],
        "path": names,
        "label": ["a"] * count,
        "split": [""] * count,
        "sha256": [hashlib.sha256(f"content {name}".encode()).hexdigest() for name in names],
        "group": [""] * count,
        "left_out": [False] * count,
    }
    return pd.DataFrame({**known, **columns})


def test_components_join_copies_near_duplicates_and_manifest_groups() -> None:
    images = table(
        sha256=["x", "y", "x", "z", "v", "w", "u"], group=["", "", "", "", "pair", "pair", ""]
    )
    near = np.array([[0, 1], [3, 6]])
    assert components(images, NONE).tolist() == [0, 1, 0, 3, 4, 4, 6]
    assert components(images, near).tolist() == [0, 0, 0, 3, 4, 4, 3]
    assert components(images, near, manifest=False).tolist() == [0, 0, 0, 3, 4, 5, 3]
    assert components(images.drop(index=0), near).tolist() == [0, 1, 2, 3, 3, 2]


def test_group_names() -> None:
    images = table(group=["", "", "one", "one", "two", "", "three"])
    names = group_names(images, np.array([0, 1, 0, 3, 4, 4, 4]))
    ids = images["id"]
    assert names.tolist() == ["one", ids[1], "one", "one", ids[4], ids[4], ids[4]]


def test_duplicates_are_counted_once() -> None:
    images = table(sha256=["x", "x", "x", "y", "z"], group=["g", "", "", "", "g"])
    near = np.array([[0, 1], [0, 3], [1, 3]])
    assert duplicate_counts(images, near) == {"exact": 2, "near": 1}
    assert duplicate_counts(images, NONE) == {"exact": 2, "near": 0}


def test_label_conflicts() -> None:
    images = table(sha256=["x", "y", "x", "y"], label=["a", "a", "b", "a"])
    assert label_conflicts(images) == [
        {"paths": [images["path"][0], images["path"][2]], "labels": ["a", "b"]}
    ]


def test_fractions_hold_in_expectation_for_each_label_and_group_size() -> None:
    for size in (1, 3):
        images = table(12_000)
        images["label"] = ["a", "b", "b"] * 4000
        component = np.arange(12_000) // size * size
        drawn = assign(images, component, settings(val_fraction=0.2, test_fraction=0.1))
        for label in "ab":
            shares = drawn[images["label"] == label].value_counts(normalize=True)
            assert shares["val"] == pytest.approx(0.2, abs=0.025)
            assert shares["test"] == pytest.approx(0.1, abs=0.02)


def splits_of(images: pd.DataFrame, **changes: float) -> dict[str, str]:
    kept, _ = divide(images, False, settings(**changes), NONE)
    return dict(zip(kept["path"], kept["split"], strict=True))


def test_no_image_moves_another() -> None:
    images = table(400)
    before = splits_of(images)
    assert splits_of(images.sample(frac=1, random_state=0, ignore_index=True)) == before
    fewer = images[::2].reset_index(drop=True)
    assert splits_of(fewer).items() <= before.items()
    copies = images.assign(path="z" + images["path"], id="z" + images["id"])
    doubled = splits_of(pd.concat([images, copies], ignore_index=True))
    assert before.items() <= doubled.items()
    assert all(doubled["z" + path] == split for path, split in before.items())
    assert splits_of(images.assign(path="renamed/" + images["path"])) == {
        f"renamed/{path}": split for path, split in before.items()
    }


def test_a_manifest_group_stays_whoever_joins() -> None:
    images = table(group=[f"scene {n // 2}" for n in range(400)])
    before = splits_of(images)
    assert all(before[images["path"][n]] == before[images["path"][n + 1]] for n in range(0, 400, 2))
    more = table(path=[f"0/{n}.png" for n in range(200)], group=[f"scene {n}" for n in range(200)])
    assert before.items() <= splits_of(pd.concat([more, images], ignore_index=True)).items()


def test_another_seed_reassigns_and_a_larger_fraction_keeps() -> None:
    images = table(400)
    before = splits_of(images)
    assert splits_of(images, seed=1) != before
    larger = splits_of(images, val_fraction=0.5)
    assert all(larger[path] == "val" for path, split in before.items() if split == "val")
    tested = splits_of(images, test_fraction=0.2)
    assert set(tested.values()) == {"train", "val", "test"}
    assert all((tested[path] == "val") == (split == "val") for path, split in before.items())


def test_an_image_that_is_left_out_moves_no_other() -> None:
    images = table(400)
    near = np.arange(400).reshape(200, 2)
    before, _ = divide(images, False, settings(), near)
    out = np.arange(400) % 4 == 1
    after, _ = divide(images.assign(left_out=out), False, settings(), near)
    assert after["path"].tolist() == images["path"][~out].tolist()
    columns = ["path", "split", "group"]
    assert after[columns].equals(before.loc[~out, columns])
    absent, _ = divide(images[~out].reset_index(drop=True), False, settings(), NONE)
    assert dict(zip(absent["path"], absent["split"], strict=True)) != dict(
        zip(after["path"], after["split"], strict=True)
    ), "without the images the groups' keys are others"


def test_an_image_that_is_left_out_covers_no_class() -> None:
    for seed in range(20):
        images = small_classes(seed, 2, 6)
        images["left_out"] = images.index % 6 < 3
        kept, _ = divide(images, False, settings(seed=seed), NONE)
        check_covered(kept, ["00", "01"], ["train", "val"], False)


def test_a_copy_of_an_image_that_is_left_out_is_no_leak() -> None:
    images = table(
        path=["train/a", "train/b", "val/a", "val/b"],
        split=["train", "train", "val", "val"],
        sha256=["A", "B", "A", "B"],
        left_out=[True, False, False, False],
    )
    kept, leaks = divide(images, True, settings(), NONE)
    assert kept["path"].tolist() == ["train/b", "val/a"]
    assert [(leak["path"], leak["copy_of"]) for leak in leaks] == [("val/b", "train/b")]


def test_leaks_leave_the_later_split_and_name_the_closest() -> None:
    images = table(
        path=["test/c", "test/d", "test/e", "train/a", "train/b", "val/a", "val/b", "val/c"],
        split=["test", "test", "test", "train", "train", "val", "val", "val"],
        sha256=["E", "D", "C2", "A", "B", "A", "B2", "C"],
        group=["far", "far", "g", "far", "", "", "", "g"],
    )
    near = np.array([[3, 5], [4, 6]])
    leaks = find_leaks(images, components(images, near), near)
    assert [(x["path"], x["kind"], x["copy_of"]) for x in leaks] == [
        ("test/c", "manifest", "train/a"),
        ("test/d", "manifest", "train/a"),
        ("test/e", "manifest", "val/c"),
        ("val/a", "exact", "train/a"),
        ("val/b", "near", "train/b"),
    ]
    kept, dropped = divide(images, True, settings(), near)
    assert dropped == leaks
    assert kept["path"].tolist() == ["train/a", "train/b", "val/c"]
    assert kept["group"].tolist() == ["far", images["id"][4], "g"]
    assert duplicate_counts(kept, near) == {"exact": 0, "near": 0}


def test_a_leak_through_another_image() -> None:
    images = table(path=["train/a", "val/b", "val/c"], split=["train", "val", "val"])
    near = np.array([[0, 1], [1, 2]])
    leaks = find_leaks(images, components(images, near), near)
    assert [(x["path"], x["kind"]) for x in leaks] == [("val/b", "near"), ("val/c", "chain")]


def small_classes(seed: int, classes: int, count: int) -> pd.DataFrame:
    names = [f"{label:02}/{seed} {n}.png" for label in range(classes) for n in range(count)]
    return table(path=names, label=[name[:2] for name in names])


@pytest.mark.parametrize("test_fraction", [0.0, 0.2])
@pytest.mark.parametrize(("classes", "count"), [(12, 10), (30, 3), (2, 3)])
def test_every_class_is_in_every_split_whatever_the_seed(
    classes: int, count: int, test_fraction: float
) -> None:
    wanted = ["train", "val"] + ["test"] * (test_fraction > 0)
    for seed in range(60):
        images = small_classes(seed, classes, count)
        kept, _ = divide(images, False, settings(seed=seed, test_fraction=test_fraction), NONE)
        check_covered(kept, sorted(set(images["label"])), wanted, False)


def test_a_new_image_moves_at_most_the_one_that_filled_its_split() -> None:
    moved = []
    for seed in range(60):
        images = small_classes(seed, 12, 10)
        more = table(path=[f"05/{seed} new.png"], label=["05"])
        before = splits_of(images, seed=seed)
        after = splits_of(pd.concat([images, more], ignore_index=True), seed=seed)
        moved.append([path for path, split in before.items() if after[path] != split])
    assert all(len(paths) <= 1 and all(path[:2] == "05" for path in paths) for paths in moved)
    assert sum(map(len, moved)) <= 3


def test_pairs_across_classes_move_together() -> None:
    for seed in range(60):
        pairs = [f"scene {n}" for n in range(4)]
        names = [f"{label}/{seed} {n}.png" for label in "ab" for n in range(4)]
        images = table(path=names, label=[name[0] for name in names], group=pairs * 2)
        kept, _ = divide(images, False, settings(seed=seed, test_fraction=0.2), NONE)
        assert kept.groupby("group")["split"].nunique().max() == 1
        check_covered(kept, ["a", "b"], ["train", "val", "test"], False)


def test_too_few_groups_name_the_distance() -> None:
    images = table(label=["a"] * 3 + ["b"] * 3)
    near = np.array([[0, 1], [1, 2]])
    kept, _ = divide(images, False, settings(), near)
    message = user_error(
        check_covered, images=kept, labels=["a", "b"], splits=["train", "val"], given=False
    )
    assert "images: 3, independent groups: 1" in message
    assert "split.near_duplicate_distance" in message
    alone = table(1).assign(split="train", group="g")
    message = user_error(
        check_covered, images=alone, labels=["a"], splits=["train", "val"], given=False
    )
    assert message.endswith("needed: one each for train, val; add images"), "no group is at fault"


def test_a_group_that_holds_much_of_a_class_is_named() -> None:
    images = table(20, label=["a"] * 10 + ["b"] * 10, group=["g"] * 3 + [str(n) for n in range(17)])
    (line,) = dominant_groups(images, np.array([[0, 1]]))
    assert "3 of the 10 images of class 'a'" in line
    assert images["path"][0] in line
    assert "split.near_duplicate_distance" in line
    none = np.empty((0, 2), int)
    (line,) = dominant_groups(images, none)
    assert "correct the manifest" in line
    assert "near_duplicate_distance" not in line
    assert dominant_groups(images.assign(group=images["id"]), none) == []
