"""Everything that runs a network runs it on another device than the CPU, too."""

import shlex
import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from dvc.repo import Repo
from ruamel.yaml import YAML
from torch import nn

from tests.conftest import ROOT
from tests.devices import second_device
from tests.fitted import IMAGES, network
from twincam.app.classifier import load_classifier
from twincam.app.prototypes import load_prototypes
from twincam.explanations.heatmaps import METHODS, heat_maps
from twincam.files.shards import read_shards
from twincam.models.forward import logits_of

STAGES = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
WITH_NETWORK = [name for name, stage in STAGES.items() if "twincam/models" in stage["deps"]]


@pytest.fixture(scope="module")
def own(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a copy of ``finished`` whose stages these tests run again."""
    folder = tmp_path_factory.mktemp("devices") / "project"
    shutil.copytree(finished, folder, symlinks=True)
    yield folder
    shutil.rmtree(folder)


def test_operands_on_two_devices_are_refused() -> None:
    with second_device() as device:
        there = torch.ones(2, device=device)
        assert (there + 1).tolist() == [2, 2]
        with pytest.raises(RuntimeError, match="same device"):
            there + torch.ones(2)
        with pytest.raises(RuntimeError, match="numpy"):
            there.numpy()


@pytest.mark.parametrize("method", METHODS)
def test_heat_maps_are_those_of_the_cpu(method: str) -> None:
    net = network()
    net.module.eval()
    images = IMAGES[:2]
    logits = logits_of(net, images)
    expected = heat_maps(net, images, logits, method, 2)
    with second_device() as device:
        net.module.to(device)
        found = heat_maps(net, images, logits_of(net, images), method, 2)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def exported_on_the_cpu(module: nn.Module, example: torch.Tensor) -> bytes:
    """Stand in for the export to ONNX, whose tracing the faked device cannot follow."""
    tensors = [example, *module.parameters()]
    assert {tensor.device.type for tensor in tensors} == {"cpu"}
    return b"graph"


@pytest.mark.parametrize("stage", WITH_NETWORK)
def test_the_stage_runs(stage: str, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Repo(str(own)) as repo:
        (loaded,) = [found for found in repo.index.stages if found.name == stage]
    arguments = shlex.split(str(loaded.cmd))[3:]
    main = import_module(f"stages.{stage}.__main__")
    monkeypatch.chdir(own)
    monkeypatch.setattr("stages.faithfulness.measures.ROAD_FRACTIONS", (0.5,))
    monkeypatch.setattr("stages.explainer.__main__.onnx_graph", exported_on_the_cpu)
    with second_device():
        main.main(arguments)


def test_the_models_of_the_library_move(own: Path) -> None:
    images = torch.from_numpy(read_shards(own / "data" / "prepared" / "images")[:2])
    for load, file in ((load_classifier, "classifier"), (load_prototypes, "protopnet")):
        model = load(own / "models" / f"{file}.safetensors")
        expected = model(images)
        with second_device() as device:
            found = model.to(device)(images.to(device))
            for one, other in zip(found, expected, strict=True):
                assert one.device == device
                np.testing.assert_allclose(one.detach().cpu(), other.detach(), rtol=1e-5, atol=1e-6)
