"""The stage on a few images and a classifier of brightness only."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from stages.robustness import inference
from stages.robustness.__main__ import main
from stages.robustness.figures import flips_picture
from stages.robustness.inference import choose, corrupted_squares, logits_by_condition
from stages.robustness.ladders import CONDITIONS
from stages.robustness.measures import COLUMNS
from twincam.determinism import Run, make_torch_deterministic
from twincam.files.arrays import write_array
from twincam.files.metrics import read_metrics
from twincam.files.tables import read_table, write_table
from twincam.models.architectures import HALF
from twincam.models.classifier import save_classifier
from twincam.models.network import create
from twincam.models.runtimes import Source

NO_FILES = Source(Path(), Path(), Run(engine="local", threads=1, runtime="auto"))


def listing(**counts: int) -> pd.DataFrame:
    names = [part for part, count in counts.items() for _ in range(count)]
    ids = [f"{n:03}" for n in range(len(names))]
    return pd.DataFrame(
        {"id": ids, "path": [f"{n}.png" for n in ids], "split": names}
        | {"label": ["bright", "dark"] * (len(names) // 2)}
    )


def squares(split: pd.DataFrame) -> np.ndarray:
    level = np.where(split["label"] == "bright", 150, 60)[:, None, None, None]
    texture = np.random.default_rng(0).integers(-20, 21, (len(split), 32, 32, 3))
    return (level + texture).astype(np.uint8)


def brightness_only(_network: object, images: np.ndarray) -> np.ndarray:
    level = images.mean(axis=(1, 2, 3)).astype(np.float32)
    return np.stack([level - 128, 128 - level], axis=1) / 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_torch_deterministic(0, "test", threads=1)
    network = create("resnet18", ("bright", "dark"), HALF)
    save_classifier(tmp_path / "model", network, {})
    prepare(tmp_path, listing(train=4, val=40))
    return tmp_path


def prepare(folder: Path, split: pd.DataFrame, most: int = 500) -> None:
    write_table(folder / "split.csv", split)
    write_array(folder / "images" / "0.npy", squares(split))
    text = "seed: 0\nrun: {engine: local, threads: 1, runtime: auto}\n"
    (folder / "params.yaml").write_text(f"{text}robustness: {{images: {most}}}\n")


def run(folder: Path) -> dict[str, Any]:
    inputs = {"params": "params.yaml", "split": "split.csv", "images": "images"}
    outputs = {"metrics": "m.json", "details": "d.json", "curve": "m.csv", "figures": "figures"}
    flags = inputs | {"model": "model"} | outputs
    main([word for flag, name in flags.items() for word in (f"--{flag}", str(folder / name))])
    return read_metrics(folder / "d.json")


def test_a_brightness_classifier_fails_on_darkened_bright_images(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "logits_of", brightness_only)
    val = run(folder)["val"]
    assert val["clean"]["n"] == 40
    assert val["clean"]["accuracy"] == 1
    assert val["brightness"]["75"]["flip_rate"] == val["brightness"]["75"]["accuracy_drop"] == 0.5
    assert val["brightness"]["125"]["flip_rate"] == 0
    assert val["noise"]["20"]["accuracy"] == val["jpeg"]["30"]["accuracy"] == 1
    assert val["jpeg"]["30"]["flip_rate_high"] > 0.05
    assert read_metrics(folder / "m.json") == {"worst_accuracy": 0.5}
    table = read_table(folder / "m.csv").set_index("condition")
    darker = table.loc["val: brightness 75 %"]
    assert (darker["recall_bright"], darker["recall_dark"]) == (0, 1)
    assert (darker["n_bright"], darker["n_dark"]) == (20, 20)
    assert Image.open(folder / "figures/flips.png").height > 1000


def test_pictures_state_that_nothing_flips(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "logits_of", lambda _network, x: np.tile([1.0, 0], (len(x), 1)))
    assert run(folder)["val"]["brightness"]["50"]["flip_rate"] == 0
    assert Image.open(folder / "figures/flips.png").size == flips_picture([]).size


def test_two_runs_write_the_same_bytes(folder: Path) -> None:
    prepare(folder, listing(train=4, val=14), most=12)
    assert run(folder)["val"]["jpeg"]["50"]["n"] == 12
    names = ("m.json", "d.json", "m.csv", "figures/robustness.png", "figures/flips.png")
    before = [(folder / name).read_bytes() for name in names]
    run(folder)
    assert [(folder / name).read_bytes() for name in names] == before


def test_a_small_split_is_skipped_and_the_other_measured(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(inference, "logits_of", brightness_only)
    prepare(folder, listing(train=4, val=10, test=12))
    metrics = run(folder)
    assert set(metrics) == {"skipped", "test"}
    assert metrics["skipped"] == "10 images in val; at least 12 are needed"
    assert capsys.readouterr().err == f"robustness: skipped: {metrics['skipped']}\n"
    assert set(read_table(folder / "m.csv")["n"]) == {12}


@pytest.mark.parametrize(("val", "most", "reason"), [(10, 500, "10 images"), (40, 0, "is 0")])
def test_nothing_measured_still_writes_every_output(
    folder: Path, val: int, most: int, reason: str
) -> None:
    prepare(folder, listing(train=4, val=val), most)
    metrics = run(folder)
    assert set(metrics) == {"skipped"}
    assert read_metrics(folder / "m.json") == {}
    assert reason in metrics["skipped"]
    assert list(read_table(folder / "m.csv").columns) == COLUMNS
    assert Image.open(folder / "figures/robustness.png").size == flips_picture([]).size


def test_sampling_stays_in_its_split_and_is_reproducible() -> None:
    split = listing(train=10, val=40, test=20)
    chosen, reasons = choose(split, 15, 0)
    assert reasons == []
    for name, rows in chosen.items():
        assert len(set(rows)) == 15
        assert list(rows) == sorted(rows)
        assert set(split["split"].iloc[rows]) == {name}
    assert all(np.array_equal(choose(split, 15, 0)[0][name], chosen[name]) for name in chosen)
    assert not np.array_equal(choose(split, 15, 1)[0]["val"], chosen["val"])
    whole = choose(split, 500, 0)[0]
    assert {name: len(rows) for name, rows in whole.items()} == {"val": 40, "test": 20}


def test_noise_depends_only_on_the_id() -> None:
    images = np.full((3, 16, 16, 3), 100, np.uint8)
    ids = np.array(["a", "b", "c"])
    noise = [one for one in CONDITIONS if one.corruption == "noise"]
    first = corrupted_squares(images, noise[2], ids, 0).astype(int) - 100
    assert np.array_equal(corrupted_squares(images, noise[2], ids[::-1], 0), first[::-1] + 100)
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(corrupted_squares(images, noise[2], ids, 1), first + 100)
    stronger = corrupted_squares(images, noise[3], ids, 0).astype(int) - 100
    assert np.abs(stronger - 2 * first).max() <= 2


def test_logits_are_in_the_order_of_images_and_conditions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = create("resnet18", ("bright", "dark"), HALF)
    split = listing(val=36)
    images, rows = squares(split), np.arange(35, 0, -1)
    monkeypatch.setattr(inference, "logits_of", brightness_only)
    monkeypatch.setattr(inference, "opened", lambda _source: (network, images))
    ids = split["id"].to_numpy()[rows]
    clean, corrupted = logits_by_condition(NO_FILES, rows, ids, 0)
    assert np.array_equal(clean, brightness_only(network, images[rows]))
    assert corrupted.shape == (len(CONDITIONS), 35, 2)
    for condition, logits in zip(CONDITIONS, corrupted, strict=True):
        changed = corrupted_squares(images[rows], condition, ids, 0)
        assert np.array_equal(logits, brightness_only(network, changed))
