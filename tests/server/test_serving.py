"""The app on a port: long, slow, broken and many requests leave it alive."""

import http.client
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from tests.conftest import user_error
from tests.server.fake import picture
from tests.server.served import LIMITS, served
from twincam.server import serving
from twincam.server.project import Project
from twincam.server.serving import Address, listen, url_of

NONE = Project({}, None)


@pytest.fixture
def url() -> Iterator[str]:
    with served(NONE) as address:
        yield address


def connect(url: str) -> http.client.HTTPConnection:
    place = urlsplit(url)
    return http.client.HTTPConnection(str(place.hostname), place.port, timeout=10)


def explained(url: str, content: bytes) -> tuple[int, dict]:
    connection = connect(url)
    connection.request("POST", "/explain", content)
    response = connection.getresponse()
    found = json.loads(response.read())
    connection.close()
    return response.status, found


def is_alive(url: str) -> bool:
    return explained(url, picture())[0] == 200


def test_a_200_mb_upload_is_cut_off(url: str) -> None:
    for headers in ({"Content-Length": "200000000"}, {"Transfer-Encoding": "chunked"}):
        place = urlsplit(url)
        part = b"x" * 100_000
        sent = 0
        with socket.create_connection((str(place.hostname), place.port or 80), 10) as wire:
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            wire.sendall(f"POST /explain HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}\r\n".encode())
            try:
                while sent < 200_000_000:
                    chunk = f"{len(part):x}\r\n".encode() + part + b"\r\n"
                    wire.sendall(chunk if "Transfer-Encoding" in headers else part)
                    sent += len(part)
            except OSError:
                pass
        assert sent < 20_000_000, "what fits in the buffers of the network beyond 2 MB"
    assert is_alive(url)


def test_a_long_upload_that_waits_for_the_answer_is_told_why(url: str) -> None:
    connection = connect(url)
    connection.putrequest("POST", "/explain")
    connection.putheader("Content-Length", "200000000")
    connection.putheader("Expect", "100-continue")
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 413
    assert "larger than 2,000,000 bytes" in json.loads(response.read())["error"]
    connection.close()


def test_an_upload_that_stalls_is_ended() -> None:
    with served(NONE, LIMITS._replace(seconds=0.3)) as url:
        connection = connect(url)
        connection.putrequest("POST", "/explain")
        connection.putheader("Content-Length", "1000")
        connection.endheaders(b"x" * 10)
        response = connection.getresponse()
        assert response.status == 408
        assert "not received within 0.3 seconds" in json.loads(response.read())["error"]
        connection.close()


def test_an_upload_that_breaks_off_and_noise_leave_it_alive(url: str) -> None:
    place = urlsplit(url)
    for noise in (
        b"POST /explain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nx",
        b"\0",
    ):
        with socket.create_connection((str(place.hostname), place.port or 80), 10) as wire:
            wire.sendall(noise)
    assert is_alive(url)


def test_half_a_request_holds_its_place_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "CONNECTIONS", 4)
    monkeypatch.setattr(serving, "HEAD_SECONDS", 0.3)
    with served(NONE) as url, ExitStack() as wires:
        place = urlsplit(url)
        for _ in range(4):
            address = (str(place.hostname), place.port or 80)
            wire = wires.enter_context(socket.create_connection(address, 10))
            wire.sendall(b"POST /explain HTTP/1.1\r\nHost: local")
        assert wire.recv(1) == b"", "it was not closed"
        assert is_alive(url)


def test_ten_uploads_at_once() -> None:
    with served(NONE) as url, ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda n: explained(url, picture(300 + n)), range(10)))
    said = [found["record"]["verdict"]["statement"] for _, found in answers]
    assert said == [f"{300 + n} by 32" for n in range(10)]


def test_a_port_that_is_taken_is_one_line() -> None:
    with listen(Address("127.0.0.1", 0)) as place:
        port = place.getsockname()[1]
        message = user_error(listen, address=Address("127.0.0.1", port))
        assert f"127.0.0.1, port {port}: cannot listen there" in message
        assert url_of(place) == f"http://127.0.0.1:{port}/"
    assert "cannot listen" in user_error(listen, address=Address("127.0.0.1", 70000))
    assert "cannot listen" in user_error(listen, address=Address("203.0.113.1", 0))
