"""A mask in any usual encoding is read correctly, and an ambiguous one is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from stages.prepare.maps import read_mask
from tests.conftest import user_error

INSIDE = np.zeros((64, 64), np.uint8)
INSIDE[16:48, 16:48] = 1
CORE = np.zeros((64, 64), np.uint8)
CORE[24:40, 24:40] = 1
RIM = np.zeros((64, 64), np.uint8)
RIM[12:52, 12:52] = 1
RIM -= INSIDE


def palette(indices: np.ndarray, colours: dict[int, tuple[int, int, int]]) -> Image.Image:
    table = np.zeros((256, 3), np.uint8)
    for index, colour in colours.items():
        table[index] = colour
    picture = Image.fromarray(indices)
    picture.putpalette(table.ravel().tolist())
    return picture


def colours(values: np.ndarray, *shade: int) -> Image.Image:
    return Image.fromarray(values[..., None] * np.array(shade, np.uint8))


def layered(colour: np.ndarray, alpha: np.ndarray) -> Image.Image:
    return Image.fromarray(np.concatenate([colour, alpha[..., None]], axis=-1))


NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
BLACK = np.zeros_like(NOISE)
SOFT = gaussian_filter(INSIDE * 255.0, 2)


@pytest.mark.parametrize(
    "picture",
    [
        *(Image.fromarray(INSIDE * value) for value in (1, 7, 64, 128, 255)),
        *(Image.fromarray(INSIDE.astype(np.uint16) * value) for value in (1, 255, 300, 65535)),
        Image.fromarray(INSIDE * 255).convert("1"),
        Image.fromarray(INSIDE * 255).convert("RGB"),
        Image.fromarray(INSIDE + CORE),  # two classes
        Image.fromarray(127 + INSIDE),
        palette(INSIDE, {1: (255, 255, 255)}),
        palette(1 - INSIDE, {0: (255, 255, 255)}),
        palette(INSIDE, {1: (64, 0, 0)}),
        palette(INSIDE + CORE, {1: (64, 0, 0), 2: (192, 128, 128)}),
        palette(INSIDE, {}),
        colours(INSIDE, 255, 0, 0),
        layered(BLACK, INSIDE * 255),
        layered(255 - BLACK, INSIDE * 255),
        layered(255 - BLACK, INSIDE * 90),
        layered(NOISE, INSIDE * 255),
        layered(np.asarray(colours(INSIDE, 0, 0, 255)), np.full((64, 64), 255, np.uint8)),
        Image.fromarray(np.stack([INSIDE * 0, INSIDE * 255], axis=-1)),
    ],
)
def test_a_mask_in_any_coding(tmp_path: Path, picture: Image.Image) -> None:
    picture.save(tmp_path / "m.png")
    assert (read_mask(tmp_path / "m.png") == INSIDE * 255).all()


@pytest.mark.parametrize(
    "picture",
    [
        Image.fromarray(SOFT.astype(np.uint8)),
        Image.fromarray((SOFT * 257).astype(np.uint16)),
        Image.fromarray((SOFT * 16).astype(np.uint16)),  # 12 bits in 16
        Image.fromarray(SOFT[..., None].astype(np.uint8) * np.array([0, 1, 0], np.uint8)),
        layered(BLACK, SOFT.astype(np.uint8)),
    ],
)
def test_the_upper_half_of_a_soft_mask_is_inside(tmp_path: Path, picture: Image.Image) -> None:
    picture.save(tmp_path / "m.png")
    found = read_mask(tmp_path / "m.png") > 0
    assert (found[SOFT > 130]).all()
    assert not found[SOFT < 126].any()


def test_smoothed_edges_are_not_classes(tmp_path: Path) -> None:
    large = Image.new("L", (128, 128))
    ImageDraw.Draw(large).ellipse((30, 30, 90, 90), fill=255)
    small = large.resize((64, 64), Image.Resampling.BOX)
    assert 2 < len(np.unique(np.asarray(small))) <= 5
    small.save(tmp_path / "m.png")
    assert ((read_mask(tmp_path / "m.png") > 0) == (np.asarray(small) >= 128)).all()


@pytest.mark.parametrize("value", [0, 1, 255])
def test_a_mask_of_one_value(tmp_path: Path, value: int) -> None:
    Image.new("L", (8, 8), value).save(tmp_path / "m.png")
    assert (read_mask(tmp_path / "m.png") == (255 if value else 0)).all()


@pytest.mark.parametrize(
    ("picture", "came"),
    [
        (Image.fromarray(INSIDE + CORE + 1), "the values 1, 2, 3"),  # a trimap
        (Image.fromarray(INSIDE + 1), "the values 1, 2"),
        (Image.fromarray(INSIDE * 255 + RIM * 128), "the values 0, 128, 255"),
        (Image.fromarray(INSIDE * 15 + RIM * 255), "the values 0, 15, 255"),
        (Image.fromarray((SOFT * 0.3).astype(np.uint8)), "the values 0, 1, 2, 3, 4, …"),
        (colours(INSIDE, 0, 255, 255).point(lambda v: 255 - v), "colours without black"),
        (Image.fromarray(NOISE * INSIDE[..., None]), "more than 256 colours"),
        (layered(np.asarray(colours(CORE, 255, 255, 255)), INSIDE * 255), "transparency"),
    ],
)
def test_an_ambiguous_mask_is_refused(tmp_path: Path, picture: Image.Image, came: str) -> None:
    picture.save(tmp_path / "m.png")
    message = user_error(read_mask, file=tmp_path / "m.png")
    assert f"m.png: expected a mask with 0 outside and 255 inside, got {came}" in message
