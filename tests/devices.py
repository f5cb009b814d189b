"""A second device on a machine that has none: PyTorch's ``meta``, given values.

What a CUDA device refuses this one refuses, too: an operation on its tensors and on the CPU's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing

from twincam.models.network import device

SECOND = torch.device("meta")
COPIES = {torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default}
LITERALS = {torch.tensor, torch.as_tensor}
INDEXED = {
    torch.ops.aten.index.Tensor,
    torch.ops.aten.index_put.default,
    torch.ops.aten.index_put_.default,
    torch.ops.aten._index_put_impl_.default,
}
"""These accept indices on the CPU on any device."""


class Elsewhere(Tensor):
    """A tensor on `SECOND`; its values are in ``held``, on the CPU."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> "Elsewhere":
        """Wrap ``held``."""
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            layout=held.layout,
            device=SECOND,
        )
        made.held = held
        return made

    def __repr__(self) -> str:  # type: ignore[override]
        return f"Elsewhere({self.held!r})"

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, operation: Any, _types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return dispatch(operation, args, kwargs or {})


class _Watch(TorchDispatchMode):
    """Make what is asked for on `SECOND`, and watch every operation."""

    def __torch_dispatch__(
        self, operation: Any, _types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return dispatch(operation, args, kwargs or {})


def dispatch(operation: Any, args: Any, kwargs: Any) -> Any:
    """Run an operation on the CPU, and put its result where it belongs.

    Raises:
        RuntimeError: its tensors are on both devices.
    """
    inner_args = _held(args)
    inner_kwargs = {name: _held(value) for name, value in kwargs.items()}
    if kwargs.get("device") is not None:
        away = torch.device(kwargs["device"]) == SECOND
        inner_kwargs["device"] = torch.device("cpu")
    elif operation in COPIES:
        away = isinstance(args[0], Elsewhere)
    else:
        given = list(_tensors((args, *kwargs.values())))
        away = any(isinstance(one, Elsewhere) for one in given)
        _require_one_device(operation, args, given)
    found = operation(*inner_args, **inner_kwargs)
    if not away:
        return found
    if operation._schema.is_mutable:
        return return_and_correct_aliasing(operation, args, kwargs, _wrapped(found))
    return _wrapped(found)


def _tensors(values: Any) -> Iterator[Tensor]:
    """Yield the tensors in nested sequences."""
    for one in values:
        if isinstance(one, Tensor):
            yield one
        elif isinstance(one, tuple | list):
            yield from _tensors(one)


def _held(value: Any) -> Any:
    if isinstance(value, Elsewhere):
        return value.held
    return type(value)(map(_held, value)) if isinstance(value, tuple | list) else value


def _wrapped(found: Any) -> Any:
    if isinstance(found, Tensor):
        return Elsewhere(found)
    return type(found)(map(_wrapped, found)) if isinstance(found, tuple | list) else found


def _require_one_device(operation: Any, args: Any, given: list[Tensor]) -> None:
    """Raise RuntimeError as CUDA does: only numbers and indices may be on the CPU."""
    if operation in INDEXED:
        given = [one for one in (args[0], *args[2:]) if isinstance(one, Tensor)]
        given += [one for one in args[1] if isinstance(one, Elsewhere)]
    devices = {isinstance(one, Elsewhere) for one in given if one.ndim}
    if len(devices) > 1 or (devices == {False} and any(isinstance(o, Elsewhere) for o in given)):
        raise RuntimeError(f"{operation}: expected all tensors to be on the same device")


class _Numbers(TorchFunctionMode):
    """Convert from and to Python's numbers on the CPU, which bypasses the dispatcher."""

    def __torch_function__(
        self, function: Any, _types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        given = dict(kwargs or {})
        if function in LITERALS and given.get("device") is not None:
            where = given.pop("device")
            return function(*args, **given).to(where)
        if function is Tensor.tolist:
            return args[0].cpu().tolist()
        return function(*args, **given)


@contextmanager
def second_device() -> Iterator[torch.device]:
    """Let `twincam.models.network.device` choose `SECOND`, for all who imported it, too."""
    with pytest.MonkeyPatch.context() as patch, _Watch(), _Numbers():
        patch.setattr(device, "__code__", (lambda: torch.device("meta")).__code__)
        yield SECOND
