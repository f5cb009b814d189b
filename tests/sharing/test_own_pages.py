"""`make diff` overwrites nothing but what it wrote before."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import user_error
from twincam.sharing.branch import compare, output_folder, seal


def earlier(folder: Path) -> None:
    folder.mkdir()
    page, markdown = "<h1>What changed since main</h1>\n", "## What changed since main\n"
    (folder / "index.html").write_text(page + seal(page, markdown))
    (folder / "diff.md").write_text(markdown)


def earlier_with_a_line(folder: Path) -> None:
    earlier(folder)
    with (folder / "diff.md").open("a") as file:
        file.write("My notes.\n")


def earlier_with_a_title(folder: Path) -> None:
    earlier(folder)
    page = (folder / "index.html").read_text()
    (folder / "index.html").write_text(page.replace("main", "my thesis"))


def earlier_with_an_end(folder: Path) -> None:
    earlier(folder)
    with (folder / "index.html").open("a") as file:
        file.write("<p>My notes</p>")


def with_notes(folder: Path) -> None:
    earlier(folder)
    (folder / "notes.md").write_text("mine")


def own_site(folder: Path) -> None:
    folder.mkdir()
    (folder / "index.html").write_text("<h1>My cats</h1>")


def same_names(folder: Path) -> None:
    own_site(folder)
    (folder / "diff.md").write_text("mine")


def leftover_of_mine(folder: Path) -> None:
    (folder.parent / f".{folder.name}.partial").mkdir()
    (folder.parent / f".{folder.name}.partial" / "thesis.md").write_text("mine")


def link_to_mine(folder: Path) -> None:
    own_site(folder.parent / "elsewhere")
    folder.symlink_to(folder.parent / "elsewhere")


def file(folder: Path) -> None:
    folder.write_text("mine")


@pytest.mark.parametrize(
    "make",
    [
        with_notes,
        earlier_with_a_line,
        earlier_with_a_title,
        earlier_with_an_end,
        own_site,
        same_names,
        leftover_of_mine,
        link_to_mine,
        file,
    ],
)
def test_other_files_are_not_overwritten(make: Callable[[Path], None], tmp_path: Path) -> None:
    target = tmp_path / "docs"
    make(target)
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    line = user_error(compare, root=tmp_path, base="main", target=target)
    assert "found something else" in line
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("name", ["", ".", "..", "/"])
def test_a_path_without_a_name_is_refused(name: str, tmp_path: Path) -> None:
    assert "expected a name to write to" in user_error(
        compare, root=tmp_path, base="main", target=Path(name)
    )


def test_an_empty_folder_and_an_earlier_comparison_are_overwritten(tmp_path: Path) -> None:
    output_folder(tmp_path / "new")
    (tmp_path / "empty").mkdir()
    output_folder(tmp_path / "empty")
    earlier(tmp_path / "old")
    (tmp_path / "old" / ".DS_Store").touch()
    output_folder(tmp_path / "old")
    (tmp_path / "link").symlink_to(tmp_path / "old")
    output_folder(tmp_path / "link")
