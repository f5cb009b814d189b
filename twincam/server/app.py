"""The app's addresses: its page, `POST /explain` and `POST /reviews` (docs/app.md)."""

import asyncio
import hashlib
import json
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from twincam.files.errors import UserError
from twincam.pages import rendering
from twincam.server.answers import DEFAULT, Limits, Model, RefusedError
from twincam.server.guards import guarded
from twincam.server.project import Project, keep_review, review_of
from twincam.server.uploads import read_body, require_picture

SHARED, OWN = Path(rendering.__file__).with_name("web"), Path(__file__).with_name("web")
KINDS = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".svg": "image/svg+xml",
}
LONGEST_REVIEW = 10_000
"""Bytes."""


def create_app(
    model: Model, project: Project, limits: Limits = DEFAULT, names: Collection[str] = ()
) -> ASGIApp:
    """Return the app as an ASGI application.

    Pictures are explained one after the other, in a thread of their own. Nothing is written to
    disk but reviews.

    Args:
        model: explains the content of a file.
        project: whose images are known, and where reviews go.
        limits: of what is taken.
        names: by which the server is known besides its addresses and ``localhost``.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="explain")
    reading, keeping = asyncio.Semaphore(limits.read), asyncio.Lock()
    waiting = 0

    def line_of(error: UserError) -> str:
        """Return the error without the place of the project on this machine."""
        return str(error).removeprefix(f"{project.info}/")

    def answer(content: bytes) -> Response:
        try:
            require_picture(content, limits.pixels)
            found: dict[str, Any] = model.explain(content)._asdict()
            if known := project.images.get(hashlib.sha256(content).hexdigest()):
                found["project"] = {**known._asdict(), "review": review_of(project, known.path)}
        except RefusedError as refused:
            return _refusal(refused.status, refused.reason)
        except UserError as error:
            return _refusal(400, line_of(error))
        except MemoryError:
            return _refusal(413, "not enough memory; scale the image down")
        text = json.dumps(found, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return Response(text, media_type="application/json")

    async def explain(request: Request) -> Response:
        nonlocal waiting
        if waiting >= limits.waiting:
            return _refusal(503, f"{waiting} images are waiting; try again in a second", retry=1)
        waiting += 1
        try:
            async with reading:
                content = await read_body(request, limits.bytes, limits.seconds)
                work = asyncio.get_running_loop().run_in_executor(pool, answer, content)
                return await asyncio.wait_for(work, limits.seconds)
        except TimeoutError:
            return _refusal(503, f"not explained within {limits.seconds:g} seconds; try again")
        except RefusedError as refused:
            return _refusal(refused.status, refused.reason)
        finally:
            waiting -= 1

    async def review(request: Request) -> Response:
        try:
            if project.info is None:
                raise RefusedError(404, "started without --reviews; download reviews.csv instead")
            given = json.loads(await read_body(request, LONGEST_REVIEW, limits.seconds))
            async with keeping:
                await asyncio.to_thread(keep_review, project, given)
        except (ValueError, RecursionError):
            return _refusal(400, "expected JSON in UTF-8")
        except UserError as error:
            return _refusal(409, line_of(error))
        except OSError as error:
            return _refusal(500, f"reviews.csv cannot be written ({error.strerror})")
        except RefusedError as refused:
            return _refusal(refused.status, refused.reason)
        return Response(status_code=204)

    about = {
        "limits": limits._asdict(),
        "classes": list(model.classes),
        "labels": sorted({known.label for known in project.images.values()}),
        "reviews": project.info is not None,
    }
    routes = [
        Route("/explain", explain, methods=["POST"]),
        Route("/reviews", review, methods=["POST"]),
        Route("/about", lambda _: JSONResponse(about)),
        Route("/", _file(OWN / "index.html")),
    ]
    served = [*SHARED.iterdir(), *(file for file in OWN.iterdir() if file.suffix != ".html")]
    routes += [Route(f"/web/{file.name}", _file(file)) for file in served if file.suffix in KINDS]
    return guarded(Starlette(routes=routes), names)


def _file(path: Path) -> Any:
    """Return an endpoint that answers with a file, which is read once."""
    response = Response(path.read_bytes(), media_type=KINDS[path.suffix])
    return lambda _: response


def _refusal(status: int, reason: str, retry: int = 0) -> Response:
    """Return an answer with one line; the rest of the request is not read."""
    headers = {"Connection": "close"} | ({"Retry-After": str(retry)} if retry else {})
    return JSONResponse({"error": reason}, status, headers)
