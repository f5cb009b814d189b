"""AVIF and HEIC are read like other formats; formats that are not read are named."""

import io
from functools import partial
from pathlib import Path

import pytest
from PIL import Image, TiffImagePlugin

from stages.audit.metadata import read_metadata
from twincam.deliveries import DELIVERIES, read_deliveries
from twincam.images.decoding import BadImageError, decode, decode_stream
from twincam.images.formats import HEIF
from twincam.images.params import Prepare

PREPARED = Prepare(image_size=64, harmonise=True, jpeg_quality=85)
HEIC_START = b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf" + bytes(200)
PICTURE = Image.linear_gradient("L").convert("RGB")


def reason(content: bytes) -> str:
    with pytest.raises(BadImageError) as caught:
        decode_stream(io.BytesIO(content))
    return str(caught.value)


def saved(picture: Image.Image, name: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, name, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["AVIF", *HEIF])
def test_every_stage_reads_them(tmp_path: Path, name: str) -> None:
    file = tmp_path / "IMG_0001.JPG"
    file.write_bytes(saved(PICTURE, name))
    assert decode(file).format == name
    sha256, squares = read_deliveries(file, PREPARED, 10**6)
    assert sha256 == decode(file).sha256
    assert squares.shape == (len(DELIVERIES), 64, 64, 3)
    found = read_metadata(file)
    assert (found["format"], found["width"], found["mode"]) == (name, 256, "RGB")


def test_their_pixels_are_counted_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO(saved(PICTURE, "AVIF"))
    monkeypatch.setattr("PIL.AvifImagePlugin.AvifImageFile.load", pytest.fail)
    with pytest.raises(BadImageError, match="256×256 pixels"):
        decode_stream(content, max_pixels=256 * 256 - 1)


@pytest.mark.skipif(bool(HEIF), reason="pillow-heif is installed")
@pytest.mark.parametrize("major", [b"heic", b"mif1", b"msf1", b"heix"])
def test_heic_names_the_package_that_reads_it(major: bytes) -> None:
    found = reason(HEIC_START[:8] + major + HEIC_START[12:])
    assert found == "HEIC, which needs the package pillow-heif"


def test_a_damaged_file_is_named_by_its_header() -> None:
    assert reason(saved(PICTURE, "AVIF")[:60]) == "damaged (AVIF header)"
    assert reason(saved(PICTURE, "PNG")[:12]) == "damaged (PNG header)"
    assert reason(saved(PICTURE, "TIFF")[:12]).startswith("damaged, or a TIFF of an unsupported")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\xff\x0a\xfa\x1f", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (saved(PICTURE, "JPEG2000"), "JPEG 2000"),
        (saved(PICTURE, "JPEG2000", no_jp2=True), "JPEG 2000"),
        (b'<?xml version="1.0"?>\n<!-- a cat -->\n<svg xmlns="">', "SVG"),
        (b"8BPS\0\1", "Photoshop (PSD)"),
        (saved(PICTURE, "PDF"), "PDF"),
        (saved(PICTURE, "ICO"), "Windows icon (ICO)"),
        (saved(PICTURE, "PPM"), "Netpbm (PPM)"),
        (bytes(128) + b"DICM", "DICOM"),
        (b"FUJIFILMCCD-RAW 0201", "camera raw (RAF)"),
        (b"II*\0\x10\0\0\0CR\2\0", "camera raw (CR2)"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "camera raw (CR3)"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "MP4 or QuickTime video"),
    ],
)
def test_formats_that_are_not_read_are_named(content: bytes, name: str) -> None:
    assert reason(content).startswith(f"{name}, not a JPEG, PNG, ")


def test_the_preview_in_a_raw_file_is_refused() -> None:
    """Cameras' raw files are TIFFs that begin with a thumbnail."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[254] = 1
    raw = partial(saved, PICTURE, "TIFF", tiffinfo=tags)
    content = raw(save_all=True, append_images=[PICTURE])
    assert reason(content) == "camera raw, of which only the preview could be read"
    assert decode_stream(io.BytesIO(raw())).width == 256
    tags[50706] = b"\1\4\0\0"
    assert "camera raw" in reason(raw())
