"""A picture of any size and mode becomes a square."""

import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from twincam.images.decoding import decode_stream, to_rgb
from twincam.images.harmonising import harmonise, warp

MODES = (
    *("1", "L", "P", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "LAB", "HSV", "LA", "PA"),
    *("I", "F", "I;16", "I;16B"),
)


@given(
    st.sampled_from(MODES),
    st.one_of(st.integers(1, 40), st.just(1500)),
    st.integers(1, 40),
    st.integers(1, 64),
    st.booleans(),
)
def test_a_square_of_any_size_and_mode(
    mode: str, width: int, height: int, side: int, crop: bool
) -> None:
    square = harmonise(to_rgb(Image.new(mode, (width, height))), side, crop, 85)
    assert square.shape == (side, side, 3)
    assert square.dtype == np.uint8
    labels = np.full((height, width), 7, np.uint8)
    assert (warp(labels, side, crop) == 7).all()


@given(
    st.sampled_from(["PNG", "TIFF", "WEBP", "BMP"]),
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(0, 99),
)
def test_a_file_without_loss_comes_back(kind: str, width: int, height: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, lossless=True)
    found = decode_stream(file)
    assert (np.asarray(found.image) == pixels).all()
    assert (found.width, found.height, found.bytes) == (width, height, len(file.getvalue()))
