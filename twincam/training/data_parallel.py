"""One training divided among processes, each of which computes a part of every batch.

All take the steps that one process alone would take: the loss is the mean over the whole batch, its
gradient the sum of the parts' gradients, and batch normalisation uses the mean and variance of the
whole batch. Sums are taken in another order, so results differ by rounding.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

TIMEOUT = timedelta(minutes=30)
"""How long a process waits for another that neither answers nor ends."""

OVER = (0, 2, 3)
"""Images and cells, over which batch normalisation averages ``[N,C,h,w]``."""


class Group(NamedTuple):
    """The ``size`` processes that train together, of which this one is number ``rank``, from 0."""

    rank: int
    size: int


ALONE = Group(0, 1)


@contextmanager
def joined(rank: int, size: int, meeting: str, interface: str) -> Iterator[Group]:
    """Connect this process with the others of its group until the block ends.

    Args:
        rank: its number, from 0.
        size: of the group.
        meeting: ``host:port`` at which number 0 listens.
        interface: of the network that connects them; if empty, torch chooses one.
    """
    os.environ |= {"GLOO_SOCKET_IFNAME": interface, "NCCL_SOCKET_IFNAME": interface}
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, f"tcp://{meeting}", TIMEOUT, size, rank)
    try:
        yield Group(rank, size)
    finally:
        dist.destroy_process_group()


def share(indices: np.ndarray, group: Group) -> np.ndarray:
    """Return the part of ``indices`` that is this process's; it may be empty."""
    return np.array_split(indices, group.size)[group.rank]


def summed(tensor: Tensor, group: Group) -> Tensor:
    """Return the sum of the processes' tensors, without its gradient."""
    if group.size == 1:
        return tensor
    total = tensor.detach().clone()
    dist.all_reduce(total)
    return total


def of_first(content: bytes | None, group: Group) -> bytes | None:
    """Return the ``content`` that process 0 gives."""
    if group.size == 1:
        return content
    held = [content]
    dist.broadcast_object_list(held, src=0)
    return held[0]


def sum_gradients(module: nn.Module, group: Group) -> None:
    """Replace the gradients of ``module`` by the sums over the processes."""
    if group.size == 1:
        return
    gradients = [weight.grad for weight in module.parameters() if weight.grad is not None]
    total = summed(torch.cat([gradient.flatten() for gradient in gradients]), group)
    parts = total.split([gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view(gradient.shape))


def whole_batch_statistics(group: Group) -> AbstractContextManager[object]:
    """Return a context in which batch normalisation in training is that of the whole batch.

    It replaces the function that all modules call, so that they and their state stay as they are.
    torch's own ``SyncBatchNorm`` takes no CPU.
    """
    return nullcontext() if group.size == 1 else _WholeBatchStatistics(group)


class _WholeBatchStatistics(TorchFunctionMode):
    def __init__(self, group: Group) -> None:
        super().__init__()
        self.group = group

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is nn.functional.batch_norm and kwargs["training"]:
            return _batch_norm(self.group, *args, **kwargs)
        return func(*args, **kwargs or {})


def _batch_norm(
    group: Group,
    x: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    *,
    weight: Tensor,
    bias: Tensor,
    training: bool,
    momentum: float,
    eps: float,
) -> Tensor:
    """Normalise this process's part ``x`` ``[n,C,h,w]`` of a batch; update the running statistics.

    Arguments are those of `torch.nn.functional.batch_norm` with ``training`` true.
    """
    mean, variance, count = _statistics(x.detach(), group)
    with torch.no_grad():
        running_mean.lerp_(mean, momentum)
        running_var.lerp_(variance * (count / (count - 1)), momentum)
    normalised: Tensor = _Normalise.apply(x, weight, bias, mean, variance, count, eps, group)
    return normalised


def _statistics(x: Tensor, group: Group) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean and variance ``[C]`` of the channels of all processes' ``x``, and the count.

    The parts' means and variances are combined as by Chan, Golub and LeVeque (1983), so that no
    digits cancel.
    """
    channels = x.shape[1]
    own = x.to(torch.promote_types(x.dtype, torch.float32))
    rows = own.new_zeros(group.size, 2 * channels + 1)
    if len(x):
        variance, mean = torch.var_mean(own, OVER, correction=0)
        rows[group.rank] = torch.cat([mean, variance, mean.new_tensor([x.numel() / channels])])
    means, variances, counts = summed(rows, group).split([channels, channels, 1], 1)
    count = counts.sum()
    weights = counts / count
    mean = (weights * means).sum(0)
    variance = (weights * (variances + (means - mean) ** 2)).sum(0)
    return mean, variance, count


class _Normalise(torch.autograd.Function):
    """Batch normalisation by the statistics of a divided batch.

    The gradients are those of Ioffe and Szegedy, Batch Normalization (ICML 2015), with sums over
    the whole batch; those of weight and bias are this part's.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        mean: Tensor,
        variance: Tensor,
        count: Tensor,
        eps: float,
        group: Group,
    ) -> Tensor:
        ctx.save_for_backward(x, weight, mean, torch.rsqrt(variance + eps), count)
        ctx.group = group
        return nn.functional.batch_norm(x, mean, variance, weight, bias, eps=eps)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, scale, count = ctx.saved_tensors
        mean, factor, scale = (one.view(-1, 1, 1) for one in (mean, weight * scale, scale))
        normalised = (x - mean) * scale
        gradient = gradient.to(mean.dtype)
        of_bias, of_weight = gradient.sum(OVER), (gradient * normalised).sum(OVER)
        means = summed(torch.stack([of_bias, of_weight]), ctx.group) / count
        shift, slope = means[:, :, None, None]
        of_x = factor * (gradient - shift - normalised * slope)
        return of_x.to(x.dtype), of_weight, of_bias, None, None, None, None, None
