"""Weights as people save them are read where nothing is ambiguous, and refused in one line else."""

import argparse
import gzip
import lzma
import os
import pickle
import re
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import resnet34

from tests.conftest import user_error
from twincam.models.architectures import HALF
from twincam.models.network import create
from twincam.models.weights import load_pretrained

State = dict[str, Tensor]
torch.manual_seed(1)
GIVEN = create("resnet18", ("x", "y"), HALF)
OTHER = create("resnet18", ("x", "y"), HALF)


def state() -> State:
    return dict(GIVEN.module.state_dict())


def under(prefix: str, names: State | None = None) -> State:
    return {prefix + name: tensor for name, tensor in (names or state()).items()}


def without(*parts: str) -> State:
    return {n: t for n, t in state().items() if not any(part in n for part in parts)}


def converted(dtype: torch.dtype) -> State:
    return {n: t.to(dtype) if t.is_floating_point() else t for n, t in state().items()}


def refused(content: object, path: Path, arch: str = "resnet18") -> str:
    torch.save(content, path)
    return user_error(
        load_pretrained, network=create(arch, ("a", "b"), HALF), weights="file", path=path
    )


def require_read(path: Path) -> None:
    network = create("resnet18", ("a", "b", "c"), HALF)
    head = network.head.weight.clone()
    load_pretrained(network, "file", path)
    for ours, theirs in zip(network.blocks.parameters(), GIVEN.blocks.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=2e-2)
    assert torch.equal(network.head.weight, head)


KINDS: dict[str, Callable[[], Any]] = {
    "before batch norm counted": lambda: without("num_batches_tracked"),
    "parallel": lambda: under("module."),
    "compiled": lambda: under("_orig_mod."),
    "several prefixes": lambda: under("model.module._orig_mod.encoder."),
    "backbone with a projector": lambda: {
        **under("backbone."),
        "projector.0.weight": torch.ones(3),
    },
    "a part compiled": lambda: {
        n.replace("layer1.", "layer1._orig_mod."): t for n, t in state().items()
    },
    "nested": lambda: {"epoch": 3, "model_state_dict": state(), "optimizer": {"state": {0: {}}}},
    "averaged beside the same": lambda: {"model": state(), "model_ema": under("module.")},
    "lightning": lambda: {
        "state_dict": under("model."),
        "hyper_parameters": argparse.Namespace(rate=np.float64(1), root=Path("data"), kinds={"a"}),
    },
    "1000 classes": lambda: {**without("fc."), "fc.weight": torch.ones(1000, 512)},
    "head of another name": lambda: {**without("fc."), "head.weight": torch.ones(10, 512)},
    "no head": lambda: without("fc."),
    "counted operations": lambda: {**state(), "layer1.0.total_ops": torch.ones(1)},
    "half precision": lambda: converted(torch.float16),
    "double precision": lambda: converted(torch.float64),
    "a whole module": lambda: GIVEN.module,
    "a wrapped module inside": lambda: {"net": nn.Sequential(GIVEN.module), "epoch": 1},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("zipped", [True, False])
def test_is_read(kind: str, zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(KINDS[kind](), path, _use_new_zipfile_serialization=zipped)
    require_read(path)


def test_a_path_that_python_3_13_pickled_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PosixPath:
        def __reduce__(self) -> tuple[type, tuple[str]]:
            return PosixPath, ("data",)

    PosixPath.__module__, PosixPath.__qualname__ = "pathlib._local", "PosixPath"
    module = ModuleType("pathlib._local")
    module.PosixPath = PosixPath  # type: ignore[attr-defined]
    path = tmp_path / "weights.ckpt"
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "pathlib._local", module)
        torch.save({"state_dict": under("model."), "root": PosixPath()}, path)
    require_read(path)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "w.ckpt", "w.bin", "w.pth.tar", "w"])
@pytest.mark.parametrize("save", [torch.save, save_file])
def test_content_counts_not_the_name(
    name: str, save: Callable[[State, Path], None], tmp_path: Path
) -> None:
    save(state(), tmp_path / name)
    require_read(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda: without("layer4."), ["25 tensors missing", "layer4.0.conv1.weight"]),
        (lambda: under("net.", without("bn1.weight")), ["missing (first: bn1.weight)"]),
        (lambda: resnet34().state_dict(), ["80 tensors unexpected (first: layer1.2.conv1.weight)"]),
        (
            lambda: {**state(), "conv1.weight": torch.ones(64, 1, 7, 7)},
            ["conv1.weight is 64×1×7×7, expected 64×3×7×7"],
        ),
        (
            lambda: {**state(), "conv1.weight": torch.ones(64, 3, 7, 7, dtype=torch.int8)},
            ["conv1.weight is 64×3×7×7 of torch.int8"],
        ),
        (
            create("efficientnet_lite0", ("a", "b"), HALF).module.state_dict,
            ["these are weights of efficientnet_lite0", "model.arch=efficientnet_lite0"],
        ),
        (lambda: {"a.b": torch.ones(2)}, ["1 tensors with other names (first: a.b)"]),
        (
            lambda: {"model": state(), "model_ema": dict(OTHER.module.state_dict())},
            ["several that differ (model and model_ema)"],
        ),
        (
            lambda: {**under("q."), **under("k.", dict(OTHER.module.state_dict()))},
            ["several that differ (k and q)"],
        ),
        (
            lambda: {**state(), "layer2.0.conv1.weight": torch.full((128, 64, 3, 3), np.nan)},
            ["layer2.0.conv1.weight is not finite"],
        ),
        (lambda: [torch.ones(1)], ["holds no named tensors"]),
        (lambda: {"epoch": 3}, ["holds no named tensors"]),
    ],
)
def test_is_refused_with_what_is_the_matter(
    content: Callable[[], object], words: list[str], tmp_path: Path
) -> None:
    message = refused(content(), tmp_path / "weights.pth")
    assert all(word in message for word in words), message


class Wicked:
    def __init__(self, *call: object) -> None:
        self.call = call

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        function, *arguments = self.call
        return function, tuple(arguments)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("call", [os.mkdir, os.system, eval, getattr])
def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(
    zipped: bool, call: object, tmp_path: Path
) -> None:
    made = tmp_path / "made"
    arguments = {
        os.mkdir: (str(made),),
        os.system: (f"mkdir {made}",),
        eval: (f"__import__('os').mkdir({str(made)!r})",),
        getattr: ("text", "upper"),
    }
    path = tmp_path / "weights.pth"
    content = {"state_dict": state(), "callbacks": Wicked(call, *arguments[call])}  # type: ignore[index]
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    message = user_error(
        load_pretrained, network=create("resnet18", ("a", "b"), HALF), weights="file", path=path
    )
    assert "would run" in message
    assert not made.exists()
    assert "weights_only" not in message
    assert "trusted" not in message


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize(
    "kind", ["empty", "text", "pickle", "cut", "cut legacy", "cut safe", "tar"]
)
def test_files_that_hold_no_weights_are_refused(
    kind: str, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    path, whole = tmp_path / "weights.pth", tmp_path / "whole"
    if kind == "cut safe":
        save_file(state(), whole)
    else:
        torch.save(state(), whole, _use_new_zipfile_serialization=kind != "cut legacy")
    contents = {"empty": b"", "text": b"<html>not found</html>", "pickle": pickle.dumps([1])}
    path.write_bytes(contents.get(kind, cut(whole.read_bytes())))
    if kind == "tar":
        with tarfile.open(path, "w") as archive:
            archive.add(whole, "weights.pth")
    recwarn.clear()
    message = user_error(
        load_pretrained, network=create("resnet18", ("a", "b"), HALF), weights="file", path=path
    )
    assert message.startswith(f"{path}: ")
    assert not any(word in message for word in ("weights_only", "trusted", "PytorchStreamReader"))
    assert not recwarn.list


@pytest.mark.parametrize(
    ("special", "words"),
    [
        (lambda tensor: tensor.to_sparse(), "is sparse"),
        (lambda tensor: tensor[None].to_sparse_csr(), "is sparse"),
        (lambda tensor: tensor.to("meta"), "without data"),
        # torch 2.15 no longer reads these as data.
        (lambda tensor: torch.nested.nested_tensor([tensor, tensor]), "nested|1 tensor missing"),
    ],
)
def test_tensors_that_hold_no_plain_numbers_are_named(
    special: Callable[[Tensor], Tensor], words: str, tmp_path: Path
) -> None:
    name = "layer1.0.bn1.weight"
    message = refused({**state(), name: special(state()[name])}, tmp_path / "weights.pth")
    assert name in message
    assert re.search(words, message)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("w.pth", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
        ("w.pth.dvc", b"outs:\n- md5: 1\n  path: w.pth\n", "dvc pull"),
        ("w.pth", gzip.compress(b"weights", mtime=0), "packed by gzip; unpack it"),
        ("w.pth", lzma.compress(b"weights"), "packed by xz; unpack it"),
    ],
)
def test_what_stands_in_the_place_of_weights_says_the_way_to_them(
    name: str, content: bytes, words: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    network = create("resnet18", ("a", "b"), HALF)
    assert words in user_error(load_pretrained, network=network, weights="file", path=path)


def test_weights_in_a_zip_archive_are_to_be_unpacked(tmp_path: Path) -> None:
    torch.save(state(), tmp_path / "w.pth")
    path = tmp_path / "w.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(tmp_path / "w.pth", "w.pth")
    network = create("resnet18", ("a", "b"), HALF)
    assert "unpack it" in user_error(load_pretrained, network=network, weights="file", path=path)
