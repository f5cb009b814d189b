"""How much memory the app holds after large, many and hostile uploads, and how long it takes.

Used as ``python -m benchmarks.app_memory``, with ``models/explainer`` of the working tree's run, or
with another one as ``--explainer``. ``--soak SECONDS`` sends small pictures at a steady ``--rate``
a second instead, a tenth of them broken. The uploads are made up from noise; the app runs in a
process of its own.
"""

import argparse
import http.client
import io
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.parse import urlsplit

import numpy as np
import psutil
from PIL import Image

ROUNDS = 2
"""Of each load: memory that is not given back grows from one to the next."""

MANY = 50
LARGE = (8660, 5774)
"""Pixels of an image of 50 megapixels, 24 by 36 mm."""


def main() -> None:
    """Print memory before and after each load, or each minute of a soak."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--soak", type=float, default=0)
    parser.add_argument("--rate", type=float, default=5)
    parser.add_argument("--explainer", default=[])
    args = parser.parse_args()
    command = [sys.executable, "-m", "twincam", "app", "--port", "0"]
    command += ["--explainer", args.explainer] if args.explainer else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as app:
        assert app.stdout is not None
        url = app.stdout.readline().split()[3].rstrip(";")
        try:
            if args.soak:
                soak(url, psutil.Process(app.pid), args.soak, args.rate)
            else:
                measure(url, psutil.Process(app.pid))
        finally:
            app.terminate()


def measure(url: str, process: psutil.Process) -> None:
    """Print the resident memory of ``process`` after each load, and the time of an answer."""
    small, large, bomb = picture(640, 480), picture(*LARGE), picture(20_000, 20_000, blank=True)
    print(f"50 megapixels: {len(large) / 1e6:.1f} MB; bomb: {len(bomb) / 1e6:.1f} MB", flush=True)
    loads: dict[str, Callable[[], object]] = {
        "one picture": lambda: post(url, small),
        f"{MANY} pictures, ten at once": lambda: at_once(url, [small] * MANY),
        "ten of 50 megapixels at once": lambda: at_once(url, [large] * 10),
        "five uploads of 200 MB": lambda: [post(url, parts(200_000_000)) for _ in range(5)],
        "ten decompression bombs at once": lambda: at_once(url, [bomb] * 10),
    }
    print(f"start: {megabytes(process):.0f} MB", flush=True)
    for name, load in loads.items():
        held, peaks = [], []
        for _ in range(ROUNDS):
            with ThreadPoolExecutor(1) as pool:
                work, peak = pool.submit(load), 0.0
                while not work.done():
                    peak = max(peak, megabytes(process))
                    time.sleep(0.005)
                found = work.result()
            time.sleep(0.5)
            held.append(f"{megabytes(process):.0f}")
            peaks.append(peak)
        print(f"{name}: peak {max(peaks):.0f} MB, then {', '.join(held)} MB; {found}", flush=True)
    times = []
    for _ in range(30):
        started = time.perf_counter()
        assert post(url, small) == 200
        times.append(time.perf_counter() - started)
    print(f"answer: median {1000 * float(np.median(times)):.0f} ms, n = {len(times)}")


def soak(url: str, process: psutil.Process, seconds: float, rate: float) -> None:
    """Send ``rate`` pictures a second for ``seconds``; print the memory of each minute."""
    whole = picture(640, 480)
    broken, statuses, started = whole[: len(whole) // 2], Counter[int](), time.monotonic()
    print(f"start: {megabytes(process):.0f} MB", flush=True)
    with ThreadPoolExecutor(10) as pool:
        for number in range(int(seconds * rate)):
            time.sleep(max(0.0, started + number / rate - time.monotonic()))
            answer = pool.submit(post, url, broken if number % 10 == 0 else whole)
            answer.add_done_callback(lambda done: statuses.update([done.result()]))
            if number and number % int(60 * rate) == 0:
                print(f"{number / rate:.0f} s: {megabytes(process):.0f} MB", flush=True)
    print(f"end: {megabytes(process):.0f} MB; answers by status: {dict(statuses)}")


def picture(width: int, height: int, blank: bool = False) -> bytes:
    """Return a JPEG of coarse noise, or a blank PNG."""
    content = io.BytesIO()
    if blank:
        Image.new("L", (width, height)).save(content, "PNG")
    else:
        noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((width, height)).save(content, "JPEG", quality=90)
    return content.getvalue()


def parts(size: int) -> Iterator[bytes]:
    """Yield ``size`` bytes of noise."""
    part = bytes(1_000_000)
    yield from (part for _ in range(size // len(part)))


def post(url: str, content: bytes | Iterator[bytes]) -> int:
    """Return the status of the answer; 0 if the connection is closed while sending."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=120)
    with suppress(ConnectionError):
        connection.request("POST", "/explain", content)
        response = connection.getresponse()
        json.loads(response.read())
        return response.status
    return 0


def at_once(url: str, contents: list[bytes]) -> dict[int, int]:
    """Return how many answers had each status, sent ten at a time."""
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda content: post(url, content), contents))
    return {status: found.count(status) for status in sorted(set(found))}


def megabytes(process: psutil.Process) -> float:
    """Return the resident memory."""
    return float(process.memory_info().rss) / 1e6


if __name__ == "__main__":
    main()
