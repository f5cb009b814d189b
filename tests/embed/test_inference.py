"""The embeddings of each image are those of the network."""

from pathlib import Path

import numpy as np
import pytest
import torch

from stages.embed import inference
from stages.embed.inference import embed
from twincam.determinism import Run
from twincam.models.architectures import HALF
from twincam.models.network import create, normalise
from twincam.models.runtimes import Source
from twincam.statistics.margins import margins

NO_FILES = Source(Path(), Path(), Run(engine="local", threads=1, runtime="auto"))


def test_logits_features_and_maps_of_one_pass_are_consistent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    network = create("resnet18", ("a", "b", "c"), HALF)
    network.module.eval()
    images = np.random.default_rng(0).integers(0, 256, (40, 64, 64, 3), dtype=np.uint8)
    explained = np.arange(40) % 3 == 0
    monkeypatch.setattr(inference, "opened", lambda _source: (network, images))
    logits, features, cams = embed(NO_FILES, explained)
    with torch.no_grad():
        expected = network.module(normalise(network, torch.from_numpy(images))).numpy()
    assert logits == pytest.approx(expected, abs=1e-4)
    weight, bias = (t.detach().numpy() for t in (network.head.weight, network.head.bias))
    assert features @ weight.T + bias == pytest.approx(logits, abs=1e-4)
    assert cams.shape == (14, 2, 2)
    order = np.argsort(-logits[explained], axis=1)
    shift = bias[order[:, 0]] - bias[order[:, 1]]
    assert cams.mean(axis=(1, 2)) + shift == pytest.approx(margins(logits[explained]), abs=1e-4)


def test_no_image_to_explain_gives_no_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    network = create("resnet18", ("a", "b"), HALF)
    network.module.eval()
    images = np.zeros((3, 64, 64, 3), np.uint8)
    monkeypatch.setattr(inference, "opened", lambda _source: (network, images))
    _, _, cams = embed(NO_FILES, np.zeros(3, bool))
    assert cams.shape == (0, 2, 2)
