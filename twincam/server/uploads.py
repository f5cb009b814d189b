"""Read a picture from a request, or refuse it before anything is decoded."""

import asyncio
import io

from PIL import Image
from starlette.requests import ClientDisconnect, Request

from twincam.images.formats import FORMATS, HEADER, why_unreadable
from twincam.server.answers import RefusedError


async def read_body(request: Request, most: int, seconds: float) -> bytes:
    """Return the body of ``request``; stop reading it beyond ``most`` bytes or ``seconds``.

    Raises:
        RefusedError: it is longer, slower, or does not arrive.
    """
    if int(request.headers.get("content-length", 0)) > most:
        raise _too_long(most)
    content = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                content += part
                if len(content) > most:
                    raise _too_long(most)
    except TimeoutError:
        raise RefusedError(408, f"not received within {seconds:g} seconds; try again") from None
    except ClientDisconnect:
        raise RefusedError(400, "the connection was closed before the end; send it again") from None
    return bytes(content)


def _too_long(most: int) -> RefusedError:
    return RefusedError(413, f"larger than {most:,} bytes; scale the image down")


def require_picture(content: bytes, most_pixels: int) -> None:
    """Read the header of a file; raise RefusedError if it is no picture or one of too many pixels.

    The name and the stated type of a file play no part.
    """
    if not content:
        raise RefusedError(400, "empty; send the content of an image file as the body")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
    except Image.UnidentifiedImageError:
        raise RefusedError(415, f"{why_unreadable(content[:HEADER])}; send an image file") from None
    except Exception:  # a malformed header can make Pillow raise almost anything
        raise RefusedError(415, "a damaged image; send a complete file") from None
    if width * height > most_pixels:
        raise RefusedError(
            413, f"{width}×{height} pixels, more than {most_pixels:,}; scale the image down"
        )
