"""Photographs reconstructed by generator-like processing, as substitutes for generated images.

Pairs of a photograph and its reconstruction train a detector on traces, not content (Rajan et
al., On the Effectiveness of Dataset Alignment for Fake Image Detection, 2024). Here no generator's
weights are available: the networks are small and trained on the training photographs only.
"""

from collections.abc import Iterable

import numpy as np
import torch
from PIL import Image, ImageFilter
from scipy.ndimage import uniform_filter
from torch import Tensor, nn

from twincam.determinism import derived_seed, generator
from twincam.forensics.views import KERNELS

REMAKES = ("resampled", "filtered", "autoencoded", "denoised")
STEPS, BATCH, CROP, WIDTH, RATE = 400, 4, 64, 16, 4e-3
NOISE = 0.35
"""Largest standard deviation of the denoiser's training noise, of pixels from -1 to 1."""


def resampled(square: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Shrink to 25-67 % and enlarge again with random kernels, then randomly sharpen."""
    share = rng.uniform(0.25, 0.67)
    small = square.resize((round(square.width * share), round(square.height * share)), _kernel(rng))
    return _sharpened(small.resize(square.size, _kernel(rng, smooth=True)), rng)


def filtered(square: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Remove noise without a network (median, or the guided filter of He et al., 2010)."""
    if rng.random() < 0.4:
        smooth = square.filter(ImageFilter.MedianFilter(3))
    else:
        smooth = _guided(square, int(rng.choice([3, 5, 9])), float(rng.uniform(20, 300)))
    return _sharpened(smooth, rng)


def _kernel(rng: np.random.Generator, smooth: bool = False) -> Image.Resampling:
    return KERNELS[int(rng.integers(int(smooth), len(KERNELS)))]


def _sharpened(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    if rng.random() < 0.5:
        return image
    amount = int(rng.integers(30, 150))
    return image.filter(ImageFilter.UnsharpMask(float(rng.uniform(0.5, 2)), amount, 0))


def _guided(square: Image.Image, size: int, noise: float) -> Image.Image:
    pixels = np.asarray(square, np.float64)
    window = (size, size, 1)
    mean = uniform_filter(pixels, window)
    variance = uniform_filter(pixels**2, window) - mean**2
    slope = variance / (variance + noise)
    smooth = uniform_filter(slope, window) * pixels + uniform_filter(mean - slope * mean, window)
    return Image.fromarray(smooth.round().clip(0, 255).astype(np.uint8))


def _down(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 4, 2, 1), nn.SiLU())


def _up(inputs: int, outputs: int, transposed: bool) -> nn.Module:
    if transposed:
        return nn.Sequential(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1), nn.SiLU())
    return nn.Sequential(
        nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, 3, padding=1), nn.SiLU()
    )


class Autoencoder(nn.Module):
    """Compresses images to a quarter of the side and 12 channels, three of them the mean colour."""

    def __init__(self, transposed: bool) -> None:
        """Build it with random weights; enlarge by transposed convolution or nearest neighbour."""
        super().__init__()
        self.shrink = nn.Sequential(
            _down(3, WIDTH), _down(WIDTH, 2 * WIDTH), nn.Conv2d(2 * WIDTH, 9, 1)
        )
        self.enlarge = nn.Sequential(
            nn.Conv2d(12, 2 * WIDTH, 3, padding=1),
            nn.SiLU(),
            _up(2 * WIDTH, WIDTH, transposed),
            _up(WIDTH, WIDTH, transposed),
            nn.Conv2d(WIDTH, 3, 3, padding=1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return the reconstructed images ``[N,3,H,W]``."""
        colour = nn.functional.avg_pool2d(images, 4)
        code = torch.cat([colour, self.shrink(images)], dim=1)
        coarse = nn.functional.interpolate(colour, scale_factor=4, mode="bilinear")
        return coarse + self.enlarge(code)


class Denoiser(nn.Module):
    """Predicts a clean image from a noisy one and the noise's deviation, at two resolutions."""

    def __init__(self) -> None:
        """Build the layers with random weights."""
        super().__init__()
        self.fine = nn.Sequential(nn.Conv2d(4, WIDTH, 3, padding=1), nn.SiLU())
        self.coarse = nn.Sequential(
            _down(WIDTH, 2 * WIDTH),
            nn.Conv2d(2 * WIDTH, 2 * WIDTH, 3, padding=1),
            nn.SiLU(),
            _up(2 * WIDTH, WIDTH, False),
        )
        self.out = nn.Sequential(
            nn.Conv2d(2 * WIDTH, WIDTH, 3, padding=1), nn.SiLU(), nn.Conv2d(WIDTH, 3, 3, padding=1)
        )

    def forward(self, noisy: Tensor, deviation: Tensor) -> Tensor:
        """Return the clean image ``[N,3,H,W]``; ``deviation`` is ``[N]``."""
        plane = deviation[:, None, None, None].expand(-1, 1, *noisy.shape[2:])
        fine = self.fine(torch.cat([noisy, plane], dim=1))
        return self.out(torch.cat([fine, self.coarse(fine)], dim=1))


class Networks(nn.Module):
    """The networks of one training set: two autoencoders and a denoiser."""

    def __init__(self) -> None:
        """Build the networks with random weights."""
        super().__init__()
        self.autoencoders = nn.ModuleList([Autoencoder(False), Autoencoder(True)])
        self.denoiser = Denoiser()


def fit_networks(photographs: Iterable[Image.Image], seed: int) -> Networks:
    """Train the networks on random crops of photographs, first resized to 256-320 px."""
    torch.manual_seed(derived_seed(seed, "remakes"))
    networks = Networks()
    rng = generator(seed, "remakes")
    small = [
        np.asarray(image.resize(_size(image, int(rng.integers(256, 321))), _kernel(rng)))
        for image in photographs
    ]
    optimizer = torch.optim.Adam(networks.parameters(), lr=RATE)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 + np.cos(np.pi * step / STEPS)) / 2
        clean = _to_tensor(
            np.stack([_crop(small[i], rng) for i in rng.integers(0, len(small), BATCH)])
        )
        loss = sum(_detail_loss(network(clean), clean) for network in networks.autoencoders)
        deviation = torch.from_numpy(rng.uniform(0.01, NOISE, BATCH).astype(np.float32))
        noise = torch.from_numpy(rng.normal(size=tuple(clean.shape)).astype(np.float32))
        noisy = clean + deviation[:, None, None, None] * noise
        loss = loss + _detail_loss(networks.denoiser(noisy, deviation), clean)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return networks.eval()


def _size(image: Image.Image, short: int) -> tuple[int, int]:
    share = short / min(image.size)
    return max(short, round(image.width * share)), max(short, round(image.height * share))


def _crop(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    top, left = (int(rng.integers(0, side - CROP + 1)) for side in pixels.shape[:2])
    return pixels[top : top + CROP, left : left + CROP]


def _to_tensor(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1


def _detail_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """Return the mean absolute error of pixels and of their differences, to preserve detail."""
    error = made - wanted
    rows, columns = error.diff(dim=2), error.diff(dim=3)
    return error.abs().mean() + rows.abs().mean() + columns.abs().mean()


@torch.inference_mode()
def through_network(
    networks: Networks, name: str, square: Image.Image, rng: np.random.Generator
) -> Image.Image:
    """Send a patch through one of the autoencoders, or add noise and remove it in four steps."""
    side = min(square.size) // 8 * 8
    clean = _to_tensor(np.asarray(square.crop((0, 0, side, side)))[None])
    if name == "autoencoded":
        made = networks.autoencoders[int(rng.integers(2))](clean)
    else:
        deviation = float(rng.uniform(0.08, NOISE))
        noise = torch.from_numpy(rng.normal(size=tuple(clean.shape)).astype(np.float32))
        made = noisy = clean + deviation * noise
        for share in (0.5, 0.25, 0.0):
            made = networks.denoiser(noisy, torch.tensor([deviation]))
            noisy = made + share * (noisy - made)
            deviation *= share
    pixels = ((made[0].permute(1, 2, 0).numpy() + 1) * 127.5).round().clip(0, 255)
    return Image.fromarray(pixels.astype(np.uint8))


def remake(
    name: str, square: Image.Image, networks: Networks, rng: np.random.Generator
) -> Image.Image:
    """Reconstruct a patch by the method ``name``, one of `REMAKES`."""
    if name == "resampled":
        return resampled(square, rng)
    if name == "filtered":
        return filtered(square, rng)
    return through_network(networks, name, square, rng)
