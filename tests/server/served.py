"""The app on a port of this machine, with a made-up model."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.server.fake import MODEL
from twincam.server.answers import Limits
from twincam.server.app import create_app
from twincam.server.project import Project
from twincam.server.serving import Address, listen, server_of, url_of

LIMITS = Limits(bytes=2_000_000, pixels=1_000_000, waiting=20, read=4, seconds=30)


@contextmanager
def served(project: Project, limits: Limits = LIMITS) -> Iterator[str]:
    """Yield the address of a running app."""
    with listen(Address("127.0.0.1", 0)) as place:
        server = server_of(create_app(MODEL, project, limits))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [place]})
        thread.start()
        try:
            yield url_of(place)
        finally:
            server.should_exit = True
            thread.join()
