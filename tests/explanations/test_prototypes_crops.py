"""Prototypes of crops: a cell sees its crop alone, and all else is as with cells of a block."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from stages.protopnet.training import Trained, fit_prototypes
from tests.protopnet.tiny import LABELS, SETTINGS, examples, network, pictures
from twincam.explanations.prototypes import crops
from twincam.explanations.prototypes.crops import GRID
from twincam.explanations.prototypes.network import PrototypeGraph, PrototypeNet
from twincam.explanations.prototypes.network_file import read_prototype_net, save_prototype_net
from twincam.explanations.prototypes.places import cell_centre, field_box
from twincam.models.network import with_head
from twincam.models.runtimes import onnx_forward

SIZE = 64
PREPROCESSING = {"image_size": SIZE, "harmonise": True, "jpeg_quality": 85}


def crops_net(levels: int = 1) -> PrototypeNet:
    return PrototypeNet(with_head(network(), None, levels), None, 8, 2, SIZE)


@cache
def fitted() -> Trained:
    settings = SETTINGS.model_copy(update={"after_block": None})
    return fit_prototypes(network(), examples(), settings, 0)


@pytest.mark.parametrize("cell", [(0, 0), (2, 2), (1, 4), (4, 4)])
def test_nothing_outside_of_its_box_changes_a_cell(cell: tuple[int, int]) -> None:
    net, image = crops_net(), pictures()[0][:1]
    left, top, right, bottom = field_box(cell_centre(cell, net.field), net.field.side, SIZE)
    other = np.full_like(image, 7)
    other[:, top:bottom, left:right] = image[:, top:bottom, left:right]
    inside = image.copy()
    inside[:, top:bottom, left:right] = 7
    y, x = cell
    with torch.no_grad():
        own, same, changed = (
            net.features(torch.from_numpy(one))[0, :, y, x] for one in (image, other, inside)
        )
    assert torch.allclose(own, same, atol=1e-5)
    assert not torch.allclose(own, changed, atol=1e-2)


@pytest.mark.parametrize("size", [64, 70, 224])
def test_the_crops_cover_the_image_and_lie_inside(size: int) -> None:
    net = PrototypeNet(network(), None, 8, 2, size)
    with torch.no_grad():
        found = net(torch.zeros(2, size, size, 3, dtype=torch.uint8))
    assert found.shape == (2, 4, GRID, GRID)
    side, stride, first, cells = net.field
    assert cells == GRID
    assert first - side // 2 == 0
    assert (cells - 1) * stride + side == size


def test_a_crop_has_the_features_that_the_head_reads() -> None:
    made = with_head(network(), None, 2)
    net = PrototypeNet(made, None, 8, 2, SIZE)
    side, stride, *_ = net.field
    image = torch.from_numpy(pictures()[0][:1])
    with torch.no_grad():
        cell = net.features(image)[0, :, 1, 2]
        rows, columns = slice(stride, stride + side), slice(2 * stride, 2 * stride + side)
        crop = net.normalise(image)[:, :, rows, columns]
        expected = torch.cat([level.mean(dim=(2, 3)) for level in made.infer(crop)], dim=1)[0]
    assert cell.shape == (made.head.in_features,)
    assert torch.allclose(cell, expected, atol=1e-5)


def test_prototypes_of_crops_are_learnt_and_the_classifier_stays() -> None:
    assert (fitted().after.argmax(axis=1) == LABELS).mean() >= 0.9
    before, after = network().blocks.state_dict(), fitted().net.state_dict()
    for name, tensor in before.items():
        assert torch.equal(after[f"trunk.0.maps.blocks.{name}"], tensor), name
    assert len(np.unique(fitted().patches[:, 0])) == len(fitted().net.owner)


def test_the_compiled_classifier_runs_where_no_gradients_are_needed() -> None:
    made, ran = network(), []

    def infer(crops: torch.Tensor) -> tuple[torch.Tensor, ...]:
        ran.append(len(crops))
        return made.infer(crops)

    net = PrototypeNet(replace(made, infer=infer), None, 8, 2, SIZE)
    images = torch.from_numpy(pictures()[0][:3])
    ran.clear()
    assert net(images).requires_grad
    assert not ran
    with torch.no_grad():
        net(images)
    assert ran == [3 * GRID * GRID]


def test_few_crops_at_a_time_have_the_same_features(monkeypatch: pytest.MonkeyPatch) -> None:
    net, images = crops_net(), torch.from_numpy(pictures()[0][:3])
    with torch.no_grad():
        expected = net.features(images)
        monkeypatch.setattr(crops, "TOGETHER", 7)
        assert torch.allclose(net.features(images), expected, atol=1e-5)


@pytest.mark.parametrize("levels", [1, 2])
def test_the_network_comes_back_from_its_file(levels: int, tmp_path: Path) -> None:
    net = crops_net(levels)
    save_prototype_net(tmp_path / "net", net, PREPROCESSING)
    found = read_prototype_net(tmp_path / "net").net
    images = torch.from_numpy(pictures()[0][:3])
    with torch.no_grad():
        assert torch.equal(found(images), net(images))
    assert found.field == net.field


def test_its_graph_gives_the_same_cosines() -> None:
    net = crops_net(2)
    images = torch.from_numpy(pictures()[0][:3])
    with torch.no_grad():
        (found,) = onnx_forward(PrototypeGraph(net))(net.normalise(images))
        assert torch.allclose(found, net(images), atol=1e-4)
