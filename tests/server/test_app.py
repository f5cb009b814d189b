import re
import socket
import struct
import sys
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.server.fake import MODEL, picture
from twincam.server.answers import Limits
from twincam.server.app import OWN, SHARED, create_app
from twincam.server.project import Project

LIMITS = Limits(bytes=200_000, pixels=1_000_000, waiting=20, read=4, seconds=30)
NONE = Project({}, None)
HERE = "http://127.0.0.1:8000"


def client_of(limits: Limits = LIMITS, model: Any = MODEL) -> TestClient:
    return TestClient(create_app(model, NONE, limits, ["cats.example"]), HERE)


@pytest.fixture
def client() -> Iterator[TestClient]:
    with client_of() as started:
        yield started


def refused(response: Any, status: int) -> str:
    """Return the reason, one line without a place of the server's."""
    assert response.status_code == status, response.text
    reason = response.json()["error"]
    assert "\n" not in reason
    assert not re.search(r"/(home|root|tmp|work|usr)/|\.py", response.text)
    return str(reason)


def bomb(width: int, height: int) -> bytes:
    """Return a small PNG that states a size; its pixels are zeros, as many as fit in a megabyte."""
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", size), (b"IDAT", zlib.compress(bytes(10**6))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def test_a_picture_is_explained_whatever_it_is_called(client: TestClient) -> None:
    for kind in ("PNG", "JPEG", "WEBP", "GIF"):
        headers = {"Content-Type": "text/html"}
        answer = client.post("/explain", content=picture(40, 30, kind), headers=headers)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        found = answer.json()
        assert found["record"]["verdict"]["statement"] == "40 by 30"
        assert found["images"][found["record"]["image"]].startswith("data:image/webp")
        assert set(found) == {"record", "images", "row"}


def test_what_is_no_picture_is_refused_with_a_line(client: TestClient) -> None:
    def reason(content: bytes, status: int) -> str:
        return refused(client.post("/explain", content=content), status)

    assert "empty; send the content" in reason(b"", 400)
    assert "not a JPEG" in reason(b"a text", 415)
    assert "PDF" in reason(b"%PDF-1.7", 415)
    assert "send an image file" in reason(b"<html><script>alert(1)</script>", 415)
    assert "send" in reason(b"GIF89a", 415)
    assert "damaged" in reason(picture()[:60], 400)


def test_size_and_pixels_are_refused_before_decoding(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: pytest.fail("decoded"))
    many = refused(client.post("/explain", content=bomb(60_000, 60_000)), 413)
    assert many == "60000×60000 pixels, more than 1,000,000; scale the image down"
    large = refused(client.post("/explain", content=b"x" * 200_001), 413)
    assert large == "larger than 200,000 bytes; scale the image down"


def test_a_stream_is_read_up_to_the_limit_only(client: TestClient) -> None:
    sent = []

    def parts() -> Iterator[bytes]:
        for n in range(3000):
            sent.append(n)
            yield b"x" * 70_000

    refused(client.post("/explain", content=parts()), 413)
    assert client.post("/explain", content=picture()).status_code == 200


def test_a_slow_picture_does_not_hold_up_the_next() -> None:
    with client_of(LIMITS._replace(seconds=0.2)) as client:
        said = refused(client.post("/explain", content=picture(13)), 503)
        assert said == "not explained within 0.2 seconds; try again"
        tries = (client.post("/explain", content=picture()).status_code for _ in range(100))
        assert 200 in tries


def test_ten_at_once_and_too_many() -> None:
    with client_of() as client, ThreadPoolExecutor(10) as pool:
        contents = [picture(20 + n) for n in range(10)]
        answers = list(pool.map(lambda one: client.post("/explain", content=one), contents))
        said = [answer.json()["record"]["verdict"]["statement"] for answer in answers]
        assert said == [f"{20 + n} by 32" for n in range(10)]
    with client_of(LIMITS._replace(waiting=2)) as client, ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: client.post("/explain", content=picture(13)), range(6)))
        busy = [answer for answer in answers if answer.status_code == 503]
        assert 1 <= len(busy) <= 4
        assert {answer.headers["retry-after"] for answer in busy} == {"1"}
        assert sum(answer.status_code == 200 for answer in answers) == 6 - len(busy)


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "https://127.0.0.1", "null", "http://127.0.0.1:8001", ""]
)
def test_another_origin_is_refused(client: TestClient, origin: str) -> None:
    for path in ("/explain", "/reviews"):
        answer = client.post(path, content=picture(), headers={"Origin": origin})
        assert "another origin" in refused(answer, 403)
        assert "access-control-allow-origin" not in answer.headers
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    assert client.options("/explain", headers=asked).status_code == 403


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost", 200),
        ("[::1]:8000", 200),
        ("192.168.1.7:80", 200),
        ("CATS.example:8000", 200),
        ("evil.example:8000", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost@evil.example", 403),
        ("[", 403),
        ("", 403),
    ],
)
def test_a_strangers_name_is_refused(client: TestClient, host: str, status: int) -> None:
    assert client.get("/", headers={"Host": host}).status_code == status


def test_the_own_origin_is_served(client: TestClient) -> None:
    for origin in (HERE, "http://127.0.0.1:8000"):
        answer = client.post("/explain", content=picture(), headers={"Origin": origin})
        assert answer.status_code == 200


def test_every_answer_is_guarded(client: TestClient) -> None:
    answers = [client.get(path) for path in ("/", "/about", "/web/app.js", "/nothing")]
    answers += [client.post("/explain", content=b"x"), client.get("/explain")]
    answers += [client.get("/", headers={"Host": "evil.example"})]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "set-cookie" not in answer.headers
        assert "server" not in answer.headers
    assert [answer.status_code for answer in answers] == [200, 200, 200, 404, 415, 405, 403]


def test_only_the_pages_own_files_are_served(client: TestClient) -> None:
    served = {file.name for file in (*SHARED.iterdir(), *OWN.iterdir())} - {"index.html"}
    for name in served:
        assert client.get(f"/web/{name}").status_code == 200
    for name in ("..%2f..%2fcli.py", "../app.py", "index.html", "%2e%2e/app.py", "app.js%00"):
        assert client.get(f"/web/{name}").status_code == 404


def test_the_page_has_no_inline_script_and_asks_nobody(client: TestClient) -> None:
    page = client.get("/").text
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", page))
    assert "<style" not in page
    assert not re.search(r"\son\w+=|\sstyle=", page)
    for name in re.findall(r'(?:src|href)="([^"]*)"', page):
        assert name == "data:," or client.get(name).status_code == 200, name
    for file in (*SHARED.iterdir(), *OWN.iterdir()):
        assert not re.search(r"https?://|//[a-z]+\.[a-z]", file.read_text("utf-8")), file


def test_nothing_is_written_and_nobody_is_asked(client: TestClient) -> None:
    heard: list[str] = []
    watching = [True]

    def hear(event: str, args: tuple[Any, ...]) -> None:
        if not watching[0]:
            return
        if event == "open" and isinstance(args[0], str | bytes | Path):
            mode, flags = args[1] or "", args[2]
            if set(mode) & set("wax+") or flags & 3:
                heard.append(f"written: {args[0]!r}")
        if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "tempfile.mkstemp"):
            heard.append(event)

    sys.addaudithook(hear)
    try:
        large = picture(200, 200, "BMP")
        assert client.post("/explain", content=large).status_code == 200
        form = client.post("/explain", files={"file": ("a.png", large, "image/png")})
        refused(form, 415)
        socket.getaddrinfo("127.0.0.1", 0)
    finally:
        watching[0] = False
    assert heard == ["socket.getaddrinfo"]


def test_a_bug_shows_nothing_of_the_server() -> None:
    def broken(_: bytes) -> Any:
        raise RuntimeError("secret of /work")

    app = create_app(MODEL._replace(explain=broken), NONE, LIMITS)
    with TestClient(app, HERE, raise_server_exceptions=False) as client:
        answer = client.post("/explain", content=picture())
        assert (answer.status_code, answer.text) == (500, "Internal Server Error")
        assert "content-security-policy" in answer.headers
        assert client.get("/").status_code == 200


def test_memory_that_does_not_suffice_is_one_line() -> None:
    def large(_: bytes) -> Any:
        raise MemoryError

    with client_of(model=MODEL._replace(explain=large)) as client:
        assert "not enough memory" in refused(client.post("/explain", content=picture()), 413)


def test_about_tells_the_limits(client: TestClient) -> None:
    about = client.get("/about").json()
    assert about["limits"]["bytes"] == 200_000
    assert about["reviews"] is False
    assert about["classes"] == ["fake", "real"]
