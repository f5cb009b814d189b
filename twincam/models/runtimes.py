"""The forward pass of a network that learns nothing more, as fast as the machine allows.

On a CPU, onnxruntime takes about half of torch's time; its outputs differ by rounding only.
"""

import io
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from twincam.determinism import Run, make_torch_deterministic
from twincam.files.shards import Rows, read_shards
from twincam.models.classifier import read_classifier
from twincam.models.network import Network, device, device_of, maps_of
from twincam.models.sessions import ANY, BATCH_AXIS, INPUTS, open_session

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

OPSET = 18
FIXED = 2
"""Numbers of images, for each size, that get a session of their own."""


class Source(NamedTuple):
    """A classifier and the images it runs on, as files that each process opens for itself."""

    model: Path
    images: Path
    run: Run


def opened(source: Source) -> tuple[Network, Rows]:
    """Return the network of ``source``, compiled, and its images, bytes ``[N,S,S,3]`` mapped.

    Raises:
        UserError: a file is not what it should be.
    """
    return loaded(source.model, source.run), read_shards(source.images)


@lru_cache(maxsize=1)
def loaded(path: Path, run: Run) -> Network:
    """Return `read_compiled`, which each process reads once; torch takes ``run.threads`` threads.

    Raises:
        UserError: the file is not a classifier of this program.
    """
    make_torch_deterministic(0, "loaded", threads=run.threads)
    return read_compiled(path, run)


def read_compiled(path: Path, run: Run) -> Network:
    """Read a classifier that is not trained further, onto the GPU if there is one, and compile it.

    Raises:
        UserError: the file is not a classifier of this program.
    """
    network = read_classifier(path)
    network.module.to(device())
    return compiled(network, run)


def compiled(network: Network, run: Run) -> Network:
    """Return ``network`` with the fastest ``infer`` that ``run.runtime`` allows.

    ``auto`` is onnxruntime on a CPU and torch elsewhere.
    """
    on_cpu = device_of(network).type == "cpu"
    if run.runtime == "onnxruntime" or (run.runtime == "auto" and on_cpu):
        return replace(network, infer=onnx_forward(maps_of(network)))
    return network


def onnx_forward(module: nn.Module) -> Callable[[Tensor], tuple[Tensor, ...]]:
    """Return ``module`` as a function of ``[N,3,H,W]`` that onnxruntime runs, on the CPU.

    It returns the outputs of ``module``, which are several tensors.

    It is exported when it first gets images of a size, with its weights as they are then. The first
    `FIXED` numbers of images have sessions of their own, which take two thirds of the time of the
    one for any number.
    """
    graphs: dict[torch.Size, bytes] = {}
    sessions: dict[tuple[torch.Size, int], InferenceSession] = {}

    def forward(inputs: Tensor) -> tuple[Tensor, ...]:
        size, count = inputs.shape[1:], len(inputs)
        if size not in graphs:
            graphs[size] = onnx_graph(module, inputs[:1])
        if (size, count) not in sessions and sum(one == size for one, _ in sessions) >= FIXED:
            count = ANY
        if (size, count) not in sessions:
            sessions[size, count] = open_session(graphs[size], count, torch.get_num_threads())
        given = inputs.detach().cpu().contiguous().numpy()
        found = sessions[size, count].run(None, {INPUTS: given})
        return tuple(torch.from_numpy(one).to(inputs.device) for one in found)

    return forward


def onnx_graph(module: nn.Module, example: Tensor) -> bytes:
    """Return ``module`` as ONNX for any number N of images of the size of ``example``."""
    graph = io.BytesIO()
    with warnings.catch_warnings(action="ignore"):
        torch.onnx.export(
            module.eval(),
            (example,),
            graph,  # type: ignore[arg-type]
            input_names=[INPUTS],
            dynamic_axes={INPUTS: {0: BATCH_AXIS}},
            opset_version=OPSET,
            dynamo=False,
        )
    return graph.getvalue()
