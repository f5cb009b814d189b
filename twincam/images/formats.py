"""The image formats that are read, and the names of others."""

import struct

from PIL import (  # noqa: F401  # here, since Pillow loads them lazily and not thread-safely
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

try:
    from pillow_heif import register_heif_opener
except ImportError:
    HEIF: tuple[str, ...] = ()
else:
    register_heif_opener()
    HEIF = ("HEIF",)

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", *HEIF)
"""Pillow's names; HEIF only if the package pillow-heif is installed."""

READABLE = f"JPEG, PNG, WebP, BMP, GIF, TIFF{', AVIF or HEIC' if HEIF else ' or AVIF'}"

HEADER = 1024
"""Bytes at the start of a file that suffice to recognise its format."""

_STARTS = {
    b"\x89PNG\r\n": "PNG",
    b"GIF8": "GIF",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL \r\n\x87\n": "JPEG XL",
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"II\xbc\x01": "JPEG XR",
    b"\xff\xd8\xff\xf7": "JPEG-LS",
    b"\xff\xd8\xff": "JPEG",
    b"8BPS": "Photoshop (PSD)",
    b"gimp xcf": "GIMP (XCF)",
    b"%PDF": "PDF",
    b"%!PS": "PostScript (EPS)",
    b"\xc5\xd0\xd3\xc6": "PostScript (EPS)",
    b"\0\0\1\0": "Windows icon (ICO)",
    b"icns": "Apple icon (ICNS)",
    b"\x76\x2f\x31\x01": "OpenEXR",
    b"#?RADIANCE": "Radiance (HDR)",
    b"#?RGBE": "Radiance (HDR)",
    b"SIMPLE  =": "FITS",
    b"\x89HDF\r\n": "HDF5",
    b"\x93NUMPY": "NumPy array",
    b"qoif": "QOI",
    b"\x0a\5\1": "PCX",
    b"\1\xda": "SGI",
    b"DDS ": "DirectDraw (DDS)",
    b"BPG\xfb": "BPG",
    b"FLIF": "FLIF",
    b"AT&TFORM": "DjVu",
    b"\xd7\xcd\xc6\x9a": "Windows metafile (WMF)",
    b"\x1aE\xdf\xa3": "Matroska or WebM video",
    b"PK\3\4": "ZIP archive",
    b"FUJIFILMCCD-RAW": "camera raw (RAF)",
    b"IIU\0": "camera raw (RW2)",
    b"IIRO": "camera raw (ORF)",
    b"IIRS": "camera raw (ORF)",
    b"MMOR": "camera raw (ORF)",
    b"FOVb": "camera raw (X3F)",
    b"\0MRM": "camera raw (MRW)",
    b"II\x1a\0\0\0HEAPCCDR": "camera raw (CRW)",
    **{f"P{digit}{space}".encode(): "Netpbm (PPM)" for digit in "1234567" for space in " \n\r\t"},
}

_HEIC_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs"}

_AVIF_BRANDS = {b"avif", b"avis"}

_NEW_SUBFILE_TYPE, _SUB_IFDS, _DNG_VERSION = 254, 330, 50706


def format_name(start: bytes) -> str:
    """Return the name of the format of a file with these first `HEADER` bytes, "" if unknown."""
    if start[4:8] == b"ftyp":
        return _box_name(start)
    if start[128:132] == b"DICM":
        return "DICOM"
    if start.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "camera raw (CR2)" if start[8:10] == b"CR" else "TIFF"
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return "WebP"
    if b"<svg" in start and start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "SVG"
    return next((name for magic, name in _STARTS.items() if start.startswith(magic)), "")


def _box_name(start: bytes) -> str:
    """Return the format of a file that begins with an ``ftyp`` box (ISO 14496-12)."""
    (length,) = struct.unpack(">I", start[:4])
    brands = {start[at : at + 4] for at in (8, *range(16, min(length, len(start)), 4))}
    if brands & _HEIC_BRANDS:
        return "HEIC"
    if brands & _AVIF_BRANDS:
        return "AVIF"
    if b"crx " in brands:
        return "camera raw (CR3)"
    return "HEIF" if brands & {b"mif1", b"msf1"} else "MP4 or QuickTime video"


def why_unreadable(start: bytes) -> str:
    """Return why a file with these first `HEADER` bytes could not be read as an image."""
    name = format_name(start)
    if name == "TIFF":
        return "damaged, or a TIFF of an unsupported kind (such as camera raw)"
    if name in READABLE:
        return f"damaged ({name} header)" if name else f"not a {READABLE} image"
    if name in ("HEIC", "HEIF"):
        return f"{name}, which needs the package pillow-heif"
    return f"{name}, not a {READABLE} image"


def is_preview(image: Image.Image) -> bool:
    """Return whether Pillow reads only the preview in this TIFF, as in cameras' raw files."""
    tags = getattr(image, "tag_v2", {})
    reduced = tags.get(_NEW_SUBFILE_TYPE, 0) & 1
    others = _SUB_IFDS in tags or getattr(image, "n_frames", 1) > 1
    return _DNG_VERSION in tags or bool(reduced and others)
