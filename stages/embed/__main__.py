"""Run every image through the classifier once and keep what later stages live on."""

import argparse
from pathlib import Path

from stages.common.artifacts import (
    EVALUATED_SPLITS,
    atomic_folder,
    read_array,
    read_split,
    write_array,
    write_table,
)
from stages.common.backbones import device
from stages.common.classifier import check_images, read_classifier
from stages.common.determinism import make_torch_deterministic
from stages.common.errors import run_stage
from stages.common.params import read_params
from stages.embed.inference import embed
from stages.embed.params import Params


def parser() -> argparse.ArgumentParser:
    """Return the command line of this stage."""
    arguments = argparse.ArgumentParser(prog="stages.embed", description=__doc__)
    for flag in ("params", "images", "split", "model", "embeddings"):
        arguments.add_argument(f"--{flag}", type=Path, required=True)
    return arguments


def main(argv: list[str]) -> None:
    """Run the stage."""
    args = parser().parse_args(argv)
    params = read_params(args.params, Params)
    split = read_split(args.split)
    make_torch_deterministic(0, "embed", threads=params.run.threads)
    images, network = read_array(args.images), read_classifier(args.model)
    check_images(args.model, images)
    network.module.to(device())
    explained = split["split"].isin(EVALUATED_SPLITS).to_numpy()
    logits, features, cams = embed(network, images, explained)
    with atomic_folder(args.embeddings) as folder:
        write_table(folder / "ids.csv", split[["id", "split"]])
        write_array(folder / "logits.npy", logits)
        write_array(folder / "features.npy", features)
        write_array(folder / "cams.npy", cams)
        write_array(folder / "head_weight.npy", network.head.weight.detach().cpu().numpy())
        write_array(folder / "head_bias.npy", network.head.bias.detach().cpu().numpy())


if __name__ == "__main__":
    run_stage(main, "embed")
