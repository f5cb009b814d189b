"""Who may ask, and what a browser may do with the answer."""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
"""Of every answer: own scripts and styles only, no frame, nothing kept by the browser."""


def guarded(app: ASGIApp, names: Collection[str]) -> ASGIApp:
    """Return ``app`` for pages of its own origin only, with `HEADERS` on every answer.

    A request must name this server by an address, ``localhost`` or one of ``names``: the name of a
    stranger that leads here (DNS rebinding) is refused. What a page of another origin sends is
    refused, too. Programs that send no origin are served.
    """

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if not _is_known(host, names):
            refusal = "this server is not known by that name; start it with --name"
        elif origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            refusal = "a request from a page of another origin; open the app itself"
        else:
            await app(scope, receive, send_guarded)
            return
        await JSONResponse({"error": refusal}, 403)(scope, receive, send_guarded)

    return call


def _is_known(host: str, names: Collection[str]) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name in {known.lower() for known in names}:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
