"""The forward pass of the run's classifier by several runtimes, and how far their results differ.

OpenVINO takes part where it is installed (``pip install openvino``).
"""

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.peers.timing import in_turn, print_times
from twincam.determinism import Run
from twincam.models.forward import embed_batch, logits_of, to_inputs
from twincam.models.network import Network, maps_of
from twincam.models.runtimes import compiled, onnx_graph

ROUNDS = 7


def print_runtimes(network: Network, images: np.ndarray, run: Run) -> None:
    """Print the time of each runtime for a batch, and its logits beside those of torch.

    Args:
        network: in evaluation mode.
        images: bytes ``[B,S,S,3]``.
        run: the threads.
    """
    networks = {"torch": network, "onnxruntime": compiled(network, run)}
    if importlib.util.find_spec("openvino"):
        graph = onnx_graph(maps_of(network), to_inputs(network, images[:1]))
        for name, precision in (("float32", "f32"), ("bfloat16", "bf16")):
            forward = openvino_forward(graph, precision, run.threads)
            networks[f"OpenVINO, {name}"] = replace(network, infer=forward)
    calls = {name: lambda one=one: embed_batch(one, images) for name, one in networks.items()}
    print_times("runtime", in_turn(calls, ROUNDS), "onnxruntime", len(images), "an image")
    exact = logits_of(network, images)
    print("\n| runtime | largest difference of a logit | other predictions |\n|---|---|---|")
    for name, one in networks.items():
        found = logits_of(one, images)
        other = (found.argmax(axis=1) != exact.argmax(axis=1)).sum()
        print(f"| {name} | {np.abs(found - exact).max():.1e} | {other} of {len(images)} |")


def openvino_forward(
    graph: bytes, precision: str, threads: int
) -> Callable[[Tensor], tuple[Tensor, ...]]:
    """Return an ONNX graph as a function that OpenVINO runs, as `twincam.models` does its own."""
    import openvino  # noqa: PLC0415

    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads}

    @cache
    def model_of(shape: torch.Size) -> Any:
        model = core.read_model(graph, b"")
        model.reshape(list(shape))
        return core.compile_model(model, "CPU", settings)

    def forward(inputs: Tensor) -> tuple[Tensor, ...]:
        found = model_of(inputs.shape)(inputs.numpy())
        return tuple(torch.from_numpy(one.copy()) for one in found.values())

    return forward
