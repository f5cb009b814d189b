"""Descriptors measure what their names state, and metadata match the header."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import skew

from stages.audit.contents import BANDS, colour, spectrum, thumbnail
from stages.audit.metadata import COMMON, LUMINANCE, as_features, jpeg_quality, read_metadata


def noise(width: int = 64, height: int = 48) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("quality", [30, 50, 75, 85, 95])
def test_jpeg_quality_is_found_from_the_table(quality: int) -> None:
    file = io.BytesIO()
    noise().save(file, "JPEG", quality=quality)
    tables = Image.open(file).quantization  # type: ignore[attr-defined]
    assert jpeg_quality(tables[0]) == pytest.approx(quality, abs=0.6)


def test_the_table_is_that_of_quality_50() -> None:
    file = io.BytesIO()
    noise().save(file, "JPEG", quality=50)
    tables = Image.open(file).quantization  # type: ignore[attr-defined]
    assert tables[0] == LUMINANCE.ravel().tolist()


def test_metadata_of_a_jpeg_and_a_png(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "maker"
    noise().save(tmp_path / "a.jpg", quality=80, subsampling="4:4:4", exif=exif, progressive=True)
    noise().save(tmp_path / "a.png")
    jpeg, png = (read_metadata(tmp_path / name) for name in ("a.jpg", "a.png"))
    assert (jpeg["format"], png["format"]) == ("JPEG", "PNG")
    assert jpeg["JPEG subsampling"] == "4:4:4"
    assert (jpeg["EXIF tags"], png["EXIF tags"]) == (1, 0)
    assert (jpeg["JPEG progressive"], png["JPEG quality"]) == (1, 0)
    assert png["bytes"] == (tmp_path / "a.png").stat().st_size
    assert png["aspect"] == pytest.approx(64 / 48)
    assert png["pixels"] == 64 * 48
    assert png["bytes per pixel"] == png["bytes"] / (64 * 48)
    assert (jpeg["JPEG tables"], png["JPEG tables"]) != ("none", "none")


@pytest.mark.parametrize("name", ["4:4:4", "4:2:2", "4:2:0"])
def test_subsampling_is_named(name: str, tmp_path: Path) -> None:
    noise().save(tmp_path / "a.jpg", subsampling=name)
    assert read_metadata(tmp_path / "a.jpg")["JPEG subsampling"] == name


def test_only_the_most_frequent_words_are_kept() -> None:
    words = [f"{number:02}" for number in range(25) for _ in range(25 - number)]
    features = as_features(pd.DataFrame({"tables": words}))
    assert list(features.columns) == [f"tables = {number:02}" for number in range(COMMON)]


def test_the_most_frequent_words_are_one_hot_encoded() -> None:
    table = pd.DataFrame({"bytes": [1, 2, 3], "format": ["PNG", "JPEG", "PNG"]})
    features = as_features(table)
    assert list(features.columns) == ["bytes", "format = JPEG", "format = PNG"]
    assert features.to_numpy().tolist() == [[1, 0, 1], [2, 1, 0], [3, 0, 1]]


def test_colour_is_mean_deviation_and_skewness() -> None:
    image = noise()
    pixels = np.asarray(image).reshape(-1, 3) / 255
    found = colour(image)
    assert found.shape == (12,)
    assert found[:3] == pytest.approx(pixels.mean(axis=0))
    assert found[4:7] == pytest.approx(pixels.std(axis=0))
    assert found[8:11] == pytest.approx(skew(pixels, axis=0))
    grey = colour(Image.new("RGB", (8, 8), (90, 90, 90)))
    assert np.isfinite(grey).all()
    assert grey[3] == 0
    assert colour(Image.new("RGB", (8, 8), (200, 100, 50)))[3] == pytest.approx(0.75)
    assert colour(Image.new("RGB", (8, 8), "black"))[3] == 0


@pytest.mark.parametrize("size", [(256, 192), (1300, 1100)])
def test_the_spectrum_of_noise_is_its_variance(size: tuple[int, int]) -> None:
    luma = np.random.default_rng(0).normal(128, 20, size[::-1]).round().astype(np.uint8)
    found = spectrum(Image.fromarray(luma).convert("RGB"))
    assert found.shape == (BANDS,)
    assert found[6:] == pytest.approx(np.log10(20**2), abs=0.15)
    assert spectrum(Image.new("RGB", size, "white")) == pytest.approx(-3)


@pytest.mark.parametrize("size", [(1, 1), (31, 1), (7, 5)])
def test_the_smallest_images_have_a_spectrum_of_as_many_rings(size: tuple[int, int]) -> None:
    assert spectrum(noise(*size)).shape == (BANDS,)


@pytest.mark.parametrize("size", [(200, 150), (1500, 1100)])
def test_a_wave_falls_into_its_ring_at_any_size(size: tuple[int, int]) -> None:
    cycles = 0.25
    row = 128 + 100 * np.sin(2 * np.pi * cycles * np.arange(size[0]))
    image = Image.fromarray(np.tile(row, (size[1], 1)).astype(np.uint8)).convert("RGB")
    assert spectrum(image).argmax() == int(cycles * 2 * BANDS)


def test_thumbnail_is_the_whole_image() -> None:
    halves = Image.new("RGB", (96, 40), "white")
    halves.paste((0, 0, 0), (0, 0, 48, 40))
    small = thumbnail(halves).reshape(16, 16, 3)
    assert small[:, :8].max() == 0
    assert small[:, 8:].min() == 1
