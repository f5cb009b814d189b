import numpy as np
import pytest
from scipy import ndimage

from stages.synthesize.canvas import LABEL
from stages.synthesize.render import Pair, render_pair
from stages.synthesize.scene import FAMILIES, POSES, family_of, sample_scene

SIZE = 112
COUNT = 56


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    return [render_pair(0, index, SIZE) for index in range(COUNT)]


def test_a_scene_is_rendered_to_the_same_bits_every_time(pairs: list[Pair]) -> None:
    again = render_pair(0, 3, SIZE)
    for name in ("real", "fake", "mask", "real_parts", "fake_parts"):
        assert np.array_equal(getattr(pairs[3], name), getattr(again, name)), name


def test_another_seed_gives_another_scene(pairs: list[Pair]) -> None:
    assert not np.array_equal(pairs[0].real, render_pair(1, 0, SIZE).real)


def test_partner_equals_real_outside_the_mask_and_differs_inside(pairs: list[Pair]) -> None:
    for pair in pairs:
        outside = pair.mask == 0
        assert np.array_equal(pair.real[outside], pair.fake[outside])
        assert np.array_equal(pair.real_parts[outside], pair.fake_parts[outside])
        gap = np.abs(pair.real.astype(int) - pair.fake.astype(int)).max(axis=2)
        assert (gap[~outside] > 8).mean() > 0.25, pair.scene


def test_defects_are_local_and_wide_enough_to_see(pairs: list[Pair]) -> None:
    for pair in pairs:
        rows, columns = np.nonzero(pair.mask)
        assert set(np.unique(pair.mask)) == {0, 255}
        extent = max(np.ptp(rows), np.ptp(columns)) + 1
        assert extent >= 12 * SIZE / 224, pair.scene
        assert len(rows) < 0.1 * SIZE * SIZE, pair.scene


def test_every_family_occurs_once_in_each_block() -> None:
    for block in range(5):
        start = block * len(FAMILIES)
        families = {family_of(0, start + place) for place in range(len(FAMILIES))}
        assert families == set(FAMILIES)


def test_families_change_what_their_names_say(pairs: list[Pair]) -> None:
    gained = {"extra_tail": "tail", "mismatched_eye": "eyes"}
    for pair in pairs:
        if pair.scene.family in gained:
            part = LABEL[gained[pair.scene.family]]
            before, after = (np.sum(p == part) for p in (pair.real_parts, pair.fake_parts))
            assert after > before, pair.scene


def test_parts_are_known_and_mostly_visible(pairs: list[Pair]) -> None:
    seen = dict.fromkeys(LABEL, 0)
    for pair in pairs:
        for name, value in LABEL.items():
            seen[name] += bool((pair.real_parts == value).any())
        assert pair.real_parts.max() < len(LABEL)
    with_body = sum(pair.scene.pose != "portrait" for pair in pairs)
    for name in ("background", "body", "head", "ears", "eyes", "nose", "whiskers"):
        assert seen[name] >= 0.95 * COUNT, name
    assert seen["mouth"] >= 0.7 * COUNT
    assert seen["tail"] >= 0.75 * with_body
    assert seen["legs"] >= 0.9 * with_body


def test_eyes_lie_within_the_head(pairs: list[Pair]) -> None:
    for pair in pairs:
        face = np.isin(pair.real_parts, [LABEL[p] for p in ("head", "eyes", "nose", "mouth")])
        hull = ndimage.binary_fill_holes(ndimage.binary_dilation(face, iterations=2))
        eyes = pair.real_parts == LABEL["eyes"]
        assert (eyes & hull).sum() == eyes.sum()


def test_poses_and_places_are_spread() -> None:
    scenes = [sample_scene(0, index) for index in range(300)]
    assert {scene.pose for scene in scenes} == set(POSES)
    x, unit = (np.array([getattr(scene, name) for scene in scenes]) for name in ("x", "unit"))
    assert np.percentile(x, 10) < 0.3 and np.percentile(x, 90) > 0.7
    assert np.percentile(unit, 95) > 1.8 * np.percentile(unit, 5)


def test_no_fixed_point_hits_the_defects_often(pairs: list[Pair]) -> None:
    near = [ndimage.distance_transform_edt(pair.mask == 0) <= 15 * SIZE / 224 for pair in pairs]
    assert np.mean(near, axis=0).max() <= 0.38


def test_omitting_a_part_changes_only_its_own_place(pairs: list[Pair]) -> None:
    whole = next(pair for pair in pairs if pair.scene.family == "checkerboard")
    bare = render_pair(0, whole.scene.index, SIZE, without=frozenset({"whiskers"}))
    assert not (bare.real_parts == LABEL["whiskers"]).any()
    changed = (bare.real != whole.real).any(axis=2)
    whiskers = ndimage.binary_dilation(whole.real_parts == LABEL["whiskers"], iterations=4)
    assert changed.any() and (changed & ~whiskers).sum() <= 0.08 * changed.sum()


def test_texture_stays_in_place_when_a_part_is_omitted(pairs: list[Pair]) -> None:
    whole = next(p for p in pairs if p.scene.family == "smeared_patch" and p.scene.pose == "lying")
    bare = render_pair(0, whole.scene.index, SIZE, without=frozenset({"tail"}))
    both = (bare.mask > 0) & (whole.mask > 0)
    assert both.sum() > 0.6 * (whole.mask > 0).sum()


def test_local_marks_are_small_on_most_fakes_and_off_the_cat() -> None:
    marked = [render_pair(0, index, SIZE, "local") for index in range(20)]
    masks = [(pair, pair.mark) for pair in marked if pair.mark is not None]
    assert 14 <= len(masks) <= 20
    for pair, mark in masks:
        plain = render_pair(0, pair.scene.index, SIZE) if pair.scene.index < 4 else None
        rows, columns = np.nonzero(mark)
        assert 3 <= np.ptp(rows) + 1 <= 8 and 3 <= np.ptp(columns) + 1 <= 8
        if plain:
            changed = (plain.fake != pair.fake).any(axis=2)
            assert changed.any() and not (changed & (mark == 0)).any()
            assert np.array_equal(plain.real, pair.real)
    off_cat = [not (pair.fake_parts[mark > 0] > 0).any() for pair, mark in masks]
    assert np.mean(off_cat) >= 0.9
    centres = np.array([np.argwhere(mark).mean(axis=0) for _, mark in masks])
    assert np.ptp(centres, axis=0).min() > 0.5 * SIZE
