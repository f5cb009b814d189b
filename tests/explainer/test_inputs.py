"""Pictures of every kind are explained; what is none is one line."""

import copy
import csv
import io
import json
import os
import struct
import weakref
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

import twincam
from tests.conftest import ROOT, run_in, user_error
from twincam.cli import main
from twincam.explainer import outputs
from twincam.explainer.explanation import Explanation
from twincam.pages.explanation import SCHEMA


@pytest.fixture(scope="module")
def pack(finished: Path) -> Path:
    return finished / "models/explainer"


@pytest.fixture(scope="module")
def photo(finished: Path) -> Path:
    return sorted((finished / "data/synthetic/images/real").iterdir())[0]


def explained(picture: object, pack: Path) -> Explanation:
    found = twincam.explain(picture, pack)  # type: ignore[call-overload]
    assert isinstance(found, Explanation)
    return found


def test_a_path_bytes_an_array_and_an_image_are_the_same_picture(photo: Path, pack: Path) -> None:
    image = Image.open(photo)
    ways = [photo, str(photo), photo.read_bytes(), np.asarray(image.convert("RGB")), image]
    first, *others = (explained(one, pack).record for one in ways)
    assert first["name"] == photo.name
    for other in others:
        assert other["verdict"] == first["verdict"]
        assert other["heat"] == first["heat"]


def test_a_list_gives_a_list(photo: Path, pack: Path) -> None:
    found = twincam.explain([photo, photo.read_bytes()], pack)
    assert [one.record["name"] for one in found] == [photo.name, "picture"]
    assert found[0].record["verdict"] == found[1].record["verdict"]


def test_its_forms(photo: Path, pack: Path) -> None:
    found = explained(photo, pack)
    assert json.loads(json.dumps(found.to_dict()))["schema"] == SCHEMA
    assert found.html.startswith("<!doctype html>")
    assert "://" not in found.html.replace("http://www.w3.org/2000/svg", "")
    assert found._repr_html_().startswith("<iframe srcdoc=")
    assert found.statement in repr(found)
    assert len(found.figure().axes) >= 3


def test_a_phone_picture_is_turned_upright(photo: Path, pack: Path, tmp_path: Path) -> None:
    image = Image.open(photo).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "phone.png", exif=exif)
    turned = explained(tmp_path / "phone.png", pack)
    assert (turned.square == explained(photo, pack).square).all()
    with Image.open(tmp_path / "phone.png") as opened:
        assert (explained(opened, pack).square == turned.square).all()


def test_the_first_frame_of_an_animation(photo: Path, pack: Path, tmp_path: Path) -> None:
    frame = Image.open(photo).convert("P")
    dark = Image.new("P", frame.size)
    frame.save(tmp_path / "moves.gif", save_all=True, append_images=[dark])
    frame.save(tmp_path / "still.gif")
    found = [explained(tmp_path / name, pack).square for name in ("moves.gif", "still.gif")]
    assert (found[0] == found[1]).all()


def test_sixteen_bits(pack: Path, tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 65535, 128, dtype=np.uint16), (128, 1))
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    plain = explained((ramp >> 8).astype(np.uint8), pack).square.astype(int)
    for one in (tmp_path / "deep.png", Image.fromarray(ramp)):
        assert np.abs(explained(one, pack).square - plain).max() <= 4


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_fifty_megapixels(mode: str, pack: Path, tmp_path: Path) -> None:
    file = tmp_path / "large.png"
    Image.new(mode, (8660, 5774), "teal").save(file, compress_level=1)
    code = (
        "import twincam\n"
        f"print(twincam.explain({str(file)!r}, {str(pack)!r}).statement)\n"
        "lines = open('/proc/self/status').read().splitlines()\n"
        "print(*(line.split()[1] for line in lines if line.startswith('VmHWM')))"
    )
    statement, peak = run_in(ROOT, "python", "-c", code).stdout.splitlines()
    assert statement
    assert int(peak) * 1024 < 1e9


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"hello", "not a JPEG"), (b"", "empty file"), (b"\xff\xd8\xff\xe0half", "damaged")],
)
def test_what_is_no_picture(content: bytes, reason: str, pack: Path, tmp_path: Path) -> None:
    file = tmp_path / "notes.jpg"
    file.write_bytes(content)
    for picture in (file, content):
        assert reason in user_error(twincam.explain, pictures=picture, explainer=pack)


@pytest.mark.parametrize(
    "picture", [np.zeros((8, 8, 3)), np.zeros((8, 8, 2), np.uint8), np.zeros(8, np.uint8), 7]
)
def test_what_is_of_another_kind(picture: object, pack: Path) -> None:
    assert "array of uint8" in user_error(twincam.explain, pictures=picture, explainer=pack)


def test_a_bomb(pack: Path) -> None:
    content = io.BytesIO()
    Image.new("1", (1, 1)).save(content, "PNG")
    header = b"IHDR" + struct.pack(">II", 30_000, 30_000) + content.getvalue()[24:29]
    bomb = content.getvalue()[:12] + header + struct.pack(">I", zlib.crc32(header))
    bomb += content.getvalue()[33:]
    message = user_error(twincam.explain, pictures=bomb, explainer=pack)
    assert "30000×30000 pixels" in message


def run_command(*args: object) -> int:
    try:
        main(["explain", *map(str, args)])
    except SystemExit as error:
        return int(str(error.code))
    return 0


def test_a_folder(
    photo: Path, pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    (folder / "deep").mkdir(parents=True)
    names = ["a.png", "deep/a.png", "deep/<img onerror=alert(1)>.png", "=1+1.png"]
    for name in names:
        (folder / name).write_bytes(photo.read_bytes())
    (folder / "bad.jpg").write_text("hello")
    (folder / "notes.txt").write_text("a caption")
    flags = ["--html", out, "--png", out, "--json", out / "all.json", "--csv", out / "all.csv"]

    for _ in range(2):  # what it wrote may be replaced
        assert run_command(folder, "--explainer", pack, *flags) == 1
        said = capsys.readouterr()
        assert said.err.count("\n") == 1
        assert said.err.startswith("twincam explain: bad.jpg: not a JPEG")
        assert all(f"{name}: " in said.out for name in names)

    records = json.loads((out / "all.json").read_text("utf-8"))
    assert sorted(one["name"] for one in records) == sorted(names)
    lines = (out / "all.csv").read_text("utf-8").splitlines()
    assert len(lines) == 1 + len(names)
    assert lines[0].startswith("name,predicted,as_is,unsure,confidence")
    assert lines[1].startswith("./=1+1.png,"), "a spreadsheet would take the name for a formula"
    assert (out / "deep__a.png.html").is_file() and (out / "deep__a.png.png").is_file()
    index = (out / "index.html").read_text("utf-8")
    assert "<img onerror" not in index
    assert 'href="deep__a.png.html"' in index


def test_every_picture_has_a_page_of_its_own_whatever_its_name(
    photo: Path, pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [
        "a/b.png",
        "a__b.png",
        "index",
        f"{'x' * 250}.png",
        os.fsdecode(b"\xff\n\xe2\x80\xae.png"),
    ]
    for folder in (tmp_path / "one", tmp_path / "two"):
        (folder / "a").mkdir(parents=True)
        (folder / "b.png").write_bytes(photo.read_bytes())
    for name in names:
        (tmp_path / "one" / name).write_bytes(photo.read_bytes())
    out = tmp_path / "out"
    flags = ["--explainer", pack, "--html", out, "--csv", out / "all.csv"]
    assert run_command(tmp_path / "one", tmp_path / "two", *flags) == 0
    said = capsys.readouterr().out
    assert said.count("\n") == len(names) + 2
    assert "\u202e" not in said
    with (out / "all.csv").open(newline="", encoding="utf-8") as file:
        assert len({row["name"] for row in csv.DictReader(file)}) == len(names) + 2
    pages = {file.name for file in out.glob("*.html")} - {"index.html"}
    assert len(pages) == len(names) + 2
    index = (out / "index.html").read_text("utf-8")
    assert all(f'href="{quote(name)}"' in index or f'href="{name}"' in index for name in pages)


def test_memory_does_not_grow_with_the_number_of_pictures(
    photo: Path, pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = explained(photo, pack)
    seen: list[weakref.ref[Explanation]] = []

    def explanations(*_args: object) -> Iterator[Explanation]:
        for _ in range(4):
            made = copy.copy(one)
            seen.append(weakref.ref(made))
            yield made
            del made
            assert not any(earlier() for earlier in seen)

    monkeypatch.setattr(outputs, "_explanations", explanations)
    assert run_command(photo, photo, "--explainer", pack, "--csv", tmp_path / "all.csv") == 0
    assert (tmp_path / "all.csv").read_text().count("\n") == 5


def test_one_picture_is_told_in_words(
    photo: Path, pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(photo, "--explainer", pack) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{photo.name}: ")
    assert all(word in said for word in ("twins", "neighbours", "prototypes", "influence"))
    assert "real photograph" not in said
    assert run_command(photo, "--explainer", pack, "--json", "-") == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["name"] == photo.name
    assert f"{record['twins'][0]['path']} (" in said


def test_nothing_else_is_replaced(photo: Path, pack: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.csv"
    mine.write_text("precious")
    message = user_error(
        main, argv=["explain", str(photo), "--explainer", str(pack), "--csv", str(mine)]
    )
    assert "expected nothing or what this command wrote" in message
    assert mine.read_text() == "precious"


def test_an_empty_folder(pack: Path, tmp_path: Path) -> None:
    message = user_error(main, argv=["explain", str(tmp_path), "--explainer", str(pack)])
    assert "expected images in this folder" in message
