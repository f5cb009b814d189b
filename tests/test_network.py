"""No test needs a network, and none reaches one."""

import socket
import subprocess
import sys
from urllib.error import URLError
from urllib.request import urlopen

import pytest


def test_nothing_leaves_this_machine() -> None:
    with pytest.raises(OSError, match="unreachable"), socket.socket() as wire:
        wire.connect(("192.0.2.1", 80))
    with pytest.raises(OSError, match="unreachable"), socket.socket(type=socket.SOCK_DGRAM) as wire:
        wire.sendto(b"x", ("192.0.2.1", 53))
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("example.org", 80)
    with pytest.raises(URLError):
        urlopen("https://example.org", timeout=1)


def test_commands_meet_a_proxy_that_is_not_there() -> None:
    code = "import urllib.request as r; r.urlopen('https://example.org', timeout=5)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode
    assert "Connection refused" in done.stderr
