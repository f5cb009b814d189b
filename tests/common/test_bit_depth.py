"""Images of more than 8 bits come out by the full scale that they use."""

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from stages.common.bit_depth import eight_bits
from stages.common.images import decode_stream

RAMP = np.linspace(0, 1, 64 * 64).reshape(64, 64)


def shown(picture: Image.Image, name: str = "PNG", **options: object) -> np.ndarray:
    """Return the red channel of ``picture``, written and read."""
    buffer = io.BytesIO()
    picture.save(buffer, name, **options)
    return np.asarray(decode_stream(buffer).image)[..., 0].astype(int)


def read(content: bytes) -> np.ndarray:
    return np.asarray(decode_stream(io.BytesIO(content)).image).astype(int)


def with_chunk(png: bytes, name: bytes, data: bytes) -> bytes:
    """Return ``png`` with a chunk behind its header."""
    chunk = struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return png[:33] + chunk + png[33:]


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("name", ["PNG", "TIFF"])
def test_grey_of_any_depth_in_16_bits_spans_the_whole_range(bits: int, name: str) -> None:
    picture = Image.fromarray((RAMP * (2**bits - 1)).round().astype(np.uint16))
    assert np.abs(shown(picture, name) - RAMP * 255).max() <= 1


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_grey_of_either_byte_order(compression: str) -> None:
    big = (RAMP * 1023).round().astype(">u2")
    picture = Image.frombytes("I;16B", (64, 64), big.tobytes())
    found = shown(picture, "TIFF", compression=compression)
    assert np.abs(found - RAMP * 255).max() <= 1


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("bits", [8, 12, 14, 16])
def test_colours_of_any_depth_in_16_bits_span_the_whole_range(bits: int, suffix: str) -> None:
    colours = np.stack([RAMP, RAMP.T, 1 - RAMP], axis=-1)
    samples = (colours * (2**bits - 1)).round().astype(np.uint16)
    content = cv2.imencode(suffix, samples[..., ::-1])[1].tobytes()
    assert np.abs(read(content) - colours * 255).max() <= 1


def test_transparency_stands_beside_colours_in_16_bits() -> None:
    samples = np.full((64, 64, 4), 65535, np.uint16)
    samples[..., :3] = (RAMP * 4095)[..., None].round()
    samples[:8, :, 3] = 0
    found = read(cv2.imencode(".png", samples)[1].tobytes())
    assert (found[:8] == 255).all()
    assert np.abs(found[8:] - RAMP[8:, :, None] * 255).max() <= 1


def test_grey_with_transparency_in_16_bits() -> None:
    rows = np.stack([(RAMP * 4095).round(), np.full_like(RAMP, 65535)], axis=-1).astype(">u2")
    header = struct.pack(">IIBBBBB", 64, 64, 16, 4, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    )
    assert np.abs(read(png) - RAMP[..., None] * 255).max() <= 1


def test_a_stated_bit_depth_wins() -> None:
    dark = io.BytesIO()
    Image.fromarray((RAMP * 3000).round().astype(np.uint16)).save(dark, "PNG")
    for bits, full in ((16, 65535), (14, 16383), (12, 4095), (11, 65535)):
        found = read(with_chunk(dark.getvalue(), b"sBIT", bytes([bits])))[..., 0]
        assert abs(int(found.max()) - 3000 / full * 255) <= 1, bits
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[281] = 16000
    found = shown(Image.open(dark), "TIFF", tiffinfo=tags)
    assert abs(int(found.max()) - 3000 / 16383 * 255) <= 1


def test_a_hot_pixel_darkens_nothing() -> None:
    values = (RAMP * 4095).round().astype(np.uint16)
    values[10, 10] = 65535
    found = shown(Image.fromarray(values))
    assert found[10, 10] == 255
    assert abs(int(found[63, 62]) - 255) <= 1


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_an_image_of_zeros_is_black(dtype: type) -> None:
    assert not eight_bits(np.zeros((8, 8), dtype)).any()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.int32(RAMP * 4095 - 1024), RAMP),  # computed tomography
        (np.int32(RAMP * 65535 - 32768), RAMP),
        (np.float32(RAMP * 2 - 1), RAMP),
        (np.float32(RAMP * 1.02), RAMP),  # overshoot above 1
        (np.float32(RAMP * 4), RAMP),
        (np.float32(RAMP * 0.01), RAMP),
        (np.float32(RAMP * 0.5), RAMP / 2),
        (np.float32(RAMP * 200), RAMP * 200 / 255),
        (np.float32(RAMP * 4095), RAMP),
        (np.float32(RAMP * 1.05 - 0.05), np.maximum(RAMP * 1.05 - 0.05, 0)),  # undershoot
    ],
)
def test_signed_and_floating_images_keep_their_tones(
    values: np.ndarray, expected: np.ndarray, tmp_path: Path
) -> None:
    Image.fromarray(values).save(tmp_path / "x.tif")
    found = read((tmp_path / "x.tif").read_bytes())[..., 0]
    assert np.abs(found - expected * 255).max() <= 1
