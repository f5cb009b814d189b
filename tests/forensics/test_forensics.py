"""Traces of remaking: trained without any generated image, found for unseen generators."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFilter
from safetensors.numpy import save

from stages.forensics import remakes
from stages.forensics.__main__ import main
from stages.forensics.describing import TRAINING_VIEWS
from stages.forensics.model import PENALTY, cross_fit, fit
from stages.forensics.summary import headlines
from stages.forensics.thresholds import conformal, worst_source
from tests.conftest import user_error
from twincam.files.errors import UserError
from twincam.files.metrics import read_metrics
from twincam.files.tables import read_table, write_table
from twincam.forensics.detail import describe
from twincam.forensics.detector import Detector, detector_file, mean_score, read_detector
from twincam.forensics.views import SCORING, SIDE, TRAINING, cut_patch, finish, scaled
from twincam.near_duplicates.hashes import perceptual_hash


def photograph(number: int) -> Image.Image:
    """Return something like a photograph: a blurred scene, edges, and a sensor's noise."""
    rng = np.random.default_rng(number)
    scene = Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8))
    pixels = np.asarray(scene.resize((240, 240), Image.Resampling.BICUBIC), float)
    for _ in range(6):
        top, left = rng.integers(0, 200, 2)
        pixels[top : top + 40, left : left + 40] += rng.normal(scale=40, size=3)
    pixels += rng.normal(scale=rng.uniform(3, 6), size=pixels.shape)
    return Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8))


def made(number: int) -> Image.Image:
    """Return the same without a sensor's finest noise; no remake is made like this."""
    return photograph(number).filter(ImageFilter.GaussianBlur(1.2))


def make_inputs(folder: Path, train: int, rate: float) -> None:
    rows = []
    for number in range(train + 12):
        split = "train" if number < train else "val"
        for label, image in (("real", photograph(number)), ("fake", made(number))):
            path = f"{label}/{number:03d}.png"
            (folder / "images" / label).mkdir(parents=True, exist_ok=True)
            image.save(folder / "images" / path)
            rows.append((path, path, label, split, path, "", f"{perceptual_hash(image):016x}"))
    columns = ["id", "path", "label", "split", "group", "source", "phash"]
    table = pd.DataFrame(rows, columns=columns)
    write_table(folder / "split.csv", table)
    (folder / "external" / "phone" / "real").mkdir(parents=True)
    photograph(900).save(folder / "external" / "phone" / "real" / "a.png")
    external = ("x", "phone/real/a.png", "external", "phone", "real", "as is")
    columns = ["id", "path", "split", "source", "label", "delivery"]
    write_table(folder / "deliveries.csv", pd.DataFrame([external], columns=columns))
    (folder / "more").mkdir()
    for number in range(12):
        photograph(800 + number).save(folder / "more" / f"{number}.png")
    forensics = f"forensics: {{target_fpr: {rate}, photographs: {folder / 'more'}}}"
    plain = "seed: 0\nrun: {engine: local, threads: 1, runtime: auto}\nreal_class: real"
    (folder / "params.yaml").write_text(f"{plain}\n{forensics}\n")


def run(folder: Path, out: str = "out") -> Path:
    words = ["--max-pixels", "1000000", "--near-duplicate-distance", "10"]
    words += ["--root", str(folder / "images")]
    for flag, name in (
        ("params", "params.yaml"),
        ("split", "split.csv"),
        ("external", "external"),
        ("deliveries", "deliveries.csv"),
        ("photographs", "more"),
        ("traces", f"{out}/traces.csv"),
        ("model", f"{out}/model.safetensors"),
        ("metrics", f"{out}/forensics.json"),
        ("details", f"{out}/details.json"),
        ("figures", f"{out}/figures"),
    ):
        words += [f"--{flag}", str(folder / name)]
    main(words)
    return folder / out


def read(out: Path) -> pd.DataFrame:
    return read_table(out / "traces.csv", ("id", "path", "split", "source", "label"))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("traces")
    make_inputs(folder, 21, 0.1)
    return folder


@pytest.fixture(scope="module", autouse=True)
def quick() -> None:
    pytest.MonkeyPatch().setattr(remakes, "STEPS", 6)


def test_unseen_generators_are_detected_and_photographs_are_not(inputs: Path) -> None:
    out = run(inputs)
    table, found = read(out), read_metrics(out / "details.json")
    assert set(table["split"]) == {"train", "photographs", "val", "external"}
    assert set(table.loc[table["split"] == "train", "label"]) == {"real"}
    assert found["val"]["fake"]["traced"] > found["val"]["real"]["traced"] + 0.4
    assert found["val"]["real"]["n"] == 12
    assert found["external"]["phone"]["real"]["n"] == 1
    assert found["threshold"] == max(one["threshold"] for one in found["set_by"].values())
    assert found["set_by"]["photographs"]["n"] == 12
    assert (table["traced"] == (table["score"] > found["threshold"])).all()
    detector = read_detector(out / "model.safetensors")
    assert detector
    assert detector.threshold == pytest.approx(found["threshold"], abs=1e-6)


def test_headlines_are_the_rates_of_genuine_and_generated_images() -> None:
    rows = [("val", "real", True), ("val", "fake", False), ("train", "real", True)]
    val = pd.DataFrame(rows, columns=["split", "label", "traced"])
    assert headlines(val, "real") == {"false_positive_rate": 1, "detection_rate": 0}
    test = pd.DataFrame([("test", "fake", True)], columns=val.columns)
    assert headlines(pd.concat([val, test]), "real") == {"detection_rate": 1}
    assert headlines(val.head(0), "real") == {}


def test_copies_of_scored_images_set_no_threshold(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = Path(shutil.copytree(inputs, tmp_path / "inputs"))
    photograph(3).save(folder / "more" / "saved again.jpg", quality=75)
    photograph(4).resize((200, 200)).save(folder / "more" / "smaller.png")
    photograph(900).save(folder / "more" / "another source's.jpg", quality=75)
    (folder / "more" / "notes.txt").write_text("three copies")
    out = run(folder)
    assert read_metrics(out / "details.json")["set_by"]["photographs"]["n"] == 12
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": a copy of ")[1] for line in lines if "copy of" in line] == [
        "phone/real/a.png",
        "real/003.png",
        "real/004.png",
    ]


def test_two_runs_write_the_same_bytes(inputs: Path) -> None:
    first, second = run(inputs), run(inputs, "again")
    names = ("traces.csv", "model.safetensors", "forensics.json", "details.json")
    for name in (*names, "figures/forensics.png"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_no_generated_image_is_used(inputs: Path, tmp_path: Path) -> None:
    before = read(run(inputs))
    other = tmp_path / "other"
    make_inputs(other, 21, 0.1)
    for path in (other / "images" / "fake").iterdir():
        Image.new("RGB", (200, 200), (9, 9, 9)).save(path)
    after = read(run(other))
    kept = before["label"] == "real"
    assert (before["score"][kept].to_numpy() == after["score"][kept].to_numpy()).all()
    assert (before["score"][~kept].to_numpy() != after["score"][~kept].to_numpy()).all()


@pytest.mark.parametrize(
    ("train", "rate", "reason"),
    [(6, 0.05, "6 independent training images"), (6, 0.0, "target_fpr is 0")],
)
def test_too_few_photographs_or_switched_off(
    tmp_path: Path, train: int, rate: float, reason: str
) -> None:
    make_inputs(tmp_path, train, rate)
    out = run(tmp_path)
    assert reason in read_metrics(out / "details.json")["skipped"]
    assert read(out).empty
    assert read_detector(out / "model.safetensors") is None
    assert (out / "figures" / "forensics.png").is_file()
    assert read_metrics(out / "forensics.json") == {}


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    make_inputs(tmp_path, 12, 0.1)
    (tmp_path / "more" / "notes.jpg").write_text("no image")
    with pytest.raises(UserError, match=r"notes\.jpg: expected a readable image"):
        run(tmp_path)


def weighted_ridge(
    views: np.ndarray, target: np.ndarray, weights: np.ndarray, new: np.ndarray, penalty: float
) -> np.ndarray:
    """Predict for ``new`` by the normal equations, with an unpenalised intercept."""
    share = weights / weights.sum()
    centre, offset = share @ views, share @ target
    moved = views - centre
    system = (moved.T * weights) @ moved + penalty * np.eye(views.shape[1])
    line = np.linalg.solve(system, (moved.T * weights) @ (target - offset))
    return (new - centre) @ line + offset


def test_the_discriminant_is_the_weighted_ridge_of_the_protocol() -> None:
    rng = np.random.default_rng(0)
    training = (
        rng.normal(size=(20, len(TRAINING_VIEWS), 5)) + np.arange(len(TRAINING_VIEWS))[:, None]
    )
    scoring = rng.normal(size=(7, 1, 5))
    model = fit(training)
    views = (training.reshape(-1, 5) - model.centre) / model.spread
    new = (scoring[:, 0] - model.centre) / model.spread
    kinds = np.tile(TRAINING_VIEWS, 20)
    shares = {"": 0.5} | dict.fromkeys(remakes.REMAKES, 0.5 / len(remakes.REMAKES))
    assert set(kinds) == set(shares)
    weights = np.array([shares[kind] / (kinds == kind).sum() for kind in kinds]) * len(kinds)
    target = np.where(kinds == "", -1.0, 1.0)
    expected = weighted_ridge(views, target, weights, new, PENALTY * len(kinds))
    assert model.score(scoring) == pytest.approx(expected)


def test_a_detector_is_read_as_it_was_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    models = [fit(rng.normal(size=(9, len(TRAINING_VIEWS), 4))) for _ in range(2)]
    file, described = tmp_path / "model.safetensors", rng.normal(size=(5, 3, 4))
    file.write_bytes(detector_file(Detector(models, np.inf)))
    found = read_detector(file)
    assert found
    assert found.threshold == np.inf
    assert (mean_score(found.models, described) == mean_score(models, described)).all()
    each = [model.score(described) for model in models]
    assert mean_score(models, described) == pytest.approx((each[0] + each[1]) / 2)


@pytest.mark.parametrize("content", [b"", b"hello", save({"a": np.zeros(2)})])
def test_what_is_no_detector_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    assert "expected the detector of traces" in user_error(read_detector, path=file)


def test_photographs_are_scored_by_models_not_fitted_on_their_group() -> None:
    rng = np.random.default_rng(1)
    training, scoring = rng.normal(size=(12, len(TRAINING_VIEWS), 4)), rng.normal(size=(12, 3, 4))
    groups = np.repeat(np.arange(6), 2)
    scores, models = cross_fit(training, scoring, groups.tolist(), 0)
    changed = training.copy()
    changed[0] += 5
    again, _ = cross_fit(changed, scoring, groups.tolist(), 0)
    assert (scores[:2] == again[:2]).all()
    assert (scores[2:] != again[2:]).any()
    assert len(models) == 3


def test_thresholds_are_conformal_and_the_strictest_is_used() -> None:
    scores = np.arange(1.0, 40.0)
    assert conformal(scores, 0.05) == 38
    assert conformal(scores[:10], 0.05) == np.inf
    sources = np.array(["a"] * 39 + ["b"] * 39)
    assert worst_source(np.concatenate([scores, scores + 10]), sources, 0.05) == 48


def test_too_few_further_photographs_for_a_threshold_are_refused(
    inputs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "few"
    shutil.copytree(inputs, folder)
    for name in ("0", "1", "2", "3"):
        (folder / "more" / f"{name}.png").unlink()
    (folder / "params.yaml").write_text(
        (inputs / "params.yaml").read_text().replace(str(inputs), str(folder))
    )
    message = user_error(run, folder=folder)
    assert "at least 9 photographs" in message
    assert "found 8" in message


def test_views_have_one_size_and_detail_is_finite_even_without_any() -> None:
    rng = np.random.default_rng(0)
    for size in ((90, 400), (161, 161), (1200, 800)):
        for plan in (TRAINING, SCORING):
            whole = scaled(Image.new("RGB", size, (80, 90, 100)), plan, rng)
            view = finish(cut_patch(whole, rng), plan, rng)
            assert view.shape == (SIDE, SIDE, 3)
            assert np.isfinite(describe(view)).all()


def test_every_remake_changes_the_detail_of_a_photograph() -> None:
    networks = remakes.fit_networks([photograph(k) for k in range(4)], 0)
    square = photograph(5)
    for name in remakes.REMAKES:
        again = remakes.remake(name, square, networks, np.random.default_rng(0))
        before, after = (np.asarray(image, float)[:200, :200] for image in (square, again))
        assert abs(after - before).mean() > 1
