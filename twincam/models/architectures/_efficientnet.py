"""EfficientNet-Lite0, layer by layer, with the names and the random start of timm's.

The network is that of Tan and Le (EfficientNet, ICML 2019) without squeeze-and-excitation and with
activations from 0 to 6; its blocks are those of Sandler et al. (MobileNetV2, CVPR 2018). It stands
here because loading timm takes longer than loading torch.
"""

import math
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn.functional import pad

STEM, FIRST, LAST, CLASSES = 32, 16, 1280, 1000
"""Channels after the stem, the first block and the last convolution; ImageNet's classes."""

EXPANSION = 6
EPSILON = 0.001


class Stage(NamedTuple):
    """Blocks in a row, of which the first has the stride."""

    channels: int
    blocks: int
    kernel: int
    stride: int


STAGES = (
    Stage(24, blocks=2, kernel=3, stride=2),
    Stage(40, blocks=2, kernel=5, stride=2),
    Stage(80, blocks=3, kernel=3, stride=2),
    Stage(112, blocks=3, kernel=5, stride=1),
    Stage(192, blocks=4, kernel=5, stride=2),
    Stage(320, blocks=1, kernel=3, stride=1),
)


class StridedConv2d(nn.Conv2d):
    """A convolution padded as in TensorFlow: an odd row or column comes last."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return ``[N,D,ceil(H/stride),ceil(W/stride)]`` of ``[N,C,H,W]``."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        sides = [int(side) for side in (inputs.shape[3], inputs.shape[2])]
        missing = [max((math.ceil(x / stride) - 1) * stride + kernel - x, 0) for x in sides]
        sizes = [size for total in missing for size in (total // 2, total - total // 2)]
        return super().forward(pad(inputs, sizes, value=0))


class ClippedNorm(nn.BatchNorm2d):
    """Batch normalisation whose outputs are clipped to 0 to 6, by a layer of their own."""

    def __init__(self, channels: int) -> None:
        """Take ``channels`` C."""
        super().__init__(channels, EPSILON)
        self.clip = nn.ReLU6(inplace=True)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return ``[N,C,H,W]`` of ``[N,C,H,W]``."""
        return self.clip(super().forward(inputs))


class Residual(nn.Sequential):
    """Layers whose inputs are added to their outputs."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return ``[N,C,H,W]`` of ``[N,C,H,W]``."""
        return super().forward(inputs) + inputs


def lite0() -> nn.Sequential:
    """Return the network with random weights, from ``[N,3,H,W]`` to logits ``[N,1000]``."""
    channels = [FIRST, *(stage.channels for stage in STAGES)]
    stem = StridedConv2d(3, STEM, 3, stride=2, bias=False)
    _draw_as_timm_does()
    module = _named(
        nn.Sequential(),
        conv_stem=stem,
        bn1=ClippedNorm(STEM),
        blocks=nn.Sequential(nn.Sequential(_first_block()), *map(_stage, channels, STAGES)),
        conv_head=nn.Conv2d(channels[-1], LAST, 1, bias=False),
        bn2=ClippedNorm(LAST),
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        classifier=nn.Linear(LAST, CLASSES),
    )
    module.apply(_start)
    return module


def _draw_as_timm_does() -> None:
    """Draw the random numbers of the two layers that timm tries out and drops."""
    nn.Conv2d(8, 8, 1)
    nn.Conv2d(8, 8, 1)


def _first_block() -> nn.Sequential:
    """Return the only block that does not expand."""
    return _named(
        nn.Sequential(),
        conv_dw=_depthwise(STEM, 3, stride=1),
        bn1=ClippedNorm(STEM),
        conv_pw=nn.Conv2d(STEM, FIRST, 1, bias=False),
        bn2=nn.BatchNorm2d(FIRST, EPSILON),
    )


def _stage(inputs: int, stage: Stage) -> nn.Sequential:
    """Return the blocks of ``stage`` for ``inputs`` channels."""
    first = _block(nn.Sequential(), inputs, stage, stage.stride)
    others = (_block(Residual(), stage.channels, stage, 1) for _ in range(stage.blocks - 1))
    return nn.Sequential(first, *others)


def _block(empty: nn.Sequential, inputs: int, stage: Stage, stride: int) -> nn.Sequential:
    """Return ``empty`` with the layers of an inverted residual block."""
    wide = inputs * EXPANSION
    return _named(
        empty,
        conv_pw=nn.Conv2d(inputs, wide, 1, bias=False),
        bn1=ClippedNorm(wide),
        conv_dw=_depthwise(wide, stage.kernel, stride),
        bn2=ClippedNorm(wide),
        conv_pwl=nn.Conv2d(wide, stage.channels, 1, bias=False),
        bn3=nn.BatchNorm2d(stage.channels, EPSILON),
    )


def _depthwise(channels: int, kernel: int, stride: int) -> nn.Conv2d:
    kind, padding = (nn.Conv2d, kernel // 2) if stride == 1 else (StridedConv2d, 0)
    return kind(channels, channels, kernel, stride, padding, groups=channels, bias=False)


def _named(empty: nn.Sequential, **layers: nn.Module) -> nn.Sequential:
    """Return ``empty`` with ``layers`` in their order."""
    for name, layer in layers.items():
        empty.add_module(name, layer)
    return empty


def _start(layer: nn.Module) -> None:
    """Draw the weights of ``layer`` as TensorFlow does."""
    if isinstance(layer, nn.Conv2d):
        fan_out = layer.weight.shape[2] * layer.weight.shape[3] * layer.out_channels
        nn.init.normal_(layer.weight, 0, math.sqrt(2 / (fan_out // layer.groups)))
    elif isinstance(layer, nn.Linear):
        span = 1 / math.sqrt(layer.out_features)
        nn.init.uniform_(layer.weight, -span, span)
        nn.init.zeros_(layer.bias)
