"""Imputation against the library of the paper's authors."""

import numpy as np
import pytest
import torch

from stages.faithfulness.imputation import impute
from twincam.explanations.maps import resize_map


def photographs(count: int, size: int) -> torch.Tensor:
    """Return images with the falling spectrum of photographs, of deviation 1."""
    rng = np.random.default_rng(0)
    y, x = np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None]
    spectrum = rng.normal(size=(count, 3, size, size)) + 1j * rng.normal(
        size=(count, 3, size, size)
    )
    images = np.fft.ifft2(spectrum / np.maximum(np.hypot(x, y), 1 / size)).real
    images = (images - images.mean((2, 3), keepdims=True)) / images.std((2, 3), keepdims=True)
    return torch.from_numpy(images.astype(np.float32))


def removed_pixels(count: int, size: int, share: float, cells: int) -> torch.Tensor:
    rng = np.random.default_rng(1)
    heat = np.stack([resize_map(rng.random((cells, cells)), size) for _ in range(count)])
    most = np.quantile(heat, 1 - share, axis=(1, 2), keepdims=True)
    return torch.from_numpy(heat >= most)[:, None]


@pytest.mark.parametrize("size", [64, 75])
@pytest.mark.parametrize("cells", [5, 1000])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_imputation_is_the_librarys_within_a_tenth_of_the_noise(
    size: int, cells: int, share: float
) -> None:
    from pytorch_grad_cam.metrics.road import NoisyLinearImputer

    images, removed = photographs(2, size), removed_pixels(2, size, share, min(cells, size))
    found = impute(images, removed, torch.zeros_like(images))
    exact = NoisyLinearImputer(noise=0)
    for own, image, gone in zip(found, images, removed[:, 0], strict=True):
        expected = exact(image, (~gone).float())
        assert torch.equal(own[:, ~gone], image[:, ~gone])
        assert float((own - expected)[:, gone].square().mean().sqrt()) < 0.001
        assert float((expected - image)[:, gone].square().mean().sqrt()) > 0.05


def test_noise_falls_on_removed_pixels_alone() -> None:
    images, removed = photographs(2, 32), removed_pixels(2, 32, 0.4, 4)
    noise = torch.randn_like(images)
    without, with_noise = (impute(images, removed, one) for one in (0 * noise, noise))
    assert torch.allclose(with_noise - without, noise * removed, atol=1e-5)


def test_each_image_of_a_batch_is_solved_by_itself() -> None:
    images, removed = photographs(3, 48), removed_pixels(3, 48, 0.6, 5)
    noise = torch.zeros_like(images)
    one_by_one = [
        impute(images[i : i + 1], removed[i : i + 1], noise[i : i + 1]) for i in range(len(images))
    ]
    assert torch.allclose(torch.cat(one_by_one), impute(images, removed, noise), atol=1e-5)


def test_nothing_removed_and_a_constant_come_back() -> None:
    images = photographs(1, 32)
    none = torch.zeros((1, 1, 32, 32), dtype=torch.bool)
    assert torch.equal(impute(images, none, torch.zeros_like(images)), images)
    grey, hole = torch.full_like(images, 0.3), removed_pixels(1, 32, 0.9, 4)
    assert torch.allclose(impute(grey, hole, torch.zeros_like(grey)), grey, atol=1e-4)
