"""Images of more than 8 bits are scaled by the full scale that they use."""

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from twincam.images.bit_depth import to_8_bits
from twincam.images.decoding import decode_stream

RAMP = np.linspace(0, 1, 64 * 64).reshape(64, 64)


def shown(picture: Image.Image, name: str = "PNG", **options: object) -> np.ndarray:
    """Return the red channel of ``picture``, written and read."""
    buffer = io.BytesIO()
    picture.save(buffer, name, **options)
    return np.asarray(decode_stream(buffer).image)[..., 0].astype(int)


def read(content: bytes) -> np.ndarray:
    return np.asarray(decode_stream(io.BytesIO(content)).image).astype(int)


def with_chunk(png: bytes, name: bytes, data: bytes) -> bytes:
    """Return ``png`` with a chunk after its header."""
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


def test_transparency_with_colours_in_16_bits() -> None:
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
    assert not to_8_bits(np.zeros((8, 8), dtype)).any()


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


BELOW = (slice(6, None), slice(None))
"""The rows below a border."""


def with_border(values: np.ndarray, border: float, rows: int = 6) -> np.ndarray:
    changed = values.copy()
    changed[:rows] = border
    return changed


@pytest.mark.parametrize("peak", [1023, 4095, 4096, 4111, 16383])
def test_a_border_at_the_maximum_of_the_container_darkens_nothing(peak: int) -> None:
    found = shown(Image.fromarray(with_border((RAMP * peak).round().astype(np.uint16), 65535)))
    assert (found[:6] == 255).all()
    assert np.abs(found - RAMP * 255)[BELOW].max() <= 1 + peak / 4096


@pytest.mark.parametrize("peak", [4095, 16500])
def test_such_a_border_of_a_colour_image_darkens_nothing(peak: int) -> None:
    samples = with_border(
        np.repeat((RAMP * peak).round().astype(np.uint16)[..., None], 3, 2), 65535
    )
    found = read(cv2.imencode(".png", samples)[1].tobytes())[..., 0]
    assert (found[:6] == 255).all()
    assert np.abs(found - RAMP * 255)[BELOW].max() <= 1 + 255 / 64


def test_white_next_to_few_shades_or_to_grey_is_not_a_border() -> None:
    few = np.full((64, 64), 1000, np.uint16)
    few[::2] = 65535
    assert set(np.unique(to_8_bits(few))) == {4, 255}
    photo = with_border((RAMP * 40_000).astype(np.uint16), 65535)
    assert np.abs(to_8_bits(photo) - RAMP * 40_000 / 257)[BELOW].max() <= 1


@pytest.mark.parametrize("peak", [1024, 4096, 4111, 16500])
def test_a_peak_slightly_above_a_full_scale_is_clipped(peak: int) -> None:
    values = (RAMP * peak).round().astype(np.uint16)
    assert np.abs(shown(Image.fromarray(values)) - RAMP * 255).max() <= 255 / 64
    colours = read(cv2.imencode(".png", np.repeat(values[..., None], 3, 2))[1].tobytes())
    assert np.abs(colours[..., 0] - RAMP * 255).max() <= 255 / 64


@pytest.mark.parametrize("nodata", [-9999, -32768, -3.4e38, 1e20, 3.4e38, np.inf, -np.inf, np.nan])
@pytest.mark.filterwarnings("error")
def test_missing_data_in_a_floating_image_is_ignored(nodata: float) -> None:
    found = to_8_bits(with_border(RAMP.astype(np.float32), nodata, rows=20)).astype(int)
    assert (found[:20] == (255 if nodata > 0 else 0)).all()
    assert np.abs(found - RAMP * 255)[20:].max() <= 1


@pytest.mark.filterwarnings("error")
def test_the_whole_range_of_floats_is_shown() -> None:
    values = ((RAMP * 2 - 1) * 3e38).astype(np.float32)
    assert np.abs(to_8_bits(values) - RAMP * 255).max() <= 1


@pytest.mark.parametrize(("low", "high"), [(18, 38), (280, 310), (-30, 0), (-90, -60), (900, 1100)])
def test_floats_far_from_a_full_scale_span_their_own_range(low: float, high: float) -> None:
    values = (low + RAMP * (high - low)).astype(np.float32)
    assert np.abs(to_8_bits(values) - RAMP * 255).max() <= 1


@pytest.mark.parametrize("value", [0.5, 300, -5])
def test_a_flat_floating_image_stays_flat(value: float) -> None:
    assert len(np.unique(to_8_bits(np.full((8, 8), value, np.float32)))) == 1


def tiff(values: np.ndarray, photometric: int = 1) -> bytes:
    """Return a grey TIFF of ``values``, which may be of any type."""
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    height, width = values.shape
    tags = [
        *((256, width), (257, height), (258, 8 * values.dtype.itemsize), (259, 1)),
        *((262, photometric), (273, 8), (277, 1), (278, height), (279, values.nbytes)),
        (339, kind),
    ]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    head = struct.pack("<2sHI", b"II", 42, 8 + values.nbytes)
    return head + values.tobytes() + struct.pack("<H", len(tags)) + entries + bytes(4)


@pytest.mark.parametrize(
    ("dtype", "peak"), [(np.uint8, 255), (np.uint16, 4095), (np.uint16, 65535), (np.float32, 1)]
)
def test_white_is_0_where_a_tiff_says_so(dtype: type, peak: int) -> None:
    values = RAMP * peak if dtype is np.float32 else (RAMP * peak).round()
    found = read(tiff(values.astype(dtype), photometric=0))[..., 0]
    assert np.abs(found - (1 - RAMP) * 255).max() <= 1


@pytest.mark.parametrize("peak", [2**32 - 1, 3 * 10**9, 4095])
def test_unsigned_integers_of_32_bits_do_not_wrap(peak: int) -> None:
    found = read(tiff((RAMP * peak).round().astype(np.uint32)))[..., 0]
    assert np.abs(found - RAMP * 255).max() <= 1
