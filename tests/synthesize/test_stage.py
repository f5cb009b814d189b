import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from stages.synthesize.__main__ import main
from stages.synthesize.canvas import PARTS
from stages.synthesize.files import write_pairs
from stages.synthesize.params import Synthesize
from stages.synthesize.workers import process_pool
from twincam.files.errors import UserError
from twincam.files.tables import read_table


def run(folder: Path, **changes: object) -> Path:
    folder.mkdir(exist_ok=True)
    settings = {"seed": 0, "pairs": 3, "image_size": 64, "shortcut": "none", **changes}
    lines = "".join(f"  {key}: {value}\n" for key, value in settings.items())
    (folder / "params.yaml").write_text(f"synthesize:\n{lines}")
    main(command(folder))
    return folder


def command(folder: Path) -> list[str]:
    return [
        *("--params", str(folder / "params.yaml")),
        *("--images", str(folder / "images")),
        *("--info", str(folder / "info")),
    ]


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "params.yaml")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("plain"))


def test_same_bytes_whatever_the_number_of_workers(plain: Path, tmp_path: Path) -> None:
    settings = Synthesize(seed=0, pairs=3, image_size=64, shortcut="none")
    write_pairs(settings, tmp_path / "images", tmp_path / "info", workers=1)
    assert contents(tmp_path) == contents(plain)


def test_more_pairs_keep_the_earlier_ones(plain: Path, tmp_path: Path) -> None:
    more = contents(run(tmp_path, pairs=5))
    before = contents(plain)
    assert json.loads(before.pop("info/rendered_with.json"))["image_size"] == 64
    for name, content in before.items():
        assert more[name].startswith(content) if name.endswith(".csv") else more[name] == content


def test_manifest_names_every_image_and_its_partner(plain: Path) -> None:
    table = read_table(plain / "info" / "manifest.csv")
    assert list(table.columns[:5]) == ["path", "group", "source", "family", "partner"]
    images = {str(p.relative_to(plain / "images")) for p in (plain / "images").rglob("*.png")}
    assert set(table["path"]) == set(table["partner"]) == images
    by_path = table.set_index("path")
    for path, row in by_path.iterrows():
        assert by_path.loc[row["partner"], "group"] == row["group"]
        assert by_path.loc[row["partner"], "partner"] == path
        fake = str(path).startswith("fake/")
        assert (row["family"] != "") == fake
        assert row["source"] == (f"render-{row['family']}" if fake else "render")


def test_masks_and_parts_fit_the_images(plain: Path) -> None:
    names = pd.read_csv(plain / "info" / "parts.csv")
    assert list(names["value"]) == list(range(len(PARTS))) and list(names["name"]) == list(PARTS)
    for name in ("scene-00000.png", "scene-00002.png"):
        for kind in ("masks/fake", "parts/real", "parts/fake"):
            with Image.open(plain / "info" / kind / name) as picture:
                assert (picture.mode, picture.size) == ("L", (64, 64))
        assert np.asarray(Image.open(plain / "info" / "masks" / "fake" / name)).max() == 255
    assert not (plain / "info" / "masks" / "real").exists()


def test_both_classes_come_from_one_encoder(plain: Path) -> None:
    for path in (plain / "images").rglob("*.*"):
        with Image.open(path) as picture:
            assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (64, 64))
            assert not picture.info


def test_global_shortcut_writes_fakes_as_jpeg(tmp_path: Path) -> None:
    run(tmp_path, shortcut="global", pairs=2)
    formats = {
        (path.parent.name, path.suffix, Image.open(path).format)
        for path in (tmp_path / "images").rglob("*.*")
    }
    assert formats == {("real", ".png", "PNG"), ("fake", ".jpg", "JPEG")}
    table = read_table(tmp_path / "info" / "manifest.csv")
    assert "fake/scene-00001.jpg" in set(table["path"])


def test_local_shortcut_marks_fakes_only(tmp_path: Path) -> None:
    run(tmp_path, shortcut="local", pairs=4)
    table = read_table(tmp_path / "info" / "manifest.csv")
    marks = {path.name for path in (tmp_path / "info" / "marks" / "fake").iterdir()}
    marked = set(table.loc[table["marked"] == 1, "path"])
    assert marked == {f"fake/{name}" for name in marks} and marked


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("pairs", 1),
        ("image_size", 63),
        ("image_size", "big"),
        ("shortcut", "loud"),
        ("seed", -1),
        ("image_sise", 64),
    ],
)
def test_bad_parameter_is_one_clear_line(tmp_path: Path, key: str, value: object) -> None:
    with pytest.raises(UserError) as error:
        run(tmp_path, **{key: value})
    assert f"synthesize.{key}" in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "images").exists()


def test_interrupt_ends_at_once_and_leaves_the_old_output(plain: Path, tmp_path: Path) -> None:
    before = contents(run(tmp_path, pairs=2))
    text = (tmp_path / "params.yaml").read_text().replace("pairs: 2", "pairs: 5000")
    (tmp_path / "params.yaml").write_text(text)
    stage = subprocess.Popen(
        [sys.executable, "-m", "stages.synthesize", *command(tmp_path)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    partial = tmp_path / ".images.partial" / "real"
    while not (partial.exists() and any(partial.iterdir())):
        assert stage.poll() is None
        time.sleep(0.05)
    os.killpg(stage.pid, signal.SIGINT)
    _, said = stage.communicate(timeout=15)
    assert stage.returncode == 130
    assert "interrupted" in said and "Traceback" not in said
    assert contents(tmp_path) == before


def test_a_worker_killed_for_lack_of_memory_is_one_clear_line() -> None:
    with (
        pytest.raises(UserError, match="lack of memory; close other programs"),
        process_pool(1) as pool,
    ):
        pool.submit(os._exit, 9).result()
