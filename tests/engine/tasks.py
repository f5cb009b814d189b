"""What the tests run as tasks: a worker imports them."""

import os
import signal
import time
from pathlib import Path

import numpy as np
from PIL import Image

from twincam.engine.group import Member
from twincam.files.errors import UserError
from twincam.images.decoding import decode


def square_after(seconds: float, number: int) -> int:
    """Return the square of ``number``; number 0 takes longest."""
    time.sleep(0 if number else seconds)
    return number * number


def refuse_odd(number: int) -> int:
    """Return an even ``number``."""
    if number % 2:
        raise UserError(f"item {number} is odd; give an even one")
    return number


def read(path: str) -> str:
    """Return the text in a file."""
    return Path(path).read_text()


def photographs(folder: Path, count: int) -> list[dict[str, object]]:
    """Write images, and return their rows of split.csv."""
    rows = []
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        found = decode(folder / f"{number}.png")
        rows.append({"path": f"{number}.png", "sha256": found.sha256, "width": 50, "height": 40})
    return rows


def meet(folder: Path, member: Member) -> tuple[Member, int]:
    """Return the member and its process once all are there at the same time."""
    (folder / str(member.rank)).touch()
    while len(list(folder.iterdir())) < member.size:
        time.sleep(0.05)
    return member, os.getpid()


def refuse_as_second(member: Member) -> None:
    """Raise an error in number 1; number 0 waits for it for ever."""
    if member.rank:
        raise UserError("number 1 is odd; give an even one")
    time.sleep(3600)


def survive(folder: Path, deaths: int, member: Member) -> str:
    """Return when number 1, which is killed so many times, survives."""
    died = len(list(folder.iterdir()))
    if member.rank and died < deaths:
        (folder / str(died)).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    while len(list(folder.iterdir())) < deaths:
        time.sleep(0.05)
    return "survived"


def rank_of(member: Member) -> int:
    """Return the number of the member."""
    return member.rank
