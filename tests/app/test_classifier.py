"""A trained classifier works outside the pipeline and as ONNX, with the same figures."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from scipy.special import softmax

from tests.conftest import run_in, user_error
from twincam.app.classifier import Classifier, load_classifier
from twincam.app.export import export_onnx
from twincam.files.shards import read_shards


@pytest.fixture(scope="module")
def classifier(finished: Path) -> Classifier:
    return load_classifier(finished / "models" / "classifier.safetensors")


@pytest.fixture(scope="module")
def prepared(finished: Path, classifier: Classifier) -> tuple[torch.Tensor, pd.DataFrame]:
    predictions = pd.read_csv(finished / "reports" / "predictions.csv")
    root = finished / "data" / "synthetic" / "images"
    return torch.stack([classifier.prepare(root / p) for p in predictions["path"]]), predictions


def test_files_become_the_rows_the_pipeline_prepared(
    finished: Path, prepared: tuple[torch.Tensor, pd.DataFrame]
) -> None:
    images, predictions = prepared
    split = pd.read_csv(finished / "data" / "split.csv")
    rows = [split.index[split["id"] == name][0] for name in predictions["id"]]
    assert (images.numpy() == read_shards(finished / "data" / "prepared" / "images")[rows]).all()


@torch.no_grad()
def test_probabilities_and_maps_are_those_of_the_pipeline(
    finished: Path, classifier: Classifier, prepared: tuple[torch.Tensor, pd.DataFrame]
) -> None:
    images, predictions = prepared
    probabilities, maps = classifier(images)
    split = pd.read_csv(finished / "data" / "split.csv")
    logits = np.load(finished / "data" / "embeddings" / "logits.npy")
    reported = softmax(logits[split["id"].isin(predictions["id"])], axis=1)
    assert np.abs(probabilities.numpy() - reported).max() < 1e-4
    cams = np.load(finished / "data" / "embeddings" / "cams.npy")
    assert np.abs(maps.numpy() - cams).max() < 1e-3 * np.abs(cams).max()


@torch.no_grad()
def test_onnx_gives_the_same_probabilities_and_maps_for_any_number_of_images(
    classifier: Classifier, prepared: tuple[torch.Tensor, pd.DataFrame], tmp_path: Path
) -> None:
    path = tmp_path / "classifier.onnx"
    export_onnx(classifier, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    images, _ = prepared
    for some in (images, images[:1]):
        expected = [tensor.numpy() for tensor in classifier(some)]
        found = session.run(["probabilities", "maps"], {"images": some.numpy()})
        assert np.abs(found[0] - expected[0]).max() < 1e-4
        assert np.abs(found[1] - expected[1]).max() < 1e-3 * np.abs(expected[1]).max()
    about = session.get_modelmeta().custom_metadata_map
    assert tuple(json.loads(about["classes"])) == classifier.classes
    assert json.loads(about["preprocessing"])["image_size"] == images.shape[1]


def test_what_is_no_classifier_and_no_image_ends_in_one_line(
    finished: Path, classifier: Classifier, tmp_path: Path
) -> None:
    other = finished / "models" / "protopnet.safetensors"
    assert "expected a classifier" in user_error(load_classifier, path=other)
    text = tmp_path / "cat.jpg"
    text.write_text("no image")
    assert "not a JPEG" in user_error(classifier.prepare, path=text)


def test_a_registered_version_is_had_from_outside_the_repository(
    pushed: Path, tmp_path: Path
) -> None:
    run_in(pushed, "gto", "register", "classifier", "--version", "v1.0.0")
    run_in(pushed, "gto", "assign", "classifier", "--version", "v1.0.0", "--stage", "prod")
    outside = tmp_path / "outside"
    outside.mkdir()
    for choice in (["--rev", "v1.0.0"], ["--stage", "prod"]):
        got = outside / choice[1]
        run_in(
            outside, "dvc", "artifacts", "get", str(pushed), "classifier", *choice, "-o", str(got)
        )
        file = next(got.rglob("*.safetensors")) if got.is_dir() else got
        assert load_classifier(file).classes == ("fake", "real")
