"""Real servers for a remote, each on a free port of this machine, stopped when the block ends."""

import asyncio
import functools
import http.client
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import asyncssh
import boto3
from moto.server import ThreadedMotoServer

SECRET = "only-for-this-test"


@dataclass(frozen=True)
class Storage:
    """A remote: its URL, settings that are kept out of git, and the folder of its files.

    ``folder`` is None if the objects are not files; then ``s3`` is the client to reach them.
    """

    url: str
    settings: dict[str, str] = field(default_factory=dict)
    folder: Path | None = None
    s3: object = None


@contextmanager
def shared_folder(place: Path) -> Iterator[Storage]:
    """A shared folder."""
    place.mkdir()
    yield Storage(str(place), folder=place)


@contextmanager
def s3(place: Path) -> Iterator[Storage]:
    """An S3 service (moto) with one bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": SECRET}
        client = boto3.client("s3", endpoint_url=address, region_name="us-east-1", **keys)
        client.create_bucket(Bucket="bucket")
        settings = {
            "endpointurl": address,
            "region": "us-east-1",
            "access_key_id": "test",
            "secret_access_key": SECRET,
        }
        yield Storage("s3://bucket/twincam", settings, s3=client)
    finally:
        server.stop()


class _Server(asyncssh.SSHServer):
    def begin_auth(self, _username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, _username: str, password: str) -> bool:
        return password == SECRET


@contextmanager
def ssh(place: Path) -> Iterator[Storage]:
    """An SSH server that serves ``place`` by SFTP."""
    place.mkdir()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=_Server,
            server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            sftp_factory=functools.partial(asyncssh.SFTPServer, chroot=str(place).encode()),
        )

    async def close(server: asyncssh.SSHAcceptor) -> None:
        server.close()
        await server.wait_closed()

    server = asyncio.run_coroutine_threadsafe(listen(), loop).result()
    try:
        url = f"ssh://someone@127.0.0.1:{server.get_port()}/store"
        yield Storage(url, {"password": SECRET}, folder=place / "store")
    finally:
        asyncio.run_coroutine_threadsafe(close(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def http_read_only(place: Path) -> Iterator[Storage]:
    """A web server that serves the files of ``place`` read-only."""
    place.mkdir(exist_ok=True)
    handler = functools.partial(_Quiet, directory=str(place))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Storage(f"http://127.0.0.1:{server.server_port}", folder=place)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def end_headers(self) -> None:
        path = Path(self.translate_path(self.path))
        if path.is_file():
            self.send_header("ETag", f'"{path.stat().st_mtime_ns:x}"')
        super().end_headers()

    def log_message(self, *_args: object) -> None:
        pass


FAULTS = ("503", "drop", "truncate", "other")
"""What `unreliable` does to a request: answers with a status, hangs up at once or halfway, or sends
as many other bytes. "403" refuses every request."""


@contextmanager
def unreliable(url: str, fault: str, after: int) -> Iterator[str]:
    """Yield the address of a proxy to ``url`` that serves ``after`` objects, and none further."""

    class Proxy(http.server.BaseHTTPRequestHandler):
        left = after

        def do_GET(self) -> None:
            self.answer()

        def do_HEAD(self) -> None:
            self.answer()

        def do_PUT(self) -> None:
            self.answer()

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            is_object = self.command != "HEAD" and "/files/md5/" in self.path
            Proxy.left -= is_object
            failing = is_object and Proxy.left < 0
            if fault == "403":
                content = (
                    b"<Error><Code>RequestTimeTooSkewed</Code><Message>Clock</Message></Error>"
                )
                self.send_response(403)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)
                return
            if failing and fault == "drop":
                return
            if failing and fault == "503":
                self.send_response(503)
                self.end_headers()
                return
            upstream = http.client.HTTPConnection(urlsplit(url).netloc)
            upstream.request(self.command, self.path, body, dict(self.headers.items()))
            found = upstream.getresponse()
            content = found.read()
            self.send_response(found.status)
            for name, value in found.getheaders():
                if name.lower() not in ("connection", "transfer-encoding"):
                    self.send_header(name, value)
            self.end_headers()
            sent = {"truncate": content[: len(content) // 2], "other": content[::-1]}
            self.wfile.write(sent.get(fault, content) if failing else content)
            upstream.close()

        def log_message(self, *_args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


SERVERS = {"folder": shared_folder, "s3": s3, "ssh": ssh}


def damage(storage: Storage, oid: str, content: bytes | None) -> None:
    """Replace an object on the remote by ``content``, or delete it."""
    name = f"files/md5/{oid[:2]}/{oid[2:]}"
    if storage.folder is not None:
        path = storage.folder / name
        path.chmod(0o644)
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        return
    client = storage.s3
    assert client is not None
    key = f"twincam/{name}"
    if content is None:
        client.delete_object(Bucket="bucket", Key=key)  # type: ignore[attr-defined]
    else:
        client.put_object(Bucket="bucket", Key=key, Body=content)  # type: ignore[attr-defined]
