"""`explain`: pictures in, reasons out, from the folder ``models/explainer`` alone."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, overload

from twincam.deliveries import Each, deliver
from twincam.explainer.explanation import Explanation
from twincam.explainer.inference import Networks, open_networks
from twincam.explainer.pack import ABOUT, Pack, read_pack
from twincam.explainer.pictures import Picture, name_of, open_picture
from twincam.explainer.reasons import Seen, explain_seen, forensics_in
from twincam.files.errors import UserError
from twincam.files.project import project_root
from twincam.images.decoding import BadImageError, printable

FOLDER = Path("models", "explainer")
"""Where the pipeline writes the pack, in the project."""


class Named(NamedTuple):
    """A picture and the name it is shown by."""

    name: str
    picture: Picture


@overload
def explain(pictures: Picture, explainer: Path | str | None = None) -> Explanation: ...


@overload
def explain(
    pictures: list[Picture] | tuple[Picture, ...], explainer: Path | str | None = None
) -> list[Explanation]: ...


def explain(
    pictures: Picture | list[Picture] | tuple[Picture, ...], explainer: Path | str | None = None
) -> Explanation | list[Explanation]:
    """Return the verdict on a picture, or on each of a list, and the reasons.

    ``explanation = twincam.explain("photo.jpg")``, then ``explanation.statement``,
    ``explanation.html``, ``explanation.to_dict()`` or ``explanation.figure()``. A notebook shows
    the page.

    Args:
        pictures: paths, contents of files, arrays of bytes ``[H,W,3]`` or Pillow images.
        explainer: the folder that the stage ``explainer`` wrote; None is that of the project that
            contains the current folder.

    Raises:
        UserError: a picture cannot be read, or the folder does not fit.
    """
    folder = default_folder() if explainer is None else Path(explainer)
    if isinstance(pictures, list | tuple):
        named = [Named(name_of(one), one) for one in pictures]
        return [_raised(one) for one in explain_each(named, folder)]
    return explain_single(Named(name_of(pictures), pictures), folder)


def default_folder() -> Path:
    """Return the folder of the project that contains the current one.

    Raises:
        UserError: the current folder is not in a project.
    """
    return project_root(Path.cwd()) / FOLDER


def processors() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pack_in(folder: Path) -> Pack:
    """Read the pack in ``folder``, once as long as it does not change.

    Raises:
        UserError: it does not fit; see `read_pack`.
    """
    return _pack(folder, _changed(folder))


def networks_in(folder: Path, threads: int) -> Networks:
    """Compile the networks in ``folder``, once as long as it does not change.

    Raises:
        UserError: it does not fit; see `read_pack`.
    """
    return _networks(folder, _changed(folder), threads)


def _changed(folder: Path) -> int:
    about = folder / ABOUT
    return about.stat().st_mtime_ns if about.is_file() else 0


@lru_cache(maxsize=1)
def _pack(folder: Path, _changed: int) -> Pack:
    return read_pack(folder)


@lru_cache(maxsize=2)
def _networks(folder: Path, changed: int, threads: int) -> Networks:
    return open_networks(_pack(folder, changed), threads)


def explain_single(named: Named, folder: Path) -> Explanation:
    """Return the explanation of one picture, with its deliveries made by all processors.

    Raises:
        UserError: the picture cannot be read, or the folder does not fit.
    """
    pack = pack_in(folder)
    with ThreadPoolExecutor(processors() + 1) as pool:
        opening = pool.submit(networks_in, folder, processors())
        seen = _seen(pack, named, pool.map)
        return _explain(pack, opening.result(), seen)


def explain_each(
    pictures: Sequence[Named], folder: Path, title: str = ""
) -> Iterator[Explanation | UserError]:
    """Yield the explanation of each picture in order, or why it cannot be read; one a processor.

    Args:
        pictures: in any number; a few are held at a time.
        folder: of the pack.
        title: of the progress bar, which appears on standard error if it is a terminal; "" for no
            bar.

    Raises:
        UserError: the folder does not fit.
    """
    from twincam.images.parallel import in_order

    pack, networks = pack_in(folder), networks_in(folder, 1)

    def one(named: Named) -> Explanation | UserError:
        try:
            return _explain(pack, networks, _seen(pack, named))
        except UserError as error:
            return error

    return in_order(one, pictures, title, processors())


def _seen(pack: Pack, named: Named, each: Each = map) -> Seen:
    name, settings = printable(named.name), pack.settings.preprocessing
    try:
        opened = open_picture(named.picture, settings)
        return Seen(name, deliver(opened, settings, each), forensics_in(pack, opened.whole))
    except BadImageError as error:
        raise UserError(f"{name}: {printable(str(error))}; give a complete image file") from None
    except MemoryError:
        raise UserError(f"{name}: too large for the memory; scale it down") from None


def _explain(pack: Pack, networks: Networks, seen: Seen) -> Explanation:
    return Explanation(explain_seen(pack, networks, seen), seen.squares[0], pack.thumbnails)


def _raised(found: Explanation | UserError) -> Explanation:
    if isinstance(found, UserError):
        raise found
    return found
