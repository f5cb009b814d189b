"""A network's initial weights, checked against its architecture."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from twincam.files.errors import UserError
from twincam.models.architectures import ARCHITECTURES, HALF
from twincam.models.network import Network, create, device, with_head
from twincam.models.params import Model
from twincam.models.state_dicts import Match, matches, tensor_sets


def load_pretrained(network: Network, weights: str, path: Path) -> None:
    """Fill the blocks of ``network`` from ``imagenet``, ``file`` or ``none``; the head stays new.

    Raises:
        UserError: the weights are not available, do not fit the architecture or are not finite.
    """
    if weights == "none":
        return
    sets: Mapping[str, Mapping[str, Tensor]]
    if weights == "imagenet":
        sets, origin = {"": ARCHITECTURES[network.arch].imagenet()}, "model.weights=imagenet"
    else:
        sets, origin = _sets_in(path), str(path)
    own = network.module.state_dict()
    tensors = _choose(sets, network.arch, _without_head(own, network.arch), origin)
    _require_finite(tensors, origin)
    network.module.load_state_dict(own | tensors)


def _sets_in(path: Path) -> dict[str, dict[str, Tensor]]:
    if path.is_file():
        return tensor_sets(path)
    tracked = path.with_name(f"{path.name}.dvc")
    pull = f"run `dvc pull {path}`, " if tracked.is_file() else ""
    raise UserError(
        f"model.weights=file: model.weights_file is {str(path)!r}, expected a state dict "
        "(a file of torch.save or safetensors), found "
        f"{'no file' if path.exists() else 'nothing'} there; {pull}give its path, "
        "or set model.weights=imagenet or none"
    )


def _without_head(state: Mapping[str, Tensor], arch: str) -> dict[str, Tensor]:
    head = f"{ARCHITECTURES[arch].HEAD}."
    return {name: tensor for name, tensor in state.items() if not name.startswith(head)}


def _choose(
    sets: Mapping[str, Mapping[str, Tensor]], arch: str, own: Mapping[str, Tensor], origin: str
) -> dict[str, Tensor]:
    """Return the tensors of ``sets`` that fill ``own``, under its names.

    Raises:
        UserError: none do, or several that differ.
    """
    found = matches(sets, own)
    fitting = [match for match in found if match.fits()]
    if not fitting:
        count = sum(map(len, sets.values()))
        some = next(name for tensors in sets.values() for name in tensors)
        what = found[0].describe() if found else f"{count} tensors with other names (first: {some})"
        raise UserError(f"{origin}: not the weights of {arch}: {what}; {_advice(sets, arch)}")
    first, *others = fitting
    for other in others:
        both = first.tensors.keys() & other.tensors.keys()
        if any(not torch.equal(first.tensors[name], other.tensors[name]) for name in both):
            raise UserError(
                f"{origin}: expected one set of weights of {arch}, got several that differ "
                f"({_place(first)} and {_place(other)}); save the one you need in a file of its own"
            )
    return first.tensors


def _place(match: Match) -> str:
    return match.place or "names without a prefix"


def _advice(sets: Mapping[str, Mapping[str, Tensor]], arch: str) -> str:
    for name, architecture in ARCHITECTURES.items():
        if name != arch:
            own = _without_head(architecture.build().state_dict(), name)
            if any(match.fits() for match in matches(sets, own)):
                return f"these are weights of {name}: set model.arch={name}"
    return f"give weights of {arch}, set model.arch to match, or model.weights=imagenet or none"


def load_weights(network: Network, state: Mapping[str, Tensor], origin: str) -> None:
    """Copy ``state``, all tensors of ``network`` and no others, into it.

    Raises:
        UserError: a tensor is missing, unknown, of another shape or not finite; the message begins
            with ``origin``.
    """
    own = network.module.state_dict()
    wrong = sorted(
        (own.keys() ^ state.keys())
        | {name for name in own.keys() & state.keys() if own[name].shape != state[name].shape}
    )
    if wrong:
        raise UserError(
            f"{origin}: not the weights of {network.arch}: {len(wrong)} of {len(own)} tensors "
            f"missing, unknown or of another shape (first: {wrong[0]}); set model.arch to match"
        )
    _require_finite(state, origin)
    network.module.load_state_dict(dict(state))


def _require_finite(state: Mapping[str, Tensor], origin: str) -> None:
    if name := not_finite(state):
        raise UserError(
            f"{origin}: {name} is not finite, expected numbers: weights of a "
            "diverged training, or too large for their type; give others or train again"
        )


def not_finite(state: Mapping[str, Tensor]) -> str | None:
    """Return the name of the first tensor of ``state`` that holds NaN or infinity, if any does."""
    return next((name for name, t in state.items() if not torch.isfinite(t).all()), None)


def initial_network(model: Model, weights_file: Path, classes: Sequence[str]) -> Network:
    """Return the network before training, on the device that `device` chooses.

    Raises:
        UserError: the weights are not available or do not fit.
    """
    normalisation = ARCHITECTURES[model.arch].NORMALISATION
    whole = create(model.arch, classes, HALF if model.normalisation == "half" else normalisation)
    load_pretrained(whole, model.weights, weights_file)
    network = with_head(whole, model.last_block, model.levels)
    network.module.to(device()).to(memory_format=torch.channels_last)
    return network
