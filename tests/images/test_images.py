import io
import os
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops

from twincam.images import decoding as images
from twincam.images.decoding import BadImageError, decode, decode_stream
from twincam.images.harmonising import harmonise, warp
from twincam.images.parallel import in_order

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def corners(width: int = 64, height: int = 32) -> Image.Image:
    """Red, green / blue, white quarters."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2], pixels[: height // 2, width // 2 :] = RED, GREEN
    pixels[height // 2 :, : width // 2], pixels[height // 2 :, width // 2 :] = BLUE, WHITE
    return Image.fromarray(pixels)


def photo(width: int = 640, height: int = 480, seed: int = 0) -> Image.Image:
    """Smooth random colours."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def reason(path: Path, **limits: int) -> str:
    with pytest.raises(BadImageError) as caught:
        decode(path, **limits)
    return str(caught.value)


def pixel(path: Path, x: int = 0, y: int = 0) -> tuple[int, ...]:
    value = decode(path).image.getpixel((x, y))
    assert isinstance(value, tuple)
    return value


@pytest.mark.parametrize(
    ("name", "save", "tolerance"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}, 6),
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("BMP", {}, 0),
        ("GIF", {}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("TIFF", {"compression": "tiff_adobe_deflate"}, 0),
        ("AVIF", {"quality": 100, "subsampling": "4:4:4"}, 3),
    ],
)
def test_every_format_by_content_under_any_name(
    tmp_path: Path, name: str, save: dict, tolerance: int
) -> None:
    for file in ("no suffix", "wrong.txt", "Katze, “süß” 'x' \"y\" 猫.jpg", "-dash", "a.b..png"):
        corners().save(tmp_path / file, name, **save)
        found = decode(tmp_path / file)
        difference = ImageChops.difference(found.image, corners())
        assert max(high for _, high in difference.getextrema()) <= tolerance  # type: ignore[misc]
        assert (found.format, found.width, found.height) == (name, 64, 32)
        assert found.bytes == (tmp_path / file).stat().st_size


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff", "avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int, suffix: str) -> None:
    turn = images._UPRIGHT.get(orientation)
    back = {
        Image.Transpose.ROTATE_90: Image.Transpose.ROTATE_270,
        Image.Transpose.ROTATE_270: Image.Transpose.ROTATE_90,
    }
    stored = corners() if turn is None else corners().transpose(back.get(turn, turn))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / f"x.{suffix}", exif=exif, quality=95)
    found = decode(tmp_path / f"x.{suffix}")
    assert (found.width, found.height) == found.image.size == (64, 32)
    difference = np.abs(np.asarray(found.image, int) - np.asarray(corners(), int))
    assert difference[4:-4, 4:-4].mean() < 8
    assert np.median(difference) <= 3


def test_the_standard_names_of_orientations(tmp_path: Path) -> None:
    """6 is a camera held upright: the stored top row is the right edge as shown."""
    exif = Image.Exif()
    exif[0x0112] = 6
    corners().save(tmp_path / "x.png", exif=exif)
    shown = decode(tmp_path / "x.png").image
    assert shown.size == (32, 64)
    assert [shown.getpixel(at) for at in ((31, 0), (31, 63), (0, 0), (0, 63))] == [
        RED,
        GREEN,
        BLUE,
        WHITE,
    ]


def test_broken_exif_leaves_the_image_as_stored(tmp_path: Path) -> None:
    corners().save(tmp_path / "x.jpg", exif=b"Exif\0\0MM\0*\0\0\0\xff\x01\x02")
    assert decode(tmp_path / "x.jpg").image.size == (64, 32)


def test_drafted_sizes_are_those_in_the_file_after_orientation(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    photo(800, 600).save(tmp_path / "x.jpg", exif=exif)
    found = decode(tmp_path / "x.jpg", at_least=100)
    assert (found.width, found.height) == (600, 800)
    assert found.image.size == (150, 200)


def test_modes(tmp_path: Path) -> None:
    path = tmp_path / "x"
    Image.new("1", (4, 4), 1).save(path, "PNG")
    assert pixel(path) == WHITE
    Image.new("L", (4, 4), 77).save(path, "PNG")
    assert pixel(path) == (77, 77, 77)
    Image.new("LA", (4, 4), (0, 51)).save(path, "PNG")
    assert pixel(path) == (204, 204, 204)
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(path, "PNG")
    assert pixel(path) == WHITE
    Image.new("RGBA", (4, 4), (255, 0, 0, 51)).save(path, "WEBP", lossless=True)
    assert pixel(path) == (255, 204, 204)
    Image.new("YCbCr", (4, 4), (128, 128, 128)).save(path, "TIFF")
    assert pixel(path) == (128, 128, 128)
    Image.new("CMYK", (4, 4), (0, 255, 255, 0)).save(path, "TIFF")
    assert pixel(path) == RED


def test_palette_with_transparency(tmp_path: Path) -> None:
    picture = Image.new("P", (4, 4), 1)
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 0, 255])
    picture.putpixel((1, 0), 2)
    picture.save(tmp_path / "one.png", transparency=2)
    picture.save(tmp_path / "one.gif", transparency=2)
    picture.save(tmp_path / "many.png", transparency=bytes([0, 51, 255]))
    for name in ("one.png", "one.gif"):
        assert pixel(tmp_path / name) == RED
        assert pixel(tmp_path / name, 1) == WHITE
    assert pixel(tmp_path / "many.png") == (255, 204, 204)
    assert pixel(tmp_path / "many.png", 1) == BLUE


def test_transparent_colour_of_an_rgb_png(tmp_path: Path) -> None:
    corners().save(tmp_path / "x.png", transparency=RED)
    assert pixel(tmp_path / "x.png") == WHITE
    assert pixel(tmp_path / "x.png", 63) == GREEN


def test_adobe_cmyk_jpeg_is_not_inverted(tmp_path: Path) -> None:
    corners().convert("CMYK").save(tmp_path / "x.jpg", quality=95)
    assert b"Adobe" in (tmp_path / "x.jpg").read_bytes()
    assert np.allclose(pixel(tmp_path / "x.jpg", 8, 8), RED, atol=12)
    assert np.allclose(pixel(tmp_path / "x.jpg", 56, 24), WHITE, atol=12)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_become_8_by_full_scale(tmp_path: Path, suffix: str) -> None:
    values = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
    Image.fromarray(values).save(tmp_path / f"x.{suffix}")
    got = np.asarray(decode(tmp_path / f"x.{suffix}").image)
    assert (got == np.arange(256).reshape(16, 16, 1)).all()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0, 0.2, 0.5, 1], np.float32), [0, 51, 128, 255]),
        (np.array([-3, 0, 100.4, 255], np.float32), [0, 0, 100, 255]),
        (np.array([0, np.nan, 1, 1], np.float32), [0, 0, 255, 255]),
        (np.array([0, 1, 1, 1], np.int32), [0, 1, 1, 1]),
        (np.array([0, 257, 514, 65535], np.int32), [0, 1, 2, 255]),
        (np.array([0, 0, 50_000, 100_000], np.int32), [0, 0, 128, 255]),
    ],
)
def test_floats_and_wide_integers(tmp_path: Path, values: np.ndarray, expected: list[int]) -> None:
    Image.fromarray(values.reshape(2, 2)).save(tmp_path / "x.tif")
    got = np.asarray(decode(tmp_path / "x.tif").image)
    assert got[..., 0].ravel().tolist() == expected
    assert (got == got[..., :1]).all()


@pytest.mark.parametrize("name", ["GIF", "WEBP", "TIFF", "PNG", "AVIF"])
def test_first_frame(tmp_path: Path, name: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, GREEN, BLUE)]
    options = {"lossless": True, "quality": 100} if name in ("WEBP", "AVIF") else {}
    frames[0].save(tmp_path / "x", name, save_all=True, append_images=frames[1:], **options)
    assert np.allclose(pixel(tmp_path / "x"), RED, atol=3)


def test_damaged_files(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    assert reason(tmp_path / "empty.jpg") == "empty file"
    (tmp_path / "text.jpg").write_text("not a picture at all")
    assert "not a JPEG, PNG" in reason(tmp_path / "text.jpg")
    (tmp_path / "x.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    assert reason(tmp_path / "x.eps").startswith("PostScript (EPS), not a JPEG, PNG")
    assert reason(tmp_path / "gone.jpg") == "not found"


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.95])
@pytest.mark.parametrize("at_least", [None, 100])
def test_truncated(tmp_path: Path, name: str, share: float, at_least: int | None) -> None:
    whole = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    Image.fromarray(noise).save(whole, name)
    content = whole.getvalue()
    with pytest.raises(BadImageError):
        decode_stream(io.BytesIO(content[: int(len(content) * share)]), at_least=at_least)


def test_truncated_progressive_jpeg() -> None:
    whole = io.BytesIO()
    photo().save(whole, "JPEG", progressive=True, quality=95)
    content = whole.getvalue()
    for share in (0.3, 0.7, 0.95):
        with pytest.raises(BadImageError):
            decode_stream(io.BytesIO(content[: int(len(content) * share)]), at_least=100)


def test_random_damage_never_escapes_as_another_error() -> None:
    rng = np.random.default_rng(0)
    for name in images.FORMATS:
        whole = io.BytesIO()
        corners().save(whole, name)
        for _ in range(60):
            content = bytearray(whole.getvalue())
            for at in rng.integers(0, len(content), 8):
                content[at] = rng.integers(256)
            try:
                decode_stream(io.BytesIO(bytes(content)), max_pixels=10_000)
            except BadImageError as error:
                assert "0x" not in str(error)


def test_too_many_pixels_are_refused_before_decoding(
    tmp_path: Path, recwarn: pytest.WarningsRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("1", (20_000, 10_000)).save(tmp_path / "bomb.png")
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", pytest.fail)
    assert "20000×10000 pixels" in reason(tmp_path / "bomb.png", max_pixels=199_999_999)
    assert not list(recwarn)
    assert Image.MAX_IMAGE_PIXELS is None


def test_anything_but_a_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert "named pipe" in reason(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "sock"))
        assert "socket" in reason(tmp_path / "sock")
    assert "device" in reason(Path("/dev/zero"))
    assert "folder" in reason(tmp_path)
    (tmp_path / "broken").symlink_to("nowhere")
    assert reason(tmp_path / "broken") == "broken link"
    (tmp_path / "self").symlink_to("self")
    assert "symbolic links" in reason(tmp_path / "self")
    corners().save(tmp_path / "x.png")
    (tmp_path / "link").symlink_to("x.png")
    assert decode(tmp_path / "link").image.size == (64, 32)


def test_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corners().save(tmp_path / "x.png")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "x.png")

    monkeypatch.setattr(Path, "open", refuse)
    assert reason(tmp_path / "x.png") == "Permission denied"


def test_harmonise_takes_the_centre_square_and_re_encodes() -> None:
    wide = Image.new("RGB", (100, 50), GREEN)
    wide.paste(RED, (25, 0, 75, 50))
    square = harmonise(wide, 64, crop=True, jpeg_quality=90)
    assert square.shape == (64, 64, 3)
    assert square.dtype == np.uint8
    assert np.abs(square.astype(int) - RED).max() <= 16
    tall = wide.transpose(Image.Transpose.ROTATE_90)
    assert np.abs(harmonise(tall, 64, True, 90).astype(int) - RED).max() <= 16


def test_harmonise_leaves_what_jpeg_of_that_quality_leaves() -> None:
    picture = Image.fromarray(
        np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    )
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=40, subsampling=2)
    expected = np.asarray(Image.open(encoded))
    assert (harmonise(picture, 64, crop=True, jpeg_quality=40) == expected).all()
    assert (harmonise(picture, 64, crop=False, jpeg_quality=40) == np.asarray(picture)).all()


def test_squash_keeps_the_whole_image() -> None:
    square = harmonise(corners(200, 50), 32, crop=False, jpeg_quality=50)
    assert [tuple(square[y, x]) for y in (4, 27) for x in (4, 27)] == [RED, GREEN, BLUE, WHITE]


def test_draft_changes_little() -> None:
    encoded = io.BytesIO()
    photo(1600, 1200).save(encoded, "JPEG", quality=90)
    full, drafted = (decode_stream(encoded, at_least=n).image for n in (None, 256))
    assert full.size == (1600, 1200)
    assert drafted.size == (400, 300)
    one, other = (harmonise(picture, 128, True, 90).astype(int) for picture in (full, drafted))
    assert np.abs(one - other).mean() < 1
    assert np.abs(one - other).max() < 16


@pytest.mark.parametrize("crop", [True, False])
@pytest.mark.parametrize("size", [(90, 61), (61, 90), (64, 64), (301, 64), (500, 301)])
def test_a_label_lands_where_its_image_does(size: tuple[int, int], crop: bool) -> None:
    picture, labels = Image.new("RGB", size), Image.new("L", size)
    middle = [size[0] // 2, size[1] // 2]
    box = (middle[0] - 14, middle[1] - 20, middle[0] + 6, middle[1] + 4)
    picture.paste(RED, box)
    labels.paste(7, box)
    red = harmonise(picture, 128, crop, 95)[..., 0] > 127
    label = warp(np.asarray(labels), 128, crop)
    assert set(np.unique(label)) == {0, 7}
    for axis in (0, 1):
        found, expected = (np.flatnonzero(m.any(axis=axis)) for m in (label == 7, red))
        assert abs(found[0] - expected[0]) <= 1
        assert abs(found[-1] - expected[-1]) <= 1


def test_in_order_keeps_the_order_and_few_results() -> None:
    started = []

    def slow_first(item: int) -> int:
        started.append(item)
        time.sleep(0.02 if item == 0 else 0)
        return item * item

    results = in_order(slow_first, range(200), "test")
    assert next(results) == 0
    assert len(started) <= 4 * (os.cpu_count() or 1)
    assert [0, *results] == [n * n for n in range(200)]
    assert list(in_order(slow_first, [], "test")) == []


def test_in_order_drops_what_waits_when_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    before, started = threading.active_count(), []

    def fail(item: int) -> None:
        started.append(item)
        if item == 0:
            raise KeyboardInterrupt
        time.sleep(0.1)

    with pytest.raises(KeyboardInterrupt):
        list(in_order(fail, range(1000), "test"))
    assert threading.active_count() == before
    time.sleep(0.3)
    assert len(started) <= 2
