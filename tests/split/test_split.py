import io
import json
import os
import re
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from stages.split import sources
from stages.split.__main__ import COLUMNS, main
from tests.conftest import user_error
from twincam.files.tables import read_table

CATS = Path(__file__).parents[3] / "shared/data/cats-ddpm"
TEXT = ("id", "path", "label", "split", "group", "source", "family", "sha256", "format")


def save(path: Path, seed: int, **options: object) -> None:
    """Write an image unlike those of other seeds."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(coarse).resize((48, 40), Image.Resampling.BICUBIC).save(
        path,
        **options,  # type: ignore[arg-type]
    )


class Run:
    """A folder with images, and the stage's outputs."""

    def __init__(self, folder: Path) -> None:
        self.root, self.info = folder / "images", folder / "info"
        self.split, self.metrics = folder / "data/split.csv", folder / "reports/split.json"
        self.details = folder / "reports/details/split.json"
        self.attributes = folder / "data/attributes.csv"
        self.params = folder / "params.yaml"
        self.info.mkdir()

    def __call__(self, **changes: object) -> tuple[pd.DataFrame, dict]:
        data = {
            "root": "x",
            "layout": "auto",
            "info": "y",
            "external": "z",
            "max_pixels": 10_000,
            "max_bad_fraction": 0.5,
        }
        data["source_pattern"] = None
        split = {"seed": 0, "val_fraction": 0.4, "test_fraction": 0.0}
        split["near_duplicate_distance"] = 10
        for key, value in changes.items():
            (data if key in data else split)[key] = value  # type: ignore[assignment]
        synthesize = {"seed": 0, "pairs": 2, "image_size": 64, "shortcut": "none"}
        blocks = {"data": data, "split": split, "synthesize": synthesize}
        blocks["run"] = {"engine": "local", "threads": 1, "runtime": "auto"}
        self.params.write_text(json.dumps(blocks))
        flags = ("params", "root", "info", "split", "attributes", "metrics", "details")
        main([part for flag in flags for part in (f"--{flag}", str(getattr(self, flag)))])
        details = json.loads(self.details.read_text(encoding="utf-8"))
        return read_table(self.split, TEXT), details

    def fill(self, *folders: str, count: int = 8) -> None:
        for which, folder in enumerate(folders):
            for n in range(count):
                save(self.root / folder / f"{n}.png", 1000 * which + n)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_a_free_split(run: Run) -> None:
    run.fill("real", "fake")
    table, metrics = run()
    assert list(table.columns) == COLUMNS
    assert table["path"].tolist() == sorted(table["path"])
    assert set(table["split"]) == {"train", "val"}
    first = table.iloc[0]
    assert (first["path"], first["label"], first["format"]) == ("fake/0.png", "fake", "PNG")
    assert (first["width"], first["height"]) == (48, 40)
    assert first["bytes"] == (run.root / "fake/0.png").stat().st_size
    assert len(set(table["id"])) == 16
    assert set(table["id"].str.len()) == {12}
    assert metrics["images"] == {"total": 16, "used": 16, "bad": 0, "dropped": 0, "left_out": 0}
    assert json.loads(run.metrics.read_text()) == {"images": 16}
    assert metrics["predefined_split"] is False
    assert metrics["groups"] == {"count": 16, "largest": 1}
    assert "sources" not in metrics
    counts = metrics["classes"]
    assert sum(counts["real"].values()) == sum(counts["fake"].values()) == 8


def test_twice_the_same_bytes_in_any_listing_order(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.fill("real", "fake")
    run()
    first = run.split.read_bytes(), run.details.read_bytes()
    listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda self: sorted(listed(self), reverse=True))
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    run()
    assert (run.split.read_bytes(), run.details.read_bytes()) == first


def test_any_name_and_nested_folders(run: Run) -> None:
    run.fill("real", "Füchse, “rot”")
    names = ["with blank.png", 'komma,\'"quote".png', "猫.png", "NA", "deep/er/x.png", "-x", "#1"]
    names += ["line separator.png", "nb\u00a0space.png", "e\u0301.png", "null", "100%.png"]
    for seed, name in enumerate(names, start=50):
        save(run.root / "real" / name, seed, format="PNG")
    table, metrics = run()
    assert {f"real/{name}" for name in names} < set(table["path"])
    assert set(table["label"]) == {"real", "Füchse, “rot”"}
    assert metrics["images"]["bad"] == 0


def test_classes_that_look_the_same_are_reported(run: Run, capsys: pytest.CaptureFixture) -> None:
    run.fill("real", "Real", "fake")
    run()
    assert "'Real'" in capsys.readouterr().err


def test_hidden_files_are_ignored(run: Run) -> None:
    run.fill("real", "fake")
    for name in (".DS_Store", "Thumbs.db", ".gitignore", "desktop.ini", ".hidden/x.png"):
        path = run.root / "real" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    for name in ("__MACOSX", "@eaDir", "$RECYCLE.BIN", "lost+found"):
        (run.root / name / "real").mkdir(parents=True)
    (run.root / ".git").mkdir()
    assert run()[1]["images"]["total"] == 16


def test_bad_files_are_named_and_skipped(run: Run, capsys: pytest.CaptureFixture) -> None:
    run.fill("real", "fake")
    real = run.root / "real"
    (real / "empty.jpg").touch()
    (real / "text.jpg").write_text("text")
    content = (real / "0.png").read_bytes()
    (real / "cut.png").write_bytes(content[: len(content) // 2])
    Image.new("L", (101, 100)).save(real / "large.png")
    os.mkfifo(real / "pipe.jpg")
    (real / "broken").symlink_to("nowhere")
    (real / "linked.png").symlink_to(run.root / "fake/3.png")
    Path(os.fsdecode(bytes(real) + b"/\xff.png")).write_bytes(content)
    (real / "new\nline.png").write_bytes(content)
    table, metrics = run()
    bad = {item["path"].removeprefix("real/"): item["reason"] for item in metrics["bad"]}
    reasons = {
        "empty.jpg": "empty",
        "text.jpg": "not a JPEG",
        "cut.png": "damaged",
        "large.png": "101×100 pixels, more than data.max_pixels=10000",
        "pipe.jpg": "named pipe",
        "broken": "broken link",
        "\\udcff.png": "UTF-8",
        "new\\nline.png": "control",
    }
    assert set(bad) == set(reasons)
    assert all(reasons[name] in bad[name] for name in bad)
    assert metrics["images"] == {"total": 25, "used": 17, "bad": 8, "dropped": 0, "left_out": 0}
    assert "real/linked.png" in set(table["path"])
    lines = [x for x in capsys.readouterr().err.splitlines() if "different labels" not in x]
    assert len(lines) == 8
    assert f"split: skipped real/empty.jpg: {bad['empty.jpg']}" in lines


def test_too_many_bad_files(run: Run, capsys: pytest.CaptureFixture) -> None:
    run.fill("real", "fake", count=15)
    for n in range(30):
        (run.root / f"real/{n}.jpg").write_text("x")
    run(max_bad_fraction=0.5)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 21
    assert lines[-1] == (
        "split: and 10 more, all in reports/details/split.json when this stage succeeds"
    )
    message = user_error(run, max_bad_fraction=0.49)
    assert "30 of 60 files" in message
    assert "real/0.jpg: not a JPEG" in message
    assert "data.max_bad_fraction" in message


def test_sidecar_files_are_ignored_and_hide_no_damage(
    run: Run, capsys: pytest.CaptureFixture
) -> None:
    run.fill("real", "fake")
    for n in range(8):
        (run.root / f"real/{n}.txt").write_text("a cat on a mat")
        (run.root / f"fake/{n}.JSON").write_text("{}")
    shutil.copy(run.root / "real/1.png", run.root / "real/an image after all.txt")
    (run.root / "real/damaged.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    table, metrics = run(max_bad_fraction=0.06)
    assert metrics["images"] == {"total": 18, "used": 17, "bad": 1, "dropped": 0, "left_out": 0}
    assert "real/an image after all.txt" in set(table["path"])
    assert "other sidecar files: 'fake/0.JSON' and 15 more" in capsys.readouterr().err
    assert "1 of 18 files" in user_error(run, max_bad_fraction=0.05)


def test_files_that_accompany_images_are_not_bad(run: Run) -> None:
    run.fill("real", "fake")
    for name in ("LICENSE", "Readme", "NOTICE", "0.png.pp3", "0.MOV", "1.mp4", "all.zip"):
        (run.root / "real" / name).write_text("x")
    (run.root / "real/licensed").write_text("x")
    metrics = run()[1]
    assert [item["path"] for item in metrics["bad"]] == ["real/licensed"]


@pytest.mark.parametrize(
    ("add", "said"),
    [
        (lambda root: (root / "test").mkdir(), "there is no test split"),
        (lambda root: save(root / "test/0.png", 9007), "there is no test split"),
        (lambda root: save(root / "test/real/0.png", 9007), "no usable image of class 'fake'"),
    ],
)
def test_an_incomplete_test_split_is_reported(
    run: Run, capsys: pytest.CaptureFixture, add: Callable[[Path], None], said: str
) -> None:
    run.fill("train/real", "train/fake", "val/real", "val/fake")
    run()
    assert "test/" not in capsys.readouterr().err
    add(run.root)
    run()
    assert said in capsys.readouterr().err


def test_stray_files_are_reported(run: Run, capsys: pytest.CaptureFixture) -> None:
    run.fill("real", "fake")
    (run.root / "README.md").touch()
    run()
    assert f"beside the class folders of {run.root}: 'README.md'\n" in capsys.readouterr().err


def _nothing(run: Run) -> None:
    pass


def _file(run: Run) -> None:
    run.root.write_text("")


def _only_images(run: Run) -> None:
    run.fill("")


def _one(run: Run) -> None:
    run.fill("real")


def _empty(run: Run) -> None:
    run.fill("real")
    (run.root / "fake").mkdir()


def _all_bad(run: Run) -> None:
    run.fill("real")
    (run.root / "fake").mkdir()
    (run.root / "fake/x.png").touch()


def _train_only(run: Run) -> None:
    run.fill("train/real", "train/fake")


def _train_and_more(run: Run) -> None:
    run.fill("train/real", "train/fake", "val/real", "val/fake", "extra/real")


def _val_lacks(run: Run) -> None:
    run.fill("train/real", "train/fake", "val/real")


def _train_lacks(run: Run) -> None:
    run.fill("train/real", "train/fake", "val/real", "val/fake", "val/drawn")


def _test_unknown(run: Run) -> None:
    run.fill("train/real", "train/fake", "val/real", "val/fake", "test/drawn")


def _train_of_one(run: Run) -> None:
    run.fill("train/real", "val/real")


def _too_few(run: Run) -> None:
    run.fill("real", "fake", count=1)


def _two_spellings(run: Run) -> None:
    run.fill("train/a", "train/b", "val/a", "val/b", "validation/a")


def _train_and_test(run: Run) -> None:
    run.fill("train/a", "train/b", "test/a", "test/b")


def _unlabelled_splits(run: Run) -> None:
    run.fill("training", "validation")


def _level_too_high(run: Run) -> None:
    run.fill("sd15/real", "sd15/fake", "sdxl/real", "sdxl/fake")


def _two_levels_too_high(run: Run) -> None:
    run.fill("cats/real", "cats/fake")


def _classes_above_splits(run: Run) -> None:
    run.fill("real/train", "real/val", "fake/train", "fake/val")


def _level_too_high_in_splits(run: Run) -> None:
    run.fill(*(f"{s}/{g}/{c}" for s in ("train", "val") for g in ("sd", "xl") for c in ("a", "b")))


def _splits_in_names(run: Run) -> None:
    run.fill("real_train", "real_val", "fake_train", "fake_val")


def _splits_before_names(run: Run) -> None:
    run.fill("trainReal", "valReal", "trainFake", "valFake", "notes")


def _generators(run: Run) -> None:
    run.fill(*(f"{g}/{c}" for g in ("biggan", "stargan", "cyclegan/apple") for c in ("0_r", "1_f")))


def _generators_of_several(run: Run) -> None:
    run.fill(*(f"{g}/{c}" for g in ("cyclegan/apple", "stylegan/bed") for c in ("0_r", "1_f")))


def _loose_beside_generators(run: Run) -> None:
    _level_too_high(run)
    (run.root / "sd15/README.txt").touch()
    save(run.root / "sdxl/grid.png", 9)


def _generator_lacks_one(run: Run) -> None:
    run.fill("sd15/real", "sd15/fake", "sdxl/real", "sdxl/fake", "flux/fake")


def _versions(run: Run) -> None:
    run.fill(*(f"{v}/{s}/{c}" for v in ("v1", "v2") for s in ("train", "val") for c in ("a", "b")))


def _folds(run: Run) -> None:
    run.fill("fold1/a", "fold1/b", "fold2/a", "fold2/b")


def _annotated(run: Run) -> None:
    run.fill("train/images", "val/images")
    for split in ("train", "val"):
        (run.root / split / "labels").mkdir()
        (run.root / split / "labels/0.txt").write_text("0 .5 .5 1 1")


def _other_case(run: Run) -> None:
    run.fill("train/Real", "train/Fake", "val/real", "val/Fake")


def _no_images(run: Run) -> None:
    run.fill("real")
    (run.root / "fake").mkdir()
    (run.root / "fake/0.npy").touch()


def _linked_class(run: Run) -> None:
    run.fill("real", "elsewhere/fake")
    (run.root / "elsewhere").rename(run.root.parent / "elsewhere")
    (run.root / "fake").symlink_to(run.root.parent / "elsewhere/fake")


def _linked_folder(run: Run) -> None:
    run.fill("real", "fake")
    (run.root / "real/loop").symlink_to("../real")


def _all_leaks(run: Run) -> None:
    run.fill("train/real", "train/fake", "val/real")
    shutil.copytree(run.root / "train/fake", run.root / "val/fake")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_nothing, ["images", "folder per class", "does not exist", "data.root"]),
        (_file, ["folder per class", "it is a file"]),
        (_only_images, ["two or more", "found none"]),
        (_one, ["two or more", "found only 'real'"]),
        (_empty, ["fake", "no file"]),
        (_all_bad, ["'fake'", "no usable image"]),
        (_train_only, ["no val/", "'train'"]),
        (_train_and_more, ["classes or splits", "'extra'", "data.layout=classes"]),
        (_val_lacks, ["'fake'", "val"]),
        (_train_lacks, ["'drawn' is not in train/"]),
        (_test_unknown, ["'drawn' is not in train/"]),
        (_train_of_one, ["train", "two or more", "only 'real'"]),
        (_too_few, ["has no image in", "images: 1, independent groups: 1", "add images"]),
        (_two_spellings, ["'val', 'validation'", "all look like the split 'val'"]),
        (_train_and_test, ["no val/", "'test', 'train'", "data.layout=classes"]),
        (_unlabelled_splits, ["training", "found none", "data.layout=classes"]),
        (_level_too_high, ["'sd15', 'sdxl' hold the same folders 'fake', 'real'", "fake/sd15"]),
        (_two_levels_too_high, ["found only 'cats'", "images/cats the folder you mean"]),
        (_classes_above_splits, ["hold the same folders 'train', 'val'", "train/fake"]),
        (_level_too_high_in_splits, ["train", "'sd', 'xl' hold the same folders 'a', 'b'"]),
        (_splits_in_names, ["'fake_train' and 'fake_val'", "val/fake in", "layout=classes"]),
        (_splits_before_names, ["'trainFake' and 'valFake'", "val/Fake", "layout=classes"]),
        (_generators, ["'biggan', 'stargan' hold", "'0_r', '1_f'", "0_r/biggan in place of big"]),
        (_generators_of_several, ["'cyclegan', 'stylegan' hold", "'0_r', '1_f'", "of …/0_r"]),
        (_loose_beside_generators, ["'sd15', 'sdxl' hold the same folders 'fake', 'real'"]),
        (_generator_lacks_one, ["'sd15', 'sdxl' hold the same folders 'fake', 'real'"]),
        (_versions, ["'v1', 'v2' hold", "'train', 'val'; set data.root to one of 'v1', 'v2';"]),
        (_folds, ["if 'a', 'b' are the classes, put them first, as in a/fold1 in place of fold1"]),
        (_annotated, ["train: expected", "'images', 'labels' look like images and their annot"]),
        (_other_case, ["val: class 'real' is 'Real' in train/, and only case"]),
        (_no_images, ["class 'fake': expected images, but", "not images ('fake/0.npy')"]),
        (_linked_class, ["images/fake: is a link to a folder", "cp -rL"]),
        (_linked_folder, ["images/real/loop: is a link to a folder", "cp -rL"]),
        (_all_leaks, ["'fake' has no usable image in val/"]),
    ],
)
def test_what_cannot_be_split(run: Run, make: Callable[[Run], None], said: list[str]) -> None:
    make(run)
    message = user_error(run)
    assert all(part in message for part in said), message
    assert not run.split.exists()
    assert not run.metrics.exists()


def test_a_failing_run_leaves_the_old_outputs(run: Run) -> None:
    run.fill("real", "fake")
    run()
    before = run.split.read_bytes(), run.details.read_bytes()
    shutil.rmtree(run.root / "fake")
    user_error(run)
    assert (run.split.read_bytes(), run.details.read_bytes()) == before
    assert not list(run.split.parent.glob("*.partial"))


def test_ctrl_c_ends_the_run_and_leaves_the_old_outputs(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.fill("real", "fake")
    run()
    before = run.split.read_bytes()

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stages.split.contents.decode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert run.split.read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"val_fraction": 0}, "split.val_fraction"),
        ({"val_fraction": 0.5, "test_fraction": 0.5}, "below 1"),
        ({"test_fraction": -0.1}, "split.test_fraction"),
        ({"near_duplicate_distance": 33}, "split.near_duplicate_distance"),
        ({"near_duplicate_distance": -2}, "split.near_duplicate_distance"),
        ({"max_pixels": 0}, "data.max_pixels"),
        ({"max_bad_fraction": 1.1}, "data.max_bad_fraction"),
        ({"source_pattern": "fake/("}, "data.source_pattern is 'fake/('; allowed: a valid regular"),
        ({"source_pattern": 3}, "data.source_pattern"),
        (
            {"source_pattern": "a{9999999999999}"},
            "data.source_pattern is 'a{9999999999999}'; allowed",
        ),
        ({"root": "a\0b"}, "data.root is 'a\\x00b'; allowed: a path without"),
        (
            {"root": "data/ca$h"},
            "data.root is 'data/ca$h'; allowed: a path without double quotes, $",
        ),
        ({"info": 'my "own"'}, "data.info"),
    ],
)
def test_impossible_parameters(run: Run, changes: dict, said: str) -> None:
    run.fill("real", "fake", count=1)
    assert said in user_error(run, **changes)


def test_groups_stay_together_in_a_free_split(run: Run) -> None:
    run.fill("real", "fake", count=12)
    for n in range(12):
        shutil.copy(run.root / f"real/{n}.png", run.root / f"real/copy {n}.png")
        save(run.root / f"fake/again {n}.jpg", 1000 + n, quality=80)
    table, metrics = run(test_fraction=0.2)
    assert table.groupby("group")["split"].nunique().max() == 1
    assert table["group"].value_counts().unique().tolist() == [2]
    assert metrics["duplicates"] == {"exact": 12, "near": 12}
    only_content = run(near_duplicate_distance=-1)[1]
    assert only_content["duplicates"] == {"exact": 12, "near": 0}


def test_a_given_split_is_kept_without_leaks(run: Run, capsys: pytest.CaptureFixture) -> None:
    run.fill("train/real", "train/fake", "val/real", "val/fake", "test/real")
    shutil.copy(run.root / "train/real/1.png", run.root / "val/real/copy.png")
    save(run.root / "test/real/near.jpg", 2003, quality=85)
    table, metrics = run()
    assert (table["path"].str.split("/").str[0] == table["split"]).all()
    assert (table["path"].str.split("/").str[1] == table["label"]).all()
    leaks = [
        ("test/real/near.jpg", "test", "val/real/3.png", "near"),
        ("val/real/copy.png", "val", "train/real/1.png", "exact"),
    ]
    keys = ("path", "split", "copy_of", "kind")
    assert [tuple(item[key] for key in keys) for item in metrics.get("dropped", [])] == leaks
    assert metrics["images"] == {"total": 42, "used": 40, "bad": 0, "dropped": 2, "left_out": 0}
    assert metrics["predefined_split"] is True
    assert not {"test/real/near.jpg", "val/real/copy.png"} & set(table["path"])
    assert "dropped val/real/copy.png, exact leak of train/real/1.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    "names",
    [
        ("training", "validation", "testing"),
        ("Train", "Val", "Test"),
        ("TRAIN", "VALID", "TEST"),
        ("training_set", "dev-set", "test_set"),
        ("train2017", "val2017", "test2017"),
        ("train_images", "validation data", "Testing Images"),
    ],
)
def test_a_given_split_by_any_usual_name(run: Run, names: tuple[str, str, str]) -> None:
    run.fill(*(f"{name}/{label}" for name in names for label in ("real", "fake")))
    table, metrics = run()
    assert metrics["predefined_split"] is True
    assert set(table["label"]) == {"real", "fake"}
    split = dict(zip(names, ("train", "val", "test"), strict=True))
    assert (table["path"].str.split("/").str[0].map(split) == table["split"]).all()


def test_a_class_that_is_called_like_a_split(run: Run) -> None:
    run.fill("train", "car", "plane")
    message = user_error(run)
    assert "'train', which look like splits, beside 'car', 'plane'" in message
    assert "data.layout=classes" in message
    table, metrics = run(layout="classes")
    assert set(table["label"]) == {"train", "car", "plane"}
    assert metrics["predefined_split"] is False


@pytest.mark.parametrize(
    "folders",
    [
        ("real/indoor", "real/outdoor", "fake/sd"),
        ("real/a", "real", "fake/a"),
        ("valid tickets", "forged tickets"),
        ("dataset", "other"),
        ("0", "1"),
    ],
)
def test_folders_that_are_recognised_as_classes(run: Run, folders: tuple[str, ...]) -> None:
    run.fill(*folders)
    assert set(run()[0]["label"]) == {name.split("/")[0] for name in folders}


def test_classes_with_the_same_subfolders_need_the_layout(run: Run) -> None:
    run.fill("real/indoor", "real/outdoor", "fake/indoor", "fake/outdoor")
    assert "hold the same folders 'indoor', 'outdoor'" in user_error(run)
    assert set(run(layout="classes")[0]["label"]) == {"real", "fake"}


def test_different_pictures_of_one_layout_are_not_grouped(run: Run) -> None:
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:200, :200]
    for label in ("healthy", "ill"):
        (run.root / label).mkdir(parents=True)
        for n in range(15):
            dy, dx = rng.normal(0, 2, 2)
            body = 200 * np.exp(-((((y - 100 - dy) / 75) ** 2 + ((x - 100 - dx) / 55) ** 2) ** 2))
            seen = np.clip(body + 20 + rng.normal(0, 6, body.shape), 0, 255)
            Image.fromarray(seen.astype(np.uint8)).save(run.root / label / f"{n}.png")
    _, metrics = run(max_pixels=10**6)
    assert metrics["groups"] == {"count": 30, "largest": 1}


def test_duplicates_within_a_split_stay(run: Run) -> None:
    run.fill("train/real", "train/fake", "val/real", "val/fake")
    shutil.copy(run.root / "train/real/1.png", run.root / "train/real/copy.png")
    table, metrics = run()
    assert "train/real/copy.png" in set(table["path"])
    assert metrics["duplicates"] == {"exact": 1, "near": 0}
    assert metrics["groups"] == {"count": 32, "largest": 2}


def test_contradicting_labels(run: Run, capsys: pytest.CaptureFixture) -> None:
    run.fill("real", "fake")
    shutil.copy(run.root / "real/1.png", run.root / "fake/x.png")
    _, metrics = run()
    paths = ["fake/x.png", "real/1.png"]
    assert metrics["label_conflicts"] == [{"labels": ["fake", "real"], "paths": paths}]
    assert "different labels: fake/x.png, real/1.png" in capsys.readouterr().err


def manifest(run: Run, text: str, encoding: str = "utf-8") -> None:
    (run.info / "manifest.csv").write_text(text, encoding=encoding)


def test_a_class_of_one_source_is_named(run: Run, capsys: pytest.CaptureFixture) -> None:
    run.fill("real", "fake", count=10)
    rows = [f"real/{n}.png,camera" for n in range(10)]
    rows += [f"fake/{n}.png,{'gan' if n < 5 else 'sd'}" for n in range(10)]
    manifest(run, "\n".join(["path,source", *rows]))
    _, details = run()
    (sentence,) = details["sentences"]
    assert sentence.startswith("All images of class real come from one source, camera: ")
    assert sentence in capsys.readouterr().err
    manifest(run, "\n".join(["path,source", *rows[1:]]))
    _, details = run()
    assert "sentences" not in details
    assert "one source" not in capsys.readouterr().err


def test_the_manifest_sets_group_source_and_family(run: Run, capsys: pytest.CaptureFixture) -> None:
    run.fill("real", "fake", count=20)
    rows = [f"{k}/{n}.png,scene {n},camera,f{n},NA,1" for n in range(20) for k in ("real", "fake")]
    manifest(run, "\n".join(["path,group,source,family,partner,extra", *rows, "gone,,,,,"]))
    table, metrics = run()
    assert table.groupby("group")["split"].nunique().tolist() == [1] * 20
    assert table.loc[
        table["path"] == "real/3.png", ["group", "source", "family"]
    ].values.tolist() == [["scene 3", "camera", "f3"]]
    assert metrics["sources"] == {"camera": 40}
    assert "rows of manifest.csv that name no usable image: 1 of 41" in capsys.readouterr().err


def test_other_columns_of_the_manifest_are_kept_if_they_group_images(run: Run) -> None:
    run.fill("real", "fake", count=30)
    paths = run()[0]["path"].tolist()
    coats = ["black", "ginger"]
    rows = [f"{path},{coats[k % 2]},same,n{k},NA,{k % 2}" for k, path in enumerate(paths) if k]
    manifest(run, "\n".join(["path,coat,everywhere,number,partner,label", *rows]))
    split, _ = run()
    table = read_table(run.attributes, ("id", "coat"))
    assert list(table) == ["id", "coat", "everywhere"]
    assert table["id"].tolist() == split["id"].tolist()
    assert table["coat"].tolist()[:3] == ["", "ginger", "black"]
    (run.info / "manifest.csv").unlink()
    run()
    assert list(read_table(run.attributes, ("id",))) == ["id"]


@pytest.mark.parametrize(
    "text",
    [
        "path,source,\nreal/1.png,camera,\n",
        "path, source\nreal/1.png, camera\n",
        "path,source\nreal/1.png,camera,,\n\n",
        "id,path,source\n7,real/1.png,camera\n",
        'path , "source"\n"real/1.png", camera \n',
        "path,source\nreal\\1.png,camera\n",
        "path,source\n./real/1.png,camera\n",
        "path,source\r\nreal/1.png,camera\r\n",
        "Path,SOURCE\nreal/1.png,camera\n",
        "#by hand\n# of, three, cells\npath,source\n# a note\n#\nreal/1.png,camera\n",
    ],
)
def test_a_manifest_as_people_write_it(run: Run, text: str) -> None:
    run.fill("real", "fake")
    manifest(run, text)
    table, _ = run()
    assert table.loc[table["source"] == "camera", "path"].tolist() == ["real/1.png"]
    assert read_table(run.attributes, ("id",))["id"].tolist() == table["id"].tolist()


def test_a_row_of_a_folder_that_begins_with_a_hash(run: Run) -> None:
    run.fill("#1", "#2")
    manifest(run, "path,source\n#1/1.png,camera\n")
    assert run()[1]["sources"] == {"": 15, "camera": 1}


def test_ignored_parts_of_a_manifest_are_reported(run: Run, capsys: pytest.CaptureFixture) -> None:
    run.fill("real", "fake")
    manifest(run, "path,Split,source\nreal/1.png,val,camera\n")
    run()
    err = capsys.readouterr().err
    assert err.count("'split' is ignored; class and split come from the folders") == 1
    assert "is not read" not in err
    (run.info / "manifest.csv").unlink()
    (run.info / "manifest.xlsx").touch()
    (run.root / "manifest.csv").touch()
    run()
    err = capsys.readouterr().err
    assert f"{run.info}/manifest.xlsx is not read; the manifest is {run.info}/manifest.csv" in err
    assert f"{run.root}/manifest.csv is not read" in err


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_manifest_in_another_unicode_form(run: Run, form: Literal["NFC", "NFD"]) -> None:
    run.fill("real", "fake")
    name = unicodedata.normalize("NFD" if form == "NFC" else "NFC", "real/élan.png")
    save(run.root / name, 99)
    manifest(run, f"path,source\n{unicodedata.normalize(form, name)},camera\n")
    table, _ = run()
    assert table.loc[table["source"] == "camera", "path"].tolist() == [name]


def test_a_partial_manifest_with_byte_order_mark(run: Run) -> None:
    run.fill("real", "fake")
    manifest(run, "source,path\nNA,real/1.png\n", "utf-8-sig")
    table, _ = run()
    assert table["source"].tolist() == [
        "NA" if path == "real/1.png" else "" for path in table["path"]
    ]
    assert set(table["family"]) == {""}


def test_a_pattern_finds_the_source_in_the_path(run: Run) -> None:
    run.fill("real", "fake", count=0)
    for n, name in enumerate(("sd15_1", "sd15_2", "ddpm_1", "ddpm_2", "plain")):
        save(run.root / f"fake/{name}.png", n)
    for n in range(5):
        save(run.root / f"real/sd15_{n}.png", 50 + n)
    manifest(run, "path,source\nfake/sd15_2.png,other\nreal/sd15_0.png,camera\n")
    table, metrics = run(source_pattern="fake/([a-z0-9]+)_")
    named = dict(zip(table["path"], table["source"], strict=True))
    assert {path: name for path, name in named.items() if name} == {
        "fake/ddpm_1.png": "ddpm",
        "fake/ddpm_2.png": "ddpm",
        "fake/sd15_1.png": "sd15",
        "fake/sd15_2.png": "other",
        "real/sd15_0.png": "camera",
    }
    assert metrics["sources"] == {"": 5, "camera": 1, "ddpm": 2, "other": 1, "sd15": 1}


@pytest.mark.parametrize(
    ("pattern", "sources"),
    [
        ("^[a-z]+", {"real": 8, "fake": 8}),
        ("(?:real|fake)/([0-3])?", {"0": 2, "1": 2, "2": 2, "3": 2, "": 8}),
        ("(f)(a)", {"f": 8, "": 8}),
    ],
)
def test_a_pattern_without_a_group_or_with_more(
    run: Run, pattern: str, sources: dict[str, int]
) -> None:
    run.fill("real", "fake")
    assert run(source_pattern=pattern)[1]["sources"] == sources


@pytest.mark.parametrize("pattern", ["sd15_", "(x)?", ""])
def test_a_pattern_that_finds_nothing(run: Run, pattern: str) -> None:
    run.fill("real", "fake")
    message = user_error(run, source_pattern=pattern)
    assert f"data.source_pattern {pattern!r} finds no source in any of 16 paths" in message
    assert "'fake/0.png'" in message
    assert not run.split.exists()


def test_a_pattern_that_takes_exponential_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "SECONDS", 0.2)
    images = pd.DataFrame({"path": [f"real/{'a' * 60}.png"], "source": ""})
    slow = re.compile("(a+)+b")
    message = user_error(sources.with_sources, images=images, pattern=slow)
    assert "data.source_pattern '(a+)+b' takes more than 0.2 seconds" in message
    assert sources.with_sources(images, re.compile("(a)"))["source"].tolist() == ["a"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,group\nreal/1.png,x\n", "expected a column 'path'"),
        ("path;group\nreal/1.png;x\n", "separated by commas"),
        ("path\nreal/1.png\nreal/1.png\n", "several name 'real/1.png'"),
        ("path\nimages/real/1.png\n", "none of its rows names"),
        ("", "found nothing"),
        ("path,source\nreal/1.png,a,b\n", "more cells than the header"),
        ("path,source,source\n", "names 'source' twice"),
        ('path,group\n"a,b\n', "not a CSV"),
    ],
)
def test_a_wrong_manifest(run: Run, text: str, said: str) -> None:
    run.fill("real", "fake")
    manifest(run, text)
    assert said in user_error(run)


def test_images_rendered_with_other_settings_are_refused(run: Run) -> None:
    run.fill("real", "fake")
    made = {"seed": 0, "pairs": 2, "image_size": 96, "shortcut": "none"}
    (run.info / "rendered_with.json").write_text(json.dumps(made))
    message = user_error(run)
    assert "made with image_size=96, but params.yaml says image_size=64" in message
    assert "dvc repro --force synthesize" in message
    (run.info / "rendered_with.json").write_text(json.dumps({**made, "image_size": 64}))
    run()


@pytest.mark.parametrize("name", ["settings.json", "rendered_with.json"])
@pytest.mark.parametrize("text", ["[1]", "{", '{"labels": []}'])
def test_such_a_file_of_another_program_is_ignored(run: Run, name: str, text: str) -> None:
    run.fill("real", "fake")
    (run.info / name).write_text(text)
    run()


def test_a_linked_folder_of_masks_is_refused(run: Run) -> None:
    run.fill("real", "fake")
    (run.root.parent / "masks").mkdir()
    (run.info / "masks").symlink_to(run.root.parent / "masks")
    assert "info/masks: is a link to a folder" in user_error(run)


def test_no_info_folder_is_fine(run: Run) -> None:
    run.fill("real", "fake")
    run.info.rmdir()
    assert len(run()[0]) == 16


def test_upright_size(run: Run) -> None:
    run.fill("real", "fake")
    exif = Image.Exif()
    exif[0x0112] = 6
    save(run.root / "real/turned.jpg", 77, exif=exif)
    table, _ = run()
    turned = table[table["path"] == "real/turned.jpg"].iloc[0]
    assert (turned["width"], turned["height"]) == (40, 48)


@pytest.mark.skipif(not CATS.is_dir(), reason=f"{CATS} is absent: no images of the study here")
@pytest.mark.parametrize("distance", [10, -1])
def test_the_study_has_five_leaks(run: Run, distance: int) -> None:
    run.root = CATS
    table, metrics = run(near_duplicate_distance=distance, max_pixels=10**7, max_bad_fraction=0)
    names = ["00000100_005", "00000100_007", "00000101_012", "00000103_000", "00000104_001"]
    assert metrics.get("dropped", []) == [
        {
            "path": f"val/real/{name}.jpg",
            "split": "val",
            "copy_of": f"train/real/{name}.jpg",
            "kind": "exact",
        }
        for name in names
    ]
    assert metrics["groups"] == {"count": 295, "largest": 1}
    assert len(table) == 295


def test_the_file_is_plain_csv(run: Run) -> None:
    run.fill("real", "fake")
    run()
    text = run.split.read_bytes()
    assert pd.read_csv(io.BytesIO(text)).shape == (16, len(COLUMNS))
    assert b"\r" not in text
