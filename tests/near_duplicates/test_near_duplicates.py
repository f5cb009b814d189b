"""A hash proposes near duplicates, the pixels confirm them."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from twincam.near_duplicates import search
from twincam.near_duplicates.alignment import same_picture, thumbnail
from twincam.near_duplicates.copies import copies_of
from twincam.near_duplicates.hashes import FLAT, hash_text, hash_values, perceptual_hash
from twincam.near_duplicates.pairs import near_pairs
from twincam.near_duplicates.search import _correlations, first_connected, near_duplicates


def picture(seed: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((320, 240), Image.Resampling.BICUBIC)


def apart(one: Image.Image, other: Image.Image) -> int:
    return (perceptual_hash(one) ^ perceptual_hash(other)).bit_count()


def test_the_hash_hardly_changes_with_size_grey_and_brightness() -> None:
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


def layout(seed: int) -> Image.Image:
    """A dark body with two pale fields, always at the same place, under noise of its own."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:256, :256]
    left, right = (np.exp(-(((y - 120) / 60) ** 2) - ((x - c) / 22) ** 2) for c in (96, 160))
    body = 180 * np.exp(-((((y - 128) / 95) ** 2 + ((x - 128) / 70) ** 2) ** 2))
    shown = body - 80 * (left + right) + rng.normal(0, 5, (256, 256))
    return Image.fromarray(np.clip(shown + 20, 0, 255).astype(np.uint8))


def form(seed: int) -> Image.Image:
    """A printed form with entries of its own."""
    rng = np.random.default_rng(seed)
    sheet = Image.new("RGB", (400, 400), "white")
    draw = ImageDraw.Draw(sheet)
    for top in range(20, 380, 40):
        draw.rectangle((30 + top // 4, top, 370, top + 25), fill="grey")
        for left in range(140, 360, 12):
            if rng.random() < 0.6:
                draw.rectangle((left, top + 9, left + int(rng.integers(2, 9)), top + 16), "black")
    return sheet


def encoded(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=quality)
    return Image.open(file)


def cropped(image: Image.Image, share: float) -> Image.Image:
    width, height = image.size
    left, top = round(width * (1 - share) / 2), round(height * (1 - share) / 2)
    return image.crop((left, top, width - left, height - top))


def pairs_among(
    images: list[Image.Image], distance: int = 10, first_new: int = 0
) -> list[list[int]]:
    hashes = np.array([perceptual_hash(image) for image in images], np.uint64)
    found = near_duplicates(hashes, distance, lambda rows: [images[row] for row in rows], first_new)
    return found.tolist()


@pytest.mark.parametrize("make", [layout, form])
def test_different_pictures_of_one_layout_are_not_duplicates(
    make: Callable[[int], Image.Image],
) -> None:
    images = [make(seed) for seed in range(12)]
    hashes = np.array([perceptual_hash(image) for image in images], np.uint64)
    assert sum(map(len, near_pairs(hashes, 10))) > 20
    assert pairs_among(images) == []
    again = [encoded(images[3], 60), images[7].resize((180, 180))]
    assert pairs_among([*images, *again]) == [[3, 12], [7, 13]]


@pytest.mark.parametrize("make", [picture, layout, form])
@pytest.mark.parametrize(
    "change",
    [
        lambda image: encoded(image, 70),
        lambda image: image.resize((image.width // 2, image.height // 2)),
        lambda image: image.resize((image.width * 2, image.height * 2)),
        lambda image: ImageEnhance.Brightness(image).enhance(0.7),
        lambda image: image.convert("L"),
        lambda image: cropped(image, 0.98),
    ],
)
def test_copies_are_found(
    make: Callable[[int], Image.Image], change: Callable[[Image.Image], Image.Image]
) -> None:
    images = [make(seed) for seed in range(3)]
    assert [0, 3] in pairs_among([*images, change(images[0])])


def test_a_copy_that_was_edited_in_a_part_is_found() -> None:
    images = [picture(seed) for seed in range(3)]
    edited = images[0].copy()
    edited.paste(picture(9).resize((80, 60)), (160, 90))
    assert pairs_among([*images, edited]) == [[0, 3]]
    half = images[0].copy()
    half.paste(picture(9).resize((160, 240)), (160, 0))
    assert not same_picture(thumbnail(images[0]), thumbnail(half), lenient=True)


@pytest.mark.parametrize("count", [2, 8, 9, 20])
def test_any_number_of_crops_are_one_group(count: int) -> None:
    images = [picture(seed) for seed in range(2)]
    crops = [cropped(images[0], 0.95 + 0.04 * n / count) for n in range(count)]
    first = first_connected(2 + count, np.array(pairs_among([*images, *crops])))
    assert first.tolist() == [0, 1, *[0] * count]


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.rotate(1, Image.Resampling.BICUBIC),
        lambda image: image.resize((32, 24)),
        lambda image: image.filter(ImageFilter.GaussianBlur(2.5)),
        lambda image: image.filter(ImageFilter.UnsharpMask(3, 150, 0)),
    ],
)
def test_rotated_small_and_blurred_copies_are_found(
    change: Callable[[Image.Image], Image.Image],
) -> None:
    images = [picture(seed) for seed in range(3)]
    assert pairs_among([*images, change(images[1])]) == [[1, 3]]


def test_alignments_are_bounded_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(search, "MAX_ALIGNMENTS", 7)
    assert pairs_among([form(seed) for seed in range(6)]) == []
    line = capsys.readouterr().err
    assert "7 pairs were aligned" in line
    assert "split.near_duplicate_distance" in line


def test_a_full_temporary_folder_is_an_error_and_not_the_end_of_the_process(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(small_disk))
    with pytest.raises(OSError, match="No space left") as caught:
        pairs_among([picture(0)] * 5)
    assert caught.value.filename == str(small_disk)


def test_only_pairs_with_a_new_image_are_returned() -> None:
    images = [picture(0), picture(0), picture(1), encoded(picture(0), 80)]
    assert pairs_among(images) == [[0, 1], [0, 3], [1, 3]]
    assert pairs_among(images, first_new=3) == [[0, 3], [1, 3]]
    assert pairs_among(images, distance=-1) == []


def test_copies_of_the_data_set_among_other_files(tmp_path: Path) -> None:
    for seed in range(3):
        picture(seed).save(tmp_path / f"{seed}.png")
    hashes = pd.Series([perceptual_hash(picture(seed)) for seed in range(3)], dtype=np.uint64)
    split = pd.DataFrame({"path": ["0.png", "1.png", "2.png"], "phash": hash_text(hashes)})
    assert (hash_values(split["phash"]) == hashes).all()
    files = [tmp_path / name for name in ("small.png", "saved.jpg", "other.png", "bad.png")]
    picture(1).resize((160, 120)).save(files[0])
    picture(2).save(files[1], quality=60)
    picture(9).save(files[2])
    files[3].write_text("no image")
    found = copies_of(tmp_path, split, files, 10, 10**6)
    assert found == {files[0]: "1.png", files[1]: "2.png"}
    assert copies_of(tmp_path, split, files, -1, 10**6) == {}


@pytest.mark.parametrize("dense", [0, 16, 1000])
def test_correlations_are_those_of_each_pair(dense: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "DENSE", dense)
    rng = np.random.default_rng(0)
    details, pairs = rng.normal(size=(40, 6)), rng.integers(0, 40, (1500, 2))
    expected = [details[one] @ details[other] for one, other in pairs]
    assert _correlations(details, pairs) == pytest.approx(np.array(expected))
    assert _correlations(details, pairs[:0]).shape == (0,)


@pytest.mark.parametrize("at_a_time", [1, 2, 2**20])
def test_the_closest_matches_are_aligned_first_however_pairs_arrive(
    at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    start, tried = int(rng.integers(2**63)), []
    hashes = np.array([start, *(start ^ (2**bits - 1) for bits in rng.permutation(11))], np.uint64)

    def refuse(one: np.ndarray, other: np.ndarray, lenient: bool) -> bool:
        tried.append((int(one[0, 0]), int(other[0, 0])))
        return lenient

    monkeypatch.setattr("twincam.near_duplicates.pairs.YIELDED", at_a_time)
    monkeypatch.setattr(search, "same_picture", refuse)
    monkeypatch.setattr(search, "thumbnail", lambda row: np.full((128, 128), row, np.uint8))
    monkeypatch.setattr(search, "detail", lambda grey: np.eye(4096)[grey[0, 0]])
    assert not len(near_duplicates(hashes, 10, lambda rows: rows))
    distances = np.bitwise_count(hashes[:, None] ^ hashes)
    expected = [
        (one, one + 1 + other)
        for one in range(12)
        for other in np.argsort(distances[one, one + 1 :], kind="stable")[:8]
    ]
    assert tried == expected
