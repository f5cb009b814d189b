"""Noisy linear imputation of removed pixels: Rong et al., ROAD (ICML 2022).

A removed pixel is the mean of its eight neighbours, direct ones with weight 1/6 and diagonal ones
with 1/12; at the border the weights of the existing ones are renormalised. The system is solved for
a whole batch by conjugate gradients preconditioned by a multigrid V-cycle (Briggs, Henson,
McCormick: A Multigrid Tutorial, SIAM 2000), from an initial guess computed on successively finer
grids. The remaining error, in root mean square below 0.0005 for photographs, is far below the
noise.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

NOISE = 0.01
"""Deviation of the noise on imputed pixels, in the units of the network's input."""
ITERATIONS, COARSE_ITERATIONS = 4, 2
DAMPING = 1.1
"""Damping of the Jacobi sweeps: the operator's rough half has eigenvalues between 1/2 and 4/3."""
COARSEST = 4
TINY = 1e-30


class Grid(NamedTuple):
    """Which pixels are missing, 1 or 0, and their weight and step, each ``[B,1,h,w]``.

    ``weight`` is that of all neighbours inside the image, ``step`` Jacobi's; both 0 where a pixel
    is not missing.
    """

    missing: Tensor
    weight: Tensor
    step: Tensor


def impute(images: Tensor, removed: Tensor, noise: Tensor) -> Tensor:
    """Return ``images`` with the removed pixels interpolated from the others.

    Args:
        images: ``[B,C,S,S]``.
        removed: bool ``[B,1,S,S]``; at least one pixel of each image is kept.
        noise: ``[B,C,S,S]``, added to the removed pixels.
    """
    values, grids = [images * ~removed], [_grid(removed)]
    while min(values[-1].shape[-2:]) > COARSEST:
        known = 1 - grids[-1].missing
        share = _halve(known)
        values.append(_halve(values[-1] * known) / share.clamp(min=TINY))
        grids.append(_grid(share == 0))
    guess = values[-1]
    for level in reversed(range(len(grids))):
        fine = values[level]
        guess = torch.where(grids[level].missing > 0, _double(guess, fine), fine)
        guess = _solve(guess, grids[level:], COARSE_ITERATIONS if level else ITERATIONS)
    return torch.where(removed, guess + noise, images)


def _grid(missing: Tensor) -> Grid:
    held = missing.float()
    weight = _neighbours(torch.ones_like(held[:1]))
    return Grid(held, held * weight, held * DAMPING / weight)


def _halve(values: Tensor) -> Tensor:
    return F.avg_pool2d(values, 2, ceil_mode=True)


def _double(values: Tensor, like: Tensor) -> Tensor:
    height, width = like.shape[-2:]
    return F.interpolate(values, scale_factor=2, mode="bilinear")[..., :height, :width]


def _neighbours(values: Tensor) -> Tensor:
    """Return the weighted sum over each pixel's neighbours; pixels beyond the border count as 0."""
    kernel = torch.tensor([[1.0, 2, 1], [2, 0, 2], [1, 2, 1]], device=values.device) / 12
    channels = values.shape[1]
    return F.conv2d(values, kernel.expand(channels, 1, 3, 3), padding=1, groups=channels)


def _pull(values: Tensor, grid: Grid) -> Tensor:
    """Return the weighted excess of each missing pixel's neighbours over it."""
    return torch.addcmul(grid.missing * _neighbours(values), grid.weight, values, value=-1)


def _solve(values: Tensor, grids: list[Grid], iterations: int) -> Tensor:
    """Improve the missing ``values`` by flexible conjugate gradients (Notay, SISC 2000).

    Args:
        values: ``[B,C,h,w]``, a guess where pixels are missing.
        grids: this and every coarser one.
        iterations: each costs a V-cycle.
    """
    residual = _pull(values, grids[0])
    along = better = _v_cycle(residual, grids)
    slope = _dot(residual, better)
    for left in reversed(range(iterations)):
        image = -_pull(along, grids[0])
        length = slope / _dot(along, image).clamp(min=TINY)
        values = torch.addcmul(values, length, along)
        if left:
            before, residual = residual, torch.addcmul(residual, length, image, value=-1)
            better = _v_cycle(residual, grids)
            turn = _dot(residual - before, better) / slope.clamp(min=TINY)
            slope = _dot(residual, better)
            along = torch.addcmul(better, turn, along)
    return values


def _dot(first: Tensor, second: Tensor) -> Tensor:
    return (first * second).sum(dim=(2, 3), keepdim=True)


def _v_cycle(residual: Tensor, grids: list[Grid]) -> Tensor:
    """Return approximately the change of the missing pixels that makes ``residual`` vanish."""
    here, *coarser = grids

    def sweep(change: Tensor) -> Tensor:
        return torch.addcmul(change * (1 - DAMPING), here.step, residual + _neighbours(change))

    change = sweep(here.step * residual)
    if not coarser:
        for _ in range(6):
            change = sweep(change)
        return change
    left = 4 * coarser[0].missing * _halve(residual + _pull(change, here))
    change = change + here.missing * _double(_v_cycle(left, coarser), here.missing)
    return sweep(sweep(change))
