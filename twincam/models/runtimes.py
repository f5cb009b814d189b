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
from twincam.models.network import Network, device, device_of

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

OPSET = 18
BATCH_AXIS = "images"
FIXED = 2
"""Numbers of images, for each size, that get a session of their own."""

ANY = 0
"""Stands for the session of any number of images."""


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
        return replace(network, infer=onnx_forward(network.blocks))
    return network


def onnx_forward(module: nn.Module) -> Callable[[Tensor], Tensor]:
    """Return ``module`` as a function of ``[N,3,H,W]`` that onnxruntime runs, on the CPU.

    It is exported when it first gets images of a size, with its weights as they are then. The first
    `FIXED` numbers of images have sessions of their own, which take two thirds of the time of the
    one for any number.
    """
    graphs: dict[torch.Size, bytes] = {}
    sessions: dict[tuple[torch.Size, int], InferenceSession] = {}

    def forward(inputs: Tensor) -> Tensor:
        size, count = inputs.shape[1:], len(inputs)
        if size not in graphs:
            graphs[size] = _graph(module, inputs[:1])
        if (size, count) not in sessions and sum(one == size for one, _ in sessions) >= FIXED:
            count = ANY
        if (size, count) not in sessions:
            sessions[size, count] = _session(graphs[size], count)
        given = inputs.detach().cpu().contiguous().numpy()
        (found,) = sessions[size, count].run(None, {"inputs": given})
        return torch.from_numpy(found).to(inputs.device)

    return forward


def _graph(module: nn.Module, example: Tensor) -> bytes:
    """Return ``module`` as ONNX for any number N of images of the size of ``example``."""
    graph = io.BytesIO()
    with warnings.catch_warnings(action="ignore"):
        torch.onnx.export(
            module.eval(),
            (example,),
            graph,  # type: ignore[arg-type]
            input_names=["inputs"],
            dynamic_axes={"inputs": {0: BATCH_AXIS}},
            opset_version=OPSET,
            dynamo=False,
        )
    return graph.getvalue()


def _session(graph: bytes, count: int) -> "InferenceSession":
    """Compile ``graph`` for ``count`` images or `ANY`, and for as many threads as torch has."""
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    if count != ANY:
        options.add_free_dimension_override_by_name(BATCH_AXIS, count)
    return InferenceSession(graph, options, providers=["CPUExecutionProvider"])
