"""What ``twincam explain`` writes: text, pages, JSON, figures and a table."""

import csv
import hashlib
import io
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from twincam.explainer.explaining import Named, explain_each, explain_single
from twincam.explainer.explanation import Explanation
from twincam.explainer.text import COLUMNS, headline_of, lines_of, row_of
from twincam.files.atomic import write_bytes, write_text
from twincam.files.errors import UserError
from twincam.files.folders import is_sidecar, walk
from twincam.files.overwriting import resolve_output
from twincam.files.tables import plain_path
from twincam.pages.explanation import SCHEMA

INDEX = Path(__file__).with_name("index.html")

STANDARD = Path("-")
"""Stands for standard output."""

SOFTWARE = "TwinCAM"
"""In the metadata of figures."""

MARKS = {".html": SCHEMA, ".json": SCHEMA, ".csv": ",".join(COLUMNS), ".png": SOFTWARE}
"""What a file contains that this command wrote, by the kind of output."""


LONGEST = 200
"""Bytes of a picture's name in that of its page; file systems take 255 in all."""


class Outputs(NamedTuple):
    """What is written besides text: folders of pages and of figures, files of JSON and CSV."""

    html: Path | None = None
    png: Path | None = None
    json: Path | None = None
    csv: Path | None = None


class Lists(NamedTuple):
    """What is written of all pictures together: rows of the index, records, rows of the table."""

    pages: list[dict[str, object]]
    records: list[Mapping[str, object]]
    table: list[dict[str, object]]


def explain_files(paths: Sequence[Path], folder: Path, outputs: Outputs) -> bool:
    """Explain files, and all those in folders; return whether all could be read.

    What cannot be read is one line each on standard error.

    Args:
        paths: files and folders.
        folder: of the pack.
        outputs: what is written.

    Raises:
        UserError: there are no files, ``folder`` does not fit, or something else would be lost.
    """
    named = _apart([one for path in paths for one in files_at(path)])
    if not named:
        raise UserError(f"{paths[0]}: expected images in this folder, found none; name another")
    for path, kind in ((outputs.json, ".json"), (outputs.csv, ".csv")):
        if path is not None:
            _place(path, kind)
    lists, failed = Lists([], [], []), 0
    for found in _explanations(named, folder):
        if isinstance(found, UserError):
            failed += 1
            _say(f"twincam explain: {found}", error=True)
            continue
        if STANDARD not in (outputs.json, outputs.csv):
            _say("\n".join(lines_of(found.record)) if len(named) == 1 else _short(found))
        _write_pictures(found, outputs)
        _list(found, lists, outputs)
        del found
    _write_lists(lists, outputs)
    return not failed


def _write_pictures(found: Explanation, outputs: Outputs) -> None:
    """Write the page and the figure of one picture."""
    if outputs.html is not None:
        write_text(_place(outputs.html / page_name(found), ".html"), found.html)
    if outputs.png is not None:
        content = io.BytesIO()
        found.figure().savefig(content, format="png", dpi=150, metadata={"Software": SOFTWARE})
        write_bytes(_place(outputs.png / page_name(found, ".png"), ".png"), content.getvalue())


def _list(found: Explanation, lists: Lists, outputs: Outputs) -> None:
    """Add to ``lists`` what ``outputs`` need of one picture; the rest need not stay in memory."""
    if outputs.html is not None:
        lists.pages.append(_index_row(found))
    if outputs.json is not None:
        lists.records.append(found.to_dict())
    if outputs.csv is not None:
        row = row_of(found.record)
        lists.table.append({**row, "name": plain_path(str(row["name"]))})


def _write_lists(lists: Lists, outputs: Outputs) -> None:
    """Write what lists all pictures: the index of the pages, the records, the table."""
    if outputs.html is not None:
        _put(outputs.html / "index.html", ".html", index_page(lists.pages))
    if outputs.json is not None:
        text = json.dumps(lists.records, ensure_ascii=False, allow_nan=False)
        _put(outputs.json, ".json", text + "\n")
    if outputs.csv is not None:
        _put(outputs.csv, ".csv", _as_csv(lists.table))


def page_name(found: Explanation, kind: str = ".html") -> str:
    """Return the name of a picture's page, or of its figure; no two pictures share one."""
    name = found.record["name"]
    flat = name.replace("/", "__")
    if flat == "index" or len(flat.encode()) > LONGEST or re.search("__|_/|/_", name):
        short = flat.encode()[:LONGEST].decode(errors="ignore")
        flat = f"{short}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return flat + kind


def _apart(named: Sequence[Named]) -> list[Named]:
    """Return pictures with their paths as names where others have the same name."""
    often = Counter(one.name for one in named)
    return [
        one if often[one.name] == 1 else Named(Path(str(one.picture)).as_posix(), one.picture)
        for one in named
    ]


def files_at(path: Path) -> list[Named]:
    """Return the file at ``path``, or every file below a folder that is not hidden or a caption."""
    if not path.is_dir():
        return [Named(path.name, path)]
    return [
        Named(file.relative_to(path).as_posix(), file)
        for file, _ in walk(path)
        if not is_sidecar(file.name)
    ]


def index_page(rows: Sequence[Mapping[str, object]]) -> str:
    """Return the page that lists the pages of pictures."""
    from twincam.pages.rendering import render

    return render(INDEX, {"rows": rows, "schema": SCHEMA})


def _index_row(one: Explanation) -> dict[str, object]:
    return {
        "page": page_name(one),
        "picture": one.uris()[one.record["image"]],
        "name": one.record["name"],
        "headline": headline_of(one.record),
    }


def _explanations(named: Sequence[Named], folder: Path) -> Iterator[Explanation | UserError]:
    if len(named) > 1:
        yield from explain_each(named, folder, "explain")
        return
    try:
        yield explain_single(named[0], folder)
    except UserError as error:
        yield error


def _say(text: str, *, error: bool = False) -> None:
    """Print ``text`` without breaking a progress bar."""
    stream = sys.stderr if error else sys.stdout
    if "tqdm" in sys.modules:
        sys.modules["tqdm"].tqdm.write(text, file=stream)
    else:
        print(text, file=stream)


def _short(found: Explanation) -> str:
    return f"{found.record['name']}: {headline_of(found.record)}"


def _as_csv(rows: Sequence[Mapping[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _put(path: Path, kind: str, text: str) -> None:
    if path == STANDARD:
        sys.stdout.write(text)
    else:
        write_text(_place(path, kind), text)


def _place(path: Path, kind: str) -> Path:
    """Return where ``path`` is written, if nothing is there or what this command wrote.

    Raises:
        UserError: something else is there.
    """
    if path == STANDARD:
        return path

    def is_own(file: Path) -> bool:
        return file.is_file() and MARKS[kind].encode() in file.read_bytes()

    option = f"--{kind.removeprefix('.')}"
    return resolve_output(path, option, is_own, "nothing or what this command wrote")
