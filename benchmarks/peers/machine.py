"""What the machine can do at most, and the share of it that the forward passes reach."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.peers.networks import LAST, network_of
from benchmarks.peers.timing import in_turn
from twincam.determinism import Run
from twincam.models.forward import embed_batch, to_inputs
from twincam.models.runtimes import compiled

SIDE, ROUNDS = 2048, 20


def print_machine(images: np.ndarray, run: Run) -> None:
    """Print GFLOP/s of a float32 matrix product and of both networks' forward passes.

    The best of `ROUNDS` counts, as for any peak. A multiplication and an addition are two
    operations.
    """
    matrix = torch.rand(SIDE, SIDE)
    calls: dict[str, Callable[[], object]] = {
        f"product of two {SIDE} × {SIDE} matrices": partial(torch.mm, matrix, matrix)
    }
    work = dict.fromkeys(calls, 2.0 * SIDE**3)
    for arch in LAST:
        network = network_of(arch)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network.module(to_inputs(network, images))
        for name, one in (("torch", network), ("compiled", compiled(network, run))):
            calls[f"{arch}, {name}"] = partial(embed_batch, one, images)
            work[f"{arch}, {name}"] = counter.get_total_flops()
    times = in_turn(calls, ROUNDS)
    speeds = {name: work[name] / taken.min() / 1e9 for name, taken in times.items()}
    peak = next(iter(speeds.values()))
    print("\n| float32, all threads | GFLOP a call | GFLOP/s | share of the peak |")
    print("|---|---|---|---|")
    for name, speed in speeds.items():
        print(f"| {name} | {work[name] / 1e9:.1f} | {speed:.0f} | {speed / peak:.2f} |", flush=True)
