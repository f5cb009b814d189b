"""Batch norm with frozen statistics, folded into the convolutions before it: training is cheaper.

With fixed statistics, a convolution and the batch norm after it are one convolution (Jacob et al.:
Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference, CVPR
2018, section 3.2).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights


class Pair(NamedTuple):
    """A convolution without bias, and the batch norm that its output goes to."""

    convolution: nn.Conv2d
    norm: nn.BatchNorm2d


@contextmanager
def folded(module: nn.Module, example: Tensor) -> Iterator[None]:
    """Fold every batch norm of ``module`` that has statistics into the convolution before it.

    Within the ``with`` block, such a norm only does what it does after normalising (its activation,
    if it has one), and the weight and bias of the convolution are what can be trained. Afterwards
    the norm adds that bias and changes nothing else, so the state dict has its usual names.

    Args:
        module: changed in place; in evaluation mode its outputs stay the same within rounding.
        example: an input, which shows what follows which convolution.
    """
    pairs = [pair for pair in convolutions_and_norms(module, example) if has_statistics(pair.norm)]
    rests = [nn.Sequential(*norm.children()) for _, norm in pairs]
    for pair, rest in zip(pairs, rests, strict=True):
        _fold(*pair)
        _replace(module, pair.norm, rest)
    try:
        yield
    finally:
        for pair, rest in zip(pairs, rests, strict=True):
            _replace(module, rest, pair.norm)
            _unfold(*pair)


@torch.no_grad()
def convolutions_and_norms(module: nn.Module, example: Tensor) -> list[Pair]:
    """Return each batch norm whose input, given ``example``, is the output of a convolution."""
    outputs: list[tuple[nn.Conv2d, Tensor]] = []
    pairs: list[Pair] = []

    def remember(layer: nn.Conv2d, _inputs: tuple[Tensor], output: Tensor) -> None:
        outputs.append((layer, output))

    def look_up(layer: nn.BatchNorm2d, inputs: tuple[Tensor]) -> None:
        pairs.extend(Pair(before, layer) for before, output in outputs if output is inputs[0])

    hooks = [
        layer.register_forward_hook(remember)
        for layer in module.modules()
        if isinstance(layer, nn.Conv2d) and layer.bias is None
    ]
    hooks += [
        layer.register_forward_pre_hook(look_up)
        for layer in module.modules()
        if isinstance(layer, nn.BatchNorm2d)
    ]
    module.eval()(example)
    for hook in hooks:
        hook.remove()
    return pairs


def has_statistics(norm: nn.BatchNorm2d) -> bool:
    """Return whether ``norm`` has the mean and variance of some images, not the initial 0 and 1."""
    mean, variance = _statistics(norm)
    return bool(mean.any() or (variance != 1).any())


def _statistics(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    return norm.get_buffer("running_mean"), norm.get_buffer("running_var")


@torch.no_grad()
def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    weight, bias = fuse_conv_bn_weights(
        convolution.weight, None, *_statistics(norm), norm.eps, norm.weight, norm.bias
    )
    convolution.weight.copy_(weight)
    convolution.bias = bias.requires_grad_()


@torch.no_grad()
def _unfold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    mean, variance = _statistics(norm)
    mean.zero_()
    variance.fill_(1 - norm.eps)
    norm.weight.fill_(1)
    norm.bias.copy_(convolution.get_parameter("bias"))
    convolution.bias = None


def _replace(module: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Put ``new`` wherever ``old`` is a part of ``module``."""
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if child is old:
                setattr(parent, name, new)
