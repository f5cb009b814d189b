"""A prototype network: matches, its file, and what is no such file."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import user_error
from tests.protopnet.tiny import network, pictures, trained
from twincam.explanations.prototypes.matches import best_matches, similarity_maps
from twincam.explanations.prototypes.network_file import (
    Source,
    read_prototype_net,
    save_prototype_net,
)
from twincam.models.classifier import save_classifier
from twincam.models.network import normalise

PREPROCESSING = {"image_size": 64, "harmonise": True, "jpeg_quality": 85}


def test_a_match_is_the_best_cosine_and_its_cell() -> None:
    images, rows = pictures()[0], np.array([3, 5])
    found = best_matches(trained().net, images, rows)
    (maps,) = similarity_maps(trained().net, images, rows)
    assert maps.max() <= 1 + 1e-5
    assert np.array_equal(found.similarity, maps.max(axis=(2, 3)))
    for image, prototype in np.ndindex(*found.similarity.shape):
        y, x = found.cells[image, prototype]
        assert maps[image, prototype, y, x] == found.similarity[image, prototype]


def test_it_normalises_images_as_its_classifier_does() -> None:
    images = torch.from_numpy(pictures()[0])
    assert torch.equal(trained().net.normalise(images), normalise(network(), images))


def test_a_network_comes_back_from_its_file_with_the_same_bits(tmp_path: Path) -> None:
    path, net = tmp_path / "net", trained().net
    sources = [Source(f"a/{n}.png", (n, 2 * n)) for n in range(6)]
    save_prototype_net(path, net, PREPROCESSING, sources)
    found = read_prototype_net(path)
    assert found.preprocessing == PREPROCESSING
    assert list(found.sources) == sources
    assert (found.net.classes, found.net.field) == (("a", "b"), net.field)
    images = torch.from_numpy(pictures()[0][:3])
    with torch.no_grad():
        assert torch.equal(found.net(images), net(images))
    assert found.net.state_dict().keys() == net.state_dict().keys()
    save_prototype_net(tmp_path / "again", found.net, PREPROCESSING, found.sources)
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_what_is_not_a_prototype_network_ends_in_one_line(tmp_path: Path) -> None:
    save_classifier(tmp_path / "classifier", network(), PREPROCESSING)
    (tmp_path / "text").write_text("nothing")
    for name in ("classifier", "text"):
        message = user_error(read_prototype_net, path=tmp_path / name)
        assert "expected a prototype network" in message


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, broken: float) -> None:
    save_prototype_net(tmp_path / "net", trained().net, PREPROCESSING)
    net = read_prototype_net(tmp_path / "net").net
    net.weight[0] = broken
    save_prototype_net(tmp_path / "broken", net, PREPROCESSING)
    assert "weight is not finite" in user_error(read_prototype_net, path=tmp_path / "broken")
