"""Predictions under common processing, and on other sources."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from stages.embed.__main__ import main as embed
from stages.prepare.__main__ import main as prepare
from stages.stability import judging
from stages.stability.__main__ import main
from stages.stability.judging import classify
from stages.stability.pictures import Picture, Skipped
from tests.conftest import user_error
from twincam import deliveries
from twincam.deliveries import DELIVERIES, LONGEST, WAYS, read_deliveries
from twincam.files.params import write_settings
from twincam.files.tables import class_names, read_split, read_table, write_table
from twincam.images.decoding import decode, image_id
from twincam.images.harmonising import harmonise
from twincam.images.params import Prepare
from twincam.models.architectures import HALF
from twincam.models.classifier import save_classifier
from twincam.models.network import Levels, Network, create
from twincam.near_duplicates.hashes import perceptual_hash
from twincam.statistics.intervals import wilson

TEXT = ("id", "path", "split", "source", "label", "delivery")
SETTINGS = Prepare(image_size=64, harmonise=True, jpeg_quality=90)
LEVELS = {"bright": 0.8, "dark": 0.2, "mid": 0.5}


def brightness_network() -> Network:
    """Return a network that predicts the level in `LEVELS` nearest to an image's mean."""
    head = nn.Linear(3, len(LEVELS))
    levels = torch.tensor(list(LEVELS.values()))
    with torch.no_grad():
        head.weight.copy_(levels[:, None].expand(-1, 3) / 3)
        head.bias.copy_(-(levels**2) / 2)
    blocks = nn.Sequential(nn.Identity())
    module = nn.ModuleList([blocks, head]).eval()
    about = "", tuple(LEVELS), (0.0,) * 3, (1.0,) * 3
    return Network(*about, module, blocks, head, (0,), Levels(blocks, (0,)))


def grey(share: float, size: tuple[int, int] = (100, 100)) -> Image.Image:
    return Image.new("RGB", size, (round(255 * share),) * 3)


def framed(inner: float, outer: float) -> Image.Image:
    """Return a square whose middle 60 % differ from its border."""
    picture = grey(outer)
    picture.paste(grey(inner, (60, 60)), (20, 20))
    return picture


def noise(seed: int, width: int = 90, height: int = 70) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


class Run:
    """A folder with images, their split.csv, other sources, and the stage's outputs."""

    def __init__(self, folder: Path) -> None:
        self.root, self.external = folder / "images", folder / "ext"
        self.split, self.model = folder / "split.csv", folder / "model.safetensors"
        self.params = folder / "params.yaml"
        self.near_duplicate_distance = 10
        self.preprocessing, self.max_pixels = folder / "preprocessing.json", 1_000_000
        self.deliveries, self.metrics = folder / "deliveries.csv", folder / "stability.json"
        self.details = folder / "details.json"
        self.external.mkdir()
        self.rows: list[dict[str, object]] = []
        self.prepared(SETTINGS)

    def prepared(self, settings: Prepare) -> None:
        """Write how the images are prepared."""
        write_settings(self.preprocessing, settings.model_dump())
        run = {"engine": "local", "threads": 1, "runtime": "auto"}
        params = {"run": run, "prepare": settings.model_dump()}
        self.params.write_text(json.dumps(params))

    def add(self, path: str, split: str, picture: Image.Image, **options: object) -> None:
        """Write ``<label>/name`` of the data set and list it."""
        self.save(self.root / path, picture, **options)
        found = decode(self.root / path)
        row = {"id": image_id(path), "path": path, "label": Path(path).parts[0], "split": split}
        row |= {"group": image_id(path), "source": f"camera {len(self.rows)}", "family": ""}
        facts = ("sha256", "width", "height", "format", "bytes")
        row["phash"] = f"{perceptual_hash(found.image):016x}"
        self.rows.append(row | {name: getattr(found, name) for name in facts})
        write_table(self.split, pd.DataFrame(self.rows))

    def save(self, file: Path, picture: Image.Image, **options: object) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        picture.save(file, **options)  # type: ignore[arg-type]

    def __call__(self) -> tuple[pd.DataFrame, dict]:
        flags = ["params", "root", "split", "external", "max_pixels", "near_duplicate_distance"]
        flags += ["model", "preprocessing"]
        flags += ["deliveries", "metrics", "details"]
        pairs = [(f"--{flag.replace('_', '-')}", str(getattr(self, flag))) for flag in flags]
        main([part for pair in pairs for part in pair])
        return read_table(self.deliveries, TEXT), json.loads(self.details.read_text("utf-8"))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


@pytest.fixture
def with_brightness(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a run with an image that no delivery flips, and no other source."""
    for module in ("__main__", "judging"):
        monkeypatch.setattr(f"stages.stability.{module}.loaded", lambda *_: brightness_network())
    monkeypatch.setattr("stages.stability.__main__.check_preprocessing", lambda *_: None)
    run.add("bright/train.png", "train", grey(0.9))
    run.add("dark/steady.png", "val", grey(0.1))
    return run


def verdicts(table: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Return the verdict by path and delivery."""
    logits = table[[f"logit_{name}" for name in LEVELS]].to_numpy()
    table = table.assign(verdict=np.array(list(LEVELS))[logits.argmax(axis=1)])
    return {
        str(path): dict(zip(mine["delivery"], mine["verdict"], strict=True))
        for path, mine in table.groupby("path")
    }


def block_of(params: Path, name: str) -> Path:
    """Write the block ``name`` of ``params`` to a file of its own."""
    file = params.with_name(f"{name}.yaml")
    file.write_text(json.dumps({name: json.loads(params.read_text())[name]}))
    return file


@pytest.mark.parametrize("harmonised", [True, False])
def test_as_is_gives_the_logits_of_the_embeddings(
    run: Run, tmp_path: Path, harmonised: bool
) -> None:
    torch.manual_seed(0)
    network = create("resnet18", ("a", "b", "c"), HALF)
    save_classifier(run.model, network, {})
    turned = Image.Exif()
    turned[0x0112] = 6
    run.add("a/large.jpg", "val", noise(0, 1200, 800), quality=95)
    run.add("b/small.png", "train", noise(1))
    run.add("b/turned.jpg", "test", noise(2, 300, 200), exif=turned)
    run.add("c/grey.png", "val", noise(3).convert("L"))
    run.add("c/alpha.webp", "test", noise(4).convert("RGBA"))
    run.prepared(Prepare(image_size=64, harmonise=harmonised, jpeg_quality=85))
    arrays = [f"--{name}={tmp_path / name}.npy" for name in ("images", "masks", "parts", "marks")]
    places = [f"--root={run.root}", f"--info={tmp_path / 'none'}", f"--split={run.split}"]
    prepare(
        [
            f"--params={run.params}",
            *places,
            *arrays,
            f"--preprocessing={run.preprocessing}",
        ]
    )
    embed(
        [
            f"--params={block_of(run.params, 'run')}",
            arrays[0],
            places[2],
            f"--model={run.model}",
            f"--embeddings={tmp_path / 'all'}",
        ]
    )

    table, _ = run()

    split = read_split(run.split)
    rows = split[split["split"] != "train"].index
    assert table["path"].unique().tolist() == split.loc[rows, "path"].tolist()
    columns = [f"logit_{name}" for name in class_names(split)]
    as_is = table.loc[table["delivery"] == "as is", columns].to_numpy()
    expected = np.load(tmp_path / "all/logits.npy")[rows]
    assert as_is == pytest.approx(expected, abs=2e-5)
    others = table[table["delivery"] != "as is"].groupby("path", sort=False)[columns]
    assert (np.abs(others.first() - expected).max(axis=1) > 1e-4).all()


def test_predictions_flip_where_processing_removes_their_evidence(
    with_brightness: Run,
) -> None:
    run = with_brightness
    run.add("bright/frame.png", "val", framed(0.9, 0.0))
    run.add("bright/plain.png", "val", grey(0.75))
    run.add("mid/plain.jpg", "test", grey(0.5))
    table, metrics = run()
    assert list(table.columns) == [*TEXT, "logit_bright", "logit_dark", "logit_mid"]
    assert table["delivery"].tolist() == list(DELIVERIES) * 4
    first = table.iloc[0]
    assert first[list(TEXT)].tolist() == [
        image_id("dark/steady.png"),
        "dark/steady.png",
        "val",
        "camera 1",
        "dark",
        "as is",
    ]
    found = verdicts(table)
    steady = dict.fromkeys(DELIVERIES, "dark")
    assert found["dark/steady.png"] == steady
    assert found["bright/frame.png"] == steady | {"60 % crop": "bright"}
    assert found["bright/plain.png"] == dict.fromkeys(DELIVERIES, "bright") | {"letterbox": "mid"}
    assert found["mid/plain.jpg"] == dict.fromkeys(DELIVERIES, "mid") | {"letterbox": "dark"}

    val = metrics["val"]
    assert set(metrics) == {"val", "test", "external"}
    low, high = wilson(2, 3)
    assert val["n"] == 3
    assert [val[f"flip_rate{end}"] for end in ("", "_low", "_high")] == pytest.approx(
        [2 / 3, low, high], abs=1e-6
    )
    shares = {
        name: (way["accuracy"], way.get("flip_rate")) for name, way in val["deliveries"].items()
    }
    assert shares == {
        **dict.fromkeys(DELIVERIES, (0.666667, 0.0)),
        "as is": (0.666667, None),
        "60 % crop": (1.0, 0.333333),
        "letterbox": (0.333333, 0.333333),
    }
    low, high = wilson(1, 3)
    box = val["deliveries"]["letterbox"]
    ends = [box[f"{name}_{end}"] for name in ("accuracy", "flip_rate") for end in ("low", "high")]
    assert ends == pytest.approx([low, high] * 2, abs=1e-6)
    assert {way["n"] for way in val["deliveries"].values()} == {3}
    assert metrics["test"]["deliveries"]["letterbox"]["flip_rate"] == 1.0
    assert metrics["external"] == {}
    assert {"bad", "leaks"}.isdisjoint(metrics)
    headlines = json.loads(run.metrics.read_text())
    names = ("flip_rate", "flip_rate_low", "flip_rate_high")
    assert headlines == {name: metrics["test"][name] for name in names}


def test_each_processing_does_what_its_name_states() -> None:
    picture = framed(0.9, 0.1)
    ways = WAYS
    arrived = {name: send(picture) for name, send in ways.items()}
    assert {arrived[name].size for name in arrived if name != "letterbox"} == {picture.size}
    middle = np.asarray(arrived["60 % crop"], int)
    assert (np.abs(middle - round(255 * 0.9)) <= 1)[5:-5, 5:-5].all()
    box = np.asarray(arrived["letterbox"], int)
    assert box.shape == (133, 133, 3)
    assert (box[16:116, 16:116] == np.asarray(picture)).all()
    assert box.sum() == np.asarray(picture, int).sum()
    grain = np.random.default_rng(0).integers(0, 256, (100, 100, 1), dtype=np.uint8)
    detail = Image.fromarray(grain.repeat(3, axis=2))
    sent = {name: np.asarray(ways[name](detail).convert("L"), int) for name in ways}
    del sent["letterbox"]
    lost = {name: np.abs(found - grain[..., 0]).mean() for name, found in sent.items()}
    assert 0 < lost["JPEG 95"] < lost["JPEG 75"] < lost["JPEG 60"] < lost["JPEG 40"]
    assert lost["half size"] > lost["JPEG 40"]


@pytest.mark.parametrize(
    ("size", "sent"),
    [((3000, 1500), (LONGEST, 1024)), ((20, 4096), (10, LONGEST)), ((30, 20), (30, 20))],
)
def test_large_pictures_are_scaled_like_platforms_do(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    sent: tuple[int, int],
) -> None:
    seen = []

    def noting(image: Image.Image) -> Image.Image:
        seen.append(image.size)
        return image

    monkeypatch.setattr(deliveries, "WAYS", {"noted": noting})
    noise(0, *size).save(tmp_path / "x.jpg", quality=95)
    sha256, squares = read_deliveries(tmp_path / "x.jpg", SETTINGS, 10**7)
    assert seen == [sent]
    as_prepared = decode(tmp_path / "x.jpg", at_least=128)
    assert (squares[0] == harmonise(as_prepared.image, 64, True, 90)).all()
    assert (squares.shape, sha256) == ((2, 64, 64, 3), as_prepared.sha256)


def test_another_source_gets_rows_and_figures_of_its_own(with_brightness: Run) -> None:
    run = with_brightness
    for name in ("b.JPG", "a.png"):
        run.save(run.external / "ox ford/bright" / name, grey(0.75, (90, 60)))
    run.save(run.external / "ox ford/bright/deeper/c.bmp", grey(0.5))
    run.save(run.external / "zoo/dark/x.gif", grey(0.1))
    run.save(run.external / "zoo/mid/x.tif", grey(0.5))
    table, metrics = run()
    others = table[table["split"] == "external"]
    assert table["split"].tolist() == ["val"] * 8 + ["external"] * 40
    names = ["ox ford/bright/a.png", "ox ford/bright/b.JPG", "ox ford/bright/deeper/c.bmp"]
    names += ["zoo/dark/x.gif", "zoo/mid/x.tif"]
    assert others["path"].tolist() == [name for name in names for _ in DELIVERIES]
    first = others.iloc[0]
    assert (first["source"], first["label"]) == ("ox ford", "bright")
    assert first["id"] == image_id("external/ox ford/bright/a.png")
    assert set(metrics["external"]) == {"ox ford", "zoo"}
    assert metrics["val"]["n"] == 1
    oxford = metrics["external"]["ox ford"]
    assert (oxford["n"], oxford["deliveries"]["as is"]["accuracy"]) == (3, 0.666667)
    assert oxford["deliveries"]["letterbox"]["flip_rate"] == 1.0
    assert metrics["external"]["zoo"]["flip_rate"] == 0.5


def test_pictures_are_processed_upright(tmp_path: Path) -> None:
    picture = noise(0, 120, 90)
    turned = Image.Exif()
    turned[0x0112] = 6
    picture.save(tmp_path / "plain.jpg", quality=95)
    stored = picture.transpose(Image.Transpose.ROTATE_90)
    stored.save(tmp_path / "turned.jpg", quality=95, exif=turned)
    plain, upright = (
        read_deliveries(tmp_path / f"{name}.jpg", SETTINGS, 10**7)[1].astype(int)
        for name in ("plain", "turned")
    )
    assert np.abs(plain - upright).mean(axis=(1, 2, 3)).max() < 4
    assert np.abs(plain - np.rot90(upright, axes=(1, 2))).mean() > 20


@pytest.mark.parametrize("name", [".gitkeep", None])
def test_an_empty_folder_is_not_a_source(with_brightness: Run, name: str | None) -> None:
    run = with_brightness
    if name:
        (run.external / name).touch()
    table, metrics = run()
    assert len(table) == len(DELIVERIES)
    assert metrics["external"] == {}


def test_bad_files_and_copies_are_named_and_skipped(
    with_brightness: Run, capsys: pytest.CaptureFixture
) -> None:
    run = with_brightness
    run.max_pixels = 20_000
    bright = run.external / "s/bright"
    run.save(bright / "good.png", grey(0.8))
    content = (bright / "good.png").read_bytes()
    (bright / "cut.png").write_bytes(content[: len(content) // 2])
    (bright / "empty.jpg").touch()
    (bright / "text.jpg").write_text("text")
    (bright / "good.txt").write_text("a caption")
    run.save(bright / "large.png", grey(0.8, (200, 101)))
    (bright / "broken").symlink_to("nowhere")
    os.mkfifo(bright / "pipe.jpg")
    Path(os.fsdecode(bytes(bright) + b"/\xff.png")).write_bytes(content)
    (bright / "new\nline.png").write_bytes(content)
    shutil.copy(run.root / "bright/train.png", bright / "twin of train.png")
    shutil.copy(run.root / "dark/steady.png", run.external / "s/bright/twin of val.png")
    (run.external / "README.txt").touch()
    (run.external / "s/LICENSE").touch()
    (bright / ".DS_Store").touch()

    table, metrics = run()

    assert set(table["path"]) == {"dark/steady.png", "s/bright/good.png"}
    assert metrics["external"]["s"]["n"] == 1
    assert metrics["leaks"] == [
        {"path": "s/bright/twin of train.png", "copy_of": "bright/train.png"},
        {"path": "s/bright/twin of val.png", "copy_of": "dark/steady.png"},
    ]
    reasons = {item["path"].removeprefix("s/bright/"): item["reason"] for item in metrics["bad"]}
    said = {
        "cut.png": "damaged",
        "empty.jpg": "empty file",
        "text.jpg": "not a JPEG",
        "large.png": "200×101 pixels, more than data.max_pixels=20000",
        "broken": "broken link",
        "pipe.jpg": "named pipe",
        "\\udcff.png": "UTF-8",
        "new\\nline.png": "control",
    }
    assert set(reasons) == set(said)
    assert all(part in reasons[name] for name, part in said.items())
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11
    assert f"stability: 2 files in {run.external} are not in a class folder; ignored" in lines
    assert "stability: skipped s/bright/empty.jpg: empty file" in lines
    twin = "stability: skipped s/bright/twin of val.png: a copy of dark/steady.png in the data set"
    assert twin in lines


def test_scaled_and_re_saved_copies_are_not_another_source(with_brightness: Run) -> None:
    run = with_brightness
    run.add("dark/photo.png", "train", noise(5, 200, 160))
    run.add("mid/other.jpg", "val", noise(6, 200, 160))
    run.save(run.external / "s/dark/new.png", noise(7))
    run.save(run.external / "s/dark/saved again.jpg", noise(5, 200, 160), quality=70)
    run.save(run.external / "s/mid/smaller.webp", noise(6, 200, 160).resize((120, 96)))
    _, metrics = run()
    assert metrics["external"]["s"]["n"] == 1
    assert metrics["leaks"] == [
        {"path": "s/dark/saved again.jpg", "copy_of": "dark/photo.png"},
        {"path": "s/mid/smaller.webp", "copy_of": "mid/other.jpg"},
    ]
    run.near_duplicate_distance = -1
    assert run()[1]["external"]["s"]["n"] == 3


def _linked(run: Run) -> None:
    (run.external / "zoo").mkdir()
    (run.external / "zoo/bright").symlink_to(run.root / "bright")


def _missing(run: Run) -> None:
    run.external.rmdir()


def _file(run: Run) -> None:
    run.external.rmdir()
    run.external.touch()


def _loose(run: Run) -> None:
    run.save(run.external / "x.png", grey(0.5))


def _no_class(run: Run) -> None:
    run.save(run.external / "good/mid/x.png", grey(0.5))
    run.save(run.external / "bright/x.png", grey(0.5))


def _empty_class(run: Run) -> None:
    (run.external / "zoo/bright").mkdir(parents=True)


def _unknown(run: Run) -> None:
    run.save(run.external / "zoo/bright/x.png", grey(0.5))
    run.save(run.external / "zoo/Dark/x.png", grey(0.5))


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (_missing, ["<source>/<class>/", "it does not exist", "data.external"]),
        (_file, ["<source>/<class>/", "it is a file", "data.external"]),
        (_loose, ["<source>/<class>/", "found no folder", "data.external"]),
        (_no_class, ["ext/bright: no file in a class folder", "<source>/<class>/"]),
        (_empty_class, ["ext/zoo: no file in a class folder"]),
        (_linked, ["ext/zoo/bright: is a link to a folder"]),
        (_unknown, ["ext/zoo: 'Dark' is not a class of the model", "'bright', 'dark', 'mid'"]),
    ],
)
def test_invalid_folders_of_sources_are_rejected(
    with_brightness: Run, make: object, expected: list
) -> None:
    assert callable(make)
    make(with_brightness)
    message = user_error(with_brightness)
    assert all(part in message for part in expected), message
    assert not with_brightness.deliveries.exists()


def test_an_image_that_changed_or_vanished(with_brightness: Run) -> None:
    run = with_brightness
    file = run.root / "dark/steady.png"
    grey(0.2).save(file)
    assert f"{file}: changed since the stage split ran (different content)" in user_error(run)
    file.unlink()
    assert f"{file}: changed since the stage split ran (not found)" in user_error(run)


def test_training_images_are_not_even_opened(with_brightness: Run) -> None:
    (with_brightness.root / "bright/train.png").unlink()
    assert with_brightness()[0]["split"].unique().tolist() == ["val"]


def test_twice_the_same_bytes_whatever_the_threads(
    with_brightness: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = with_brightness
    for n in range(9):
        run.add(f"dark/{n}.jpg", "val", noise(n))
        run.save(run.external / f"s/mid/{n}.png", noise(20 + n))
    run()
    before = run.deliveries.read_bytes(), run.metrics.read_bytes()
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    run()
    assert (run.deliveries.read_bytes(), run.metrics.read_bytes()) == before


def test_few_images_are_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory must not grow with the number of images."""
    waiting, most = 0, 0
    network = brightness_network()

    def arrivals() -> Iterator[tuple[Picture, np.ndarray | Skipped]]:
        nonlocal waiting, most
        for n in range(30):
            picture = Picture(str(n), str(n), "val", "", "dark", Path())
            if n % 3 == 0:
                yield picture, Skipped(str(n), "bad")
                continue
            waiting += 1
            most = max(most, waiting)
            yield picture, np.full((len(DELIVERIES), 4, 4, 3), n, np.uint8)

    def noting(network: Network, squares: np.ndarray) -> np.ndarray:
        nonlocal waiting
        waiting -= len(squares) // len(DELIVERIES)
        return squares[:, 0, 0].astype(np.float32)

    monkeypatch.setattr(judging, "logits_of", noting)
    kept, logits, skipped = classify(network, arrivals())
    assert most <= judging.AT_ONCE
    assert waiting == 0
    assert [one.path for one in skipped] == [str(n) for n in range(0, 30, 3)]
    assert [int(one.path) for one in kept] == logits[:: len(DELIVERIES), 0].astype(int).tolist()
    assert len(logits) == 20 * len(DELIVERIES)


def test_no_image_to_classify(with_brightness: Run) -> None:
    run = with_brightness
    run.add("mid/other.png", "train", grey(0.5))
    run.rows = [row for row in run.rows if row["split"] == "train"]
    write_table(run.split, pd.DataFrame(run.rows))
    table, metrics = run()
    assert len(table) == 0
    assert "logit_mid" in table
    assert metrics == {"external": {}}
