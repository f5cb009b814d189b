"""State dicts as people save them: found in a file, unwrapped and matched to a network.

The content of a file decides its format, not its name, and no code in it is ever run: objects that
torch's own safe reader refuses (whole pickled modules, for instance) are read as inert stand-ins,
which only hold data.
"""

import pickle
import tarfile
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from twincam.files.errors import UserError

DEPTH = 4
"""Maximum number of nested mappings above a state dict."""

WRAPPERS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
"""Parts of names that come from parallel, compiled and averaged models."""

COUNTERS = ("num_batches_tracked", "total_ops", "total_params")
"""Suffixes of buffers that a forward pass does not use; they may be missing or unexpected."""

REBUILT = {
    "collections.OrderedDict",
    "torch.Size",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
}
"""Callables needed to read a tensor; these are run."""

DATA = {
    "_codecs.encode",
    "builtins.bytearray",
    "builtins.complex",
    "builtins.frozenset",
    "builtins.set",
    "builtins.slice",
    "collections.Counter",
    "collections.defaultdict",
    "datetime.date",
    "datetime.datetime",
    "datetime.timedelta",
    "functools.partial",
    "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy.dtype",
    "pathlib.Path",
    "pathlib.PosixPath",
    "pathlib.PurePosixPath",
    "pathlib.PureWindowsPath",
    "pathlib.WindowsPath",
    "pathlib._local.Path",
    "pathlib._local.PosixPath",
    "pathlib._local.PurePosixPath",
    "pathlib._local.PureWindowsPath",
    "pathlib._local.WindowsPath",
    "torch.device",
    "torch.serialization._get_layout",
}
"""Callables that a file may name as part of its data; replaced by a stand-in.

Python 3.13 keeps the paths in a module of their own.
"""

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
"""First bytes of the small text that Git LFS leaves in place of a file."""

PACKED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf": "7-Zip",
}
"""Compression programs, by the first bytes of their files."""


class WouldRunError(Exception):
    """A pickle asks to call something that is not data; the message is its name."""


class _Inert(type):
    def __call__(cls, *_args: object, **_options: object) -> Any:
        name = cls.__name__
        if name not in DATA and not name.startswith(("torch._utils._rebuild", "torch._tensor._")):
            raise WouldRunError(name)
        return dict.__new__(_StandIn)


class _StandIn(dict, metaclass=_Inert):
    """Takes the place of an object of any class; holds its items and ``state``."""

    state: Any = None
    __hash__ = object.__hash__  # type: ignore[assignment]

    def __new__(cls, *_args: object, **_options: object) -> "_StandIn":
        return dict.__new__(cls)

    def __setstate__(self, state: object) -> None:
        self.state = state

    def append(self, item: object) -> None:
        """Ignore items without a key."""

    def extend(self, items: object) -> None:
        """Ignore items without a key."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        full = f"{module.replace('__builtin__', 'builtins')}.{name}"
        if full in REBUILT:
            return super().find_class(module, name)
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        return _Inert(full, (_StandIn,), {})


class _InertPickle:
    """The part of a pickle module that `torch.load` uses."""

    Unpickler = _Unpickler

    @staticmethod
    def load(file: Any, **options: Any) -> Any:
        return _Unpickler(file, **options).load()


def tensor_sets(path: Path) -> dict[str, dict[str, Tensor]]:
    """Return every set of named tensors in a file of torch.save or safetensors, by its place.

    The place is the path of keys, joined by dots; it is empty for a bare state dict.

    Raises:
        UserError: the file is damaged or of another kind, holds no named tensors, or would run
            code.
    """
    found = dict(_sets(_content(path), ""))
    if not found:
        raise UserError(
            f"{path}: expected a state dict, holds no named tensors; save `model.state_dict()`"
        )
    return found


def _content(path: Path) -> Any:
    with path.open("rb") as file:
        head = file.read(len(LFS_POINTER))
    try:
        if other := _other_kind(path, head):
            raise UserError(f"{path}: expected a state dict, got {other}")
        if head[8:9] == b"{":
            return load_file(path)
        return _unpickled(path)
    except WouldRunError as error:
        raise UserError(
            f"{path}: expected a state dict, got a pickle that would run {error} when opened, "
            "so it was not opened; save `model.state_dict()`, and check where the file came from"
        ) from None
    except (UserError, OSError, MemoryError):
        raise
    except SafetensorError:
        kind = "a truncated or damaged safetensors file"
    except Exception:
        begins = head[:4] == b"PK\3\4" or head[:1] == b"\x80"
        kind = "truncated, damaged or of other content" if begins else "a file of another kind"
    raise UserError(
        f"{path}: not readable as a state dict ({kind if head else 'an empty file'}); "
        "save `model.state_dict()` with torch.save or safetensors"
    )


def _other_kind(path: Path, head: bytes) -> str:
    """Return what the file that begins with ``head`` is instead of weights, and what to do.

    Empty if it may hold weights.
    """
    if head == LFS_POINTER:
        return "a Git LFS pointer; run `git lfs pull`"
    if path.suffix == ".dvc":
        weights = path.with_suffix("")
        return f"a DVC file; run `dvc pull {path}` and give {weights}"
    if head[:4] == b"PK\3\4":
        names = zipfile.ZipFile(path).namelist()
        if any(name.endswith("/constants.pkl") for name in names):
            return "a TorchScript archive; save `model.state_dict()` of the model it was made from"
        if not any(name.endswith("data.pkl") for name in names):
            return "a zip archive; unpack it and give the file inside"
    if tarfile.is_tarfile(path):
        return "a tar archive; unpack it and give the file inside"
    packed = (kind for magic, kind in PACKED.items() if head.startswith(magic))
    return next((f"a file packed by {kind}; unpack it, give the result" for kind in packed), "")


def _unpickled(path: Path) -> Any:
    with path.open("rb") as file, warnings.catch_warnings(action="ignore"):
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError:
            file.seek(0)
            return torch.load(
                file, map_location="cpu", pickle_module=_InertPickle, weights_only=False
            )


def _sets(content: Any, place: str, depth: int = 0) -> Iterator[tuple[str, dict[str, Tensor]]]:
    state = content.state if isinstance(content, _StandIn) else None
    if isinstance(state, Mapping) and "_modules" in state:
        yield place, dict(_module_state(state))
        return
    for items in (content, state):
        if isinstance(items, Mapping):
            named = {str(key): value for key, value in items.items()}
            if own := {key: value for key, value in named.items() if isinstance(value, Tensor)}:
                yield place, own
            if depth < DEPTH:
                for key, value in named.items():
                    yield from _sets(value, f"{place}.{key}".lstrip("."), depth + 1)


def _module_state(state: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield the parameters and buffers that a pickled module's state dict would contain."""
    passing = state.get("_non_persistent_buffers_set") or ()
    for kind in ("_parameters", "_buffers"):
        for name, tensor in (state.get(kind) or {}).items():
            if isinstance(tensor, Tensor) and name not in passing:
                yield prefix + name, tensor
    for name, module in state["_modules"].items():
        inner = getattr(module, "state", None)
        if isinstance(inner, Mapping) and "_modules" in inner:
            yield from _module_state(inner, f"{prefix}{name}.")


class Match(NamedTuple):
    """One set of tensors compared with those that a network expects.

    ``tensors`` match, under the network's names and in its types; ``misshapen`` describes those of
    which only the name matches.
    """

    place: str
    tensors: dict[str, Tensor]
    missing: list[str]
    unexpected: list[str]
    misshapen: list[str]

    def fits(self) -> bool:
        """Return whether exactly the network's tensors are given."""
        return not (self.missing or self.unexpected or self.misshapen)

    def describe(self) -> str:
        """Describe what does not match."""
        found = {"missing": self.missing, "unexpected": self.unexpected}
        words = [
            f"{len(names)} tensor{'s' * (len(names) > 1)} {what} (first: {names[0]})"
            for what, names in found.items()
            if names
        ]
        if self.misshapen:
            more = f" and {len(self.misshapen) - 1} more" if len(self.misshapen) > 1 else ""
            words.append(f"{self.misshapen[0]}{more}")
        return ", ".join(words)


def matches(sets: Mapping[str, Mapping[str, Tensor]], own: Mapping[str, Tensor]) -> list[Match]:
    """Compare every set, under every prefix that its names may have, with ``own``; the best match
    first.

    Args:
        sets: of `tensor_sets`.
        own: the tensors that the network expects, by name. Names of a set under other modules
            (another head, for instance) are ignored.
    """
    found = [
        _match(f"{place}.{prefix}".strip("."), _below(names, prefix), own)
        for place, tensors in sets.items()
        for names in [_unwrapped(tensors)]
        for prefix in _prefixes(names, own)
    ]
    return sorted(found, key=lambda match: -len(match.tensors))


def _unwrapped(tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Drop `WRAPPERS` from names, unless two names would coincide."""
    short = {
        ".".join(part for part in name.split(".") if part not in WRAPPERS): tensor
        for name, tensor in tensors.items()
    }
    return short if len(short) == len(tensors) else tensors


def _prefixes(names: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> list[str]:
    """Return, sorted, the prefixes before a name of ``own`` in ``names``."""
    whole = {f".{name}" for name in own}
    found = set()
    for name in names:
        parts = f".{name}".split(".")
        found |= {
            ".".join(parts[1:cut]) + "." * (cut > 1)
            for cut in range(1, len(parts))
            if "." + ".".join(parts[cut:]) in whole
        }
    return sorted(found)


def _below(names: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in names.items() if n.startswith(prefix)}


def _match(place: str, names: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> Match:
    tops = {name.split(".")[0] for name in own}
    counters = {name for name in (*names, *own) if name.endswith(COUNTERS)}
    tensors, misshapen = {}, []
    for name in own.keys() & names.keys():
        given, expected = names[name], own[name]
        if special := _special(given):
            misshapen.append(f"{name} is {special}, expected {_shape(expected)}")
        elif given.shape == expected.shape and (
            given.is_floating_point() or not expected.is_floating_point()
        ):
            tensors[name] = given.to(expected.dtype)
        elif name not in counters:
            misshapen.append(f"{name} is {_shape(given)}, expected {_shape(expected)}")
    return Match(
        place,
        tensors,
        [name for name in own if name not in names and name not in counters],
        [n for n in names if n.split(".")[0] in tops and n not in own and n not in counters],
        sorted(misshapen),
    )


def _special(tensor: Tensor) -> str:
    """Return why ``tensor`` cannot be read like an array; empty if it can."""
    if tensor.is_nested:
        return "a nested tensor"
    if tensor.is_meta:
        return "without data (a tensor on the meta device)"
    return "" if tensor.layout == torch.strided else "sparse"


def _shape(tensor: Tensor) -> str:
    sides = "×".join(map(str, tensor.shape)) or "a number"
    return sides if tensor.is_floating_point() else f"{sides} of {tensor.dtype}"
