"""Run the app on an address of this machine."""

import asyncio
import ctypes
import socket
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from twincam.explainer.explaining import default_folder
from twincam.files.errors import UserError
from twincam.files.project import project_root
from twincam.server.app import create_app
from twincam.server.models import open_model
from twincam.server.project import Project, read_project

CONNECTIONS = 64
"""At a time; further ones are refused."""

HEAD_SECONDS = 10.0
"""For the head of a request to arrive."""

LARGE_BLOCK = 1 << 23
"""Bytes."""

_MMAP_THRESHOLD = -3
"""``M_MMAP_THRESHOLD`` of malloc.h."""


class Address(NamedTuple):
    """Where the app is found; ``names`` besides its addresses and ``localhost``."""

    host: str
    port: int
    names: Collection[str] = ()


def run_app(explainer: Path | None, address: Address, reviews: bool) -> None:
    """Serve the app until the process is interrupted.

    Args:
        explainer: what the stage ``explainer`` wrote; None is that of the project around the
            current folder.
        address: where it is found.
        reviews: whether it writes ``reviews.csv``.

    Raises:
        UserError: the explainer, the project or the address does not fit.
    """
    give_memory_back()
    in_project = explainer is None or reviews
    project = read_project(project_root(Path.cwd()), reviews) if in_project else Project({}, None)
    model = open_model(default_folder() if explainer is None else explainer)
    with listen(address) as place:
        print(f"TwinCAM is at {url_of(place)}; stop it with Ctrl-C", flush=True)
        with suppress(KeyboardInterrupt):
            server_of(create_app(model, project, names=address.names)).run(sockets=[place])


def give_memory_back() -> None:
    """Have glibc return large blocks to the system as soon as they are freed.

    Otherwise it keeps what it freed of a large picture for the next (``man mallopt``).
    """
    with suppress(OSError, AttributeError):  # there is no such function in other libraries
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, LARGE_BLOCK)


def listen(address: Address) -> socket.socket:
    """Return a socket that listens on ``address``; port 0 is any that is free.

    Raises:
        UserError: the port is taken, or the host is no address of this machine.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"{address.host}, port {address.port}: cannot listen there ({reason}); give another "
            "--port, or a --host of this machine"
        ) from None


def server_of(app: ASGIApp) -> uvicorn.Server:
    """Return a server that answers requests to ``app``, and logs none of them."""
    config = uvicorn.Config(
        app,
        http=_Impatient,
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)


class _Impatient(H11Protocol):
    """Closes a connection on which no whole head of a request arrives in `HEAD_SECONDS`.

    uvicorn waits for it forever: `CONNECTIONS` that send half a head would shut out everybody.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.loop.call_later(HEAD_SECONDS, self._close_if_waiting)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self.loop.call_later(HEAD_SECONDS, self._close_if_waiting)

    def _close_if_waiting(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


def url_of(place: socket.socket) -> str:
    """Return the address to open in a browser."""
    host, port = place.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"
