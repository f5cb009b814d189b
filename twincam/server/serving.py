"""Run the app on an address of this machine."""

import socket
from collections.abc import Collection
from contextlib import suppress
from typing import NamedTuple

import uvicorn
from starlette.types import ASGIApp

from twincam.files.errors import UserError

CONNECTIONS = 64
"""At a time; further ones are refused."""


class Address(NamedTuple):
    """Where the app is found; ``names`` besides its addresses and ``localhost``."""

    host: str
    port: int
    names: Collection[str] = ()


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


def serve(app: ASGIApp, place: socket.socket) -> None:
    """Answer requests at ``place`` until the process is interrupted."""
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=5,
    )
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[place])


def url_of(place: socket.socket) -> str:
    """Return the address to open in a browser."""
    host, port = place.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"
