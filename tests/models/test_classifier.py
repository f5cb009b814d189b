"""What the classifier says of images, in whatever form they come."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import user_error
from tests.fitted import IMAGES, network
from twincam.models.architectures import HALF
from twincam.models.classifier import (
    check_images,
    check_preprocessing,
    read_classifier,
    save_classifier,
)
from twincam.models.forward import BATCH, embed_batch, logits_of
from twincam.models.network import create, normalise, with_head

PREPROCESSING = {"image_size": 64, "harmonise": True, "jpeg_quality": 85}


@pytest.mark.parametrize("count", [0, 1, BATCH + 1])
def test_logits_are_those_of_the_whole_network(tmp_path: Path, count: int) -> None:
    torch.manual_seed(0)
    network = create("resnet18", ("a", "b", "c"), HALF)
    network.module.eval()
    images = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    found = logits_of(network, images)
    assert found.shape == (count, 3)
    assert found.dtype == np.float32
    if count:
        with torch.no_grad():
            pixels = torch.from_numpy(images)
            expected = network.module(normalise(network, pixels)).cpu().numpy()
        assert found == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    "images",
    [
        IMAGES.astype(np.float32) / 255,
        IMAGES.astype(np.int64),
        IMAGES[..., 0],
        IMAGES[..., :1],
        IMAGES.transpose(0, 3, 1, 2),
        IMAGES[0],
    ],
)
def test_what_are_no_images_are_refused(images: np.ndarray) -> None:
    message = user_error(embed_batch, network=network(), images=images)
    assert "expected images as bytes (uint8) [N,H,W,3]" in message
    assert str(list(images.shape)) in message


def test_images_of_another_size_do_not_belong_to_a_classifier(tmp_path: Path) -> None:
    save_classifier(tmp_path / "model", network(), PREPROCESSING)
    check_images(tmp_path / "model", IMAGES)
    for images in (IMAGES[:, :32, :32], IMAGES[:, :, :32], IMAGES[..., 0], IMAGES[0, 0, 0]):
        message = user_error(check_images, path=tmp_path / "model", images=images)
        assert "trained on images [N,64,64,3]" in message


@pytest.mark.parametrize("change", [{"image_size": 96}, {"harmonise": False}, {"jpeg_quality": 9}])
def test_images_prepared_otherwise_do_not_belong_to_a_classifier(
    tmp_path: Path, change: dict[str, int]
) -> None:
    save_classifier(tmp_path / "model", network(), PREPROCESSING)
    check_preprocessing(tmp_path / "model", PREPROCESSING)
    message = user_error(
        check_preprocessing, path=tmp_path / "model", preprocessing={**PREPROCESSING, **change}
    )
    assert f"prepared with {next(iter(change))}=" in message


@pytest.mark.parametrize("last_block", [None, 5])
def test_a_head_over_several_levels_is_kept_as_it_is(
    tmp_path: Path, last_block: int | None
) -> None:
    made = with_head(create("efficientnet_lite0", ("a", "b"), HALF), last_block, 3)
    assert made.levels == (2, 4, last_block or 7)
    made.module.eval()
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    found = embed_batch(made, images)
    assert [level.shape[-1] for level in found.maps] == [8, 4, 2]
    means = np.hstack([level.mean(axis=(2, 3)) for level in found.maps])
    assert found.features == pytest.approx(means, abs=1e-6)
    save_classifier(tmp_path / "model", made, {"image_size": 64})
    again = read_classifier(tmp_path / "model")
    assert again.levels == made.levels
    assert np.array_equal(embed_batch(again, images).logits, found.logits)


def test_a_network_that_ends_in_an_earlier_block_is_kept_as_it_is(tmp_path: Path) -> None:
    whole = create("efficientnet_lite0", ("a", "b"), HALF)
    cut = with_head(whole, 3, 1)
    cut.module.eval()
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    found = embed_batch(cut, images)
    with torch.no_grad():
        maps = whole.blocks[:4](normalise(whole, torch.from_numpy(images)))
    assert np.array_equal(found.maps[0], maps.numpy())
    assert found.features.shape == (2, 80)
    save_classifier(tmp_path / "model", cut, {"image_size": 64})
    again = read_classifier(tmp_path / "model")
    assert len(again.blocks) == 4
    assert np.array_equal(embed_batch(again, images).logits, found.logits)
    assert (tmp_path / "model").stat().st_size < 2_000_000
