import hashlib

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from stages.split.assignment import assign, divide, find_leaks
from stages.split.contents import FLAT, perceptual_hash
from stages.split.groups import (
    components,
    duplicate_counts,
    group_names,
    label_conflicts,
    near_pairs,
)
from stages.split.params import Split


def settings(**changes: float) -> Split:
    known = {"seed": 0, "val_fraction": 0.3, "test_fraction": 0.0, "near_duplicate_distance": 10}
    return Split.model_validate({**known, **changes})


def table(count: int = 0, **columns: list) -> pd.DataFrame:
    """Images unlike each other unless ``columns`` says otherwise."""
    count = count or len(next(iter(columns.values())))
    names = columns.pop("path", [f"a/{n:05}.png" for n in range(count)])
    known = {
        "id": [hashlib.sha256(name.encode()).hexdigest()[:12] for name in names],
        "path": names,
        "label": ["a"] * count,
        "split": [""] * count,
        "sha256": [hashlib.sha256(f"content {name}".encode()).hexdigest() for name in names],
        "phash": [FLAT] * count,
        "group": [""] * count,
    }
    return pd.DataFrame({**known, **columns}).astype({"phash": np.uint64})


def picture(seed: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((320, 240), Image.Resampling.BICUBIC)


def apart(one: Image.Image, other: Image.Image) -> int:
    return (perceptual_hash(one) ^ perceptual_hash(other)).bit_count()


def test_the_hash_sees_through_size_grey_and_brightness() -> None:
    for seed in range(5):
        one = picture(seed)
        assert apart(one, one.resize((97, 71))) <= 4
        assert apart(one, one.convert("L").convert("RGB")) == 0
        assert apart(one, one.point(lambda v: v * 0.8)) <= 4
        assert apart(one, picture(seed + 100)) > 12
        assert apart(one, one.transpose(Image.Transpose.ROTATE_180)) > 12


def test_images_without_structure_have_no_hash() -> None:
    assert perceptual_hash(Image.new("RGB", (40, 40), "red")) == FLAT
    assert perceptual_hash(picture(0)).bit_count() <= 32


def test_near_pairs_against_brute_force() -> None:
    hashes = np.random.default_rng(0).integers(0, 2**10, 300, dtype=np.uint64)
    hashes[7] = hashes[9] = FLAT
    for distance in (-1, 0, 2):
        expected = {
            (i, j)
            for i in range(300)
            for j in range(i + 1, 300)
            if {i, j} & {7, 9} == set() and int(hashes[i] ^ hashes[j]).bit_count() <= distance
        }
        for rows in (1, 7, 256, 1000):
            pairs = [tuple(p) for block in near_pairs(hashes, distance, rows) for p in block]
            assert set(pairs) == expected
            assert len(pairs) == len(expected)


def test_components_join_content_look_and_manifest() -> None:
    images = table(
        sha256=["x", "y", "x", "z", "v", "w", "u"],
        phash=[1, 3, 0b11111 << 20, 1 << 60 | 7 << 40, 9 << 30, 15 << 50, FLAT],
        group=["", "", "", "", "pair", "pair", ""],
    )
    assert components(images, -1).tolist() == [0, 1, 0, 3, 4, 4, 6]
    assert components(images, 1).tolist() == [0, 0, 0, 3, 4, 4, 6]
    assert components(images, 1, manifest=False).tolist() == [0, 0, 0, 3, 4, 5, 6]
    assert len(set(components(images, 32).tolist())) == 2


def test_components_of_many_blocks_against_one() -> None:
    hashes = np.random.default_rng(1).integers(0, 2**12, 900, dtype=np.uint64)
    images = table(phash=hashes.tolist())
    near = np.bitwise_count(hashes[:, None] ^ hashes[None]) <= 1
    reached = near.astype(np.float32)
    for _ in range(6):
        reached = ((reached @ reached) > 0).astype(np.float32)
    assert (components(images, 1) == reached.argmax(axis=1)).all()


def test_group_names() -> None:
    images = table(group=["", "", "one", "one", "two", "", "three"])
    names = group_names(images, np.array([0, 1, 0, 3, 4, 4, 4]))
    ids = images["id"]
    assert names.tolist() == ["one", ids[1], "one", "one", ids[4], ids[4], ids[4]]


def test_duplicates_are_counted_once() -> None:
    images = table(
        sha256=["x", "x", "x", "y", "z"], phash=[1, 1, 1, 3, FLAT], group=["g", "", "", "", "g"]
    )
    assert duplicate_counts(images, 10) == {"exact": 2, "near": 1}
    assert duplicate_counts(images, -1) == {"exact": 2, "near": 0}


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
    kept, _ = divide(images, False, settings(**changes))
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


def test_a_similar_image_moves_its_fellow_seldom() -> None:
    images = table(600).assign(phash=FLAT)
    rng = np.random.default_rng(0)
    images["phash"] = rng.integers(0, 2**63, 600, dtype=np.uint64)
    before = splits_of(images, near_duplicate_distance=0)
    alike = table(path=[f"b/{n:05}.png" for n in range(600)]).assign(phash=images["phash"])
    after = splits_of(pd.concat([images, alike], ignore_index=True), near_duplicate_distance=0)
    moved = np.mean([after[path] != split for path, split in before.items()])
    assert moved == pytest.approx(0.5 * 2 * 0.3 * 0.7, abs=0.06)


def test_a_manifest_group_stays_whoever_joins() -> None:
    images = table(group=[f"scene {n // 2}" for n in range(400)])
    before = splits_of(images)
    assert all(before[images["path"][n]] == before[images["path"][n + 1]] for n in range(0, 400, 2))
    more = table(path=[f"0/{n}.png" for n in range(200)], group=[f"scene {n}" for n in range(200)])
    assert before.items() <= splits_of(pd.concat([more, images], ignore_index=True)).items()


def test_seed_and_fractions_draw_anew_or_keep() -> None:
    images = table(400)
    before = splits_of(images)
    assert splits_of(images, seed=1) != before
    larger = splits_of(images, val_fraction=0.5)
    assert all(larger[path] == "val" for path, split in before.items() if split == "val")
    tested = splits_of(images, test_fraction=0.2)
    assert set(tested.values()) == {"train", "val", "test"}
    assert all((tested[path] == "val") == (split == "val") for path, split in before.items())


def test_leaks_leave_the_later_split_and_name_the_likest() -> None:
    images = table(
        path=["test/c", "test/d", "test/e", "train/a", "train/b", "val/a", "val/b", "val/c"],
        split=["test", "test", "test", "train", "train", "val", "val", "val"],
        sha256=["E", "D", "C2", "A", "B", "A", "B2", "C"],
        phash=[FLAT, FLAT, 1 << 40, 7 << 20, 1, 7 << 20, 3, FLAT],
        group=["far", "far", "g", "far", "", "", "", "g"],
    )
    leaks = find_leaks(images, components(images, 1), 1)
    assert [(x["path"], x["kind"], x["because_of"]) for x in leaks] == [
        ("test/c", "manifest", "train/a"),
        ("test/d", "manifest", "train/a"),
        ("test/e", "manifest", "val/c"),
        ("val/a", "exact", "train/a"),
        ("val/b", "near", "train/b"),
    ]
    kept, dropped = divide(images, True, settings(near_duplicate_distance=1))
    assert dropped == leaks
    assert kept["path"].tolist() == ["train/a", "train/b", "val/c"]
    assert kept["group"].tolist() == ["far", images["id"][4], "g"]


def test_a_leak_through_another_image() -> None:
    images = table(
        path=["train/a", "val/b", "val/c"],
        split=["train", "val", "val"],
        phash=[0b0, 0b1, 0b11],
    )
    leaks = find_leaks(images, components(images, 1), 1)
    assert [(x["path"], x["kind"]) for x in leaks] == [("val/b", "near"), ("val/c", "chain")]


def test_twenty_thousand_images_of_one_look_fit_into_memory() -> None:
    hashes = np.uint64(0xFF) ^ (np.uint64(1) << np.arange(20_000, dtype=np.uint64) % np.uint64(8))
    images = table(20_000).assign(phash=hashes)
    blocks = near_pairs(hashes[:2000], 10, rows=100)
    assert max(len(block) for block in blocks) <= 100 * 2000
    assert set(components(images[:2000], 10).tolist()) == {0}
