"""What TwinCAM takes beside its peers, in one run.

Used as ``python -m benchmarks.peers [--parts …] [--photographs path] [--project path]``; prints
Markdown. Quantus and OpenVINO take part where they are installed; docs/results/peers.md says how.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch

from benchmarks.peers.deletion import print_deletion
from benchmarks.peers.gradcam import print_gradcam
from benchmarks.peers.machine import print_machine
from benchmarks.peers.pipeline import print_pipeline
from benchmarks.peers.reading import print_reading
from benchmarks.peers.runtimes import print_runtimes
from benchmarks.peers.training import print_training
from stages.train.params import Params
from twincam.determinism import make_torch_deterministic
from twincam.files.params_file import read_params
from twincam.files.shards import read_shards
from twincam.files.tables import EVALUATED_SPLITS, class_names, read_split
from twincam.models.classifier import read_classifier
from twincam.models.forward import BATCH
from twincam.statistics.sampling import sample_balanced

PARTS = ("machine", "runtimes", "gradcam", "deletion", "reading", "training", "pipeline")
TRAINED = 64
"""Images to train on."""


def main() -> None:
    """Print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--photographs", type=Path, help="a folder of JPEGs; reading needs it")
    parser.add_argument("--project", type=Path, default=Path(), help="with a finished run")
    args = parser.parse_args()
    params = read_params(args.project / "params.yaml", Params)
    make_torch_deterministic(0, "peers", threads=params.run.threads)
    split = read_split(args.project / "data/split.csv")
    every = read_shards(args.project / "data/prepared/images")
    images = np.array(every[:BATCH])
    print(f"{params.run.threads} threads, load {os.getloadavg()[0]:.1f} at the start")
    if "machine" in args.parts:
        print_machine(images, params.run)
    if "runtimes" in args.parts:
        network = read_classifier(args.project / "models/classifier.safetensors")
        evaluated = np.flatnonzero(split["split"].isin(EVALUATED_SPLITS))
        print_runtimes(network, every[evaluated], params.run)
    if "gradcam" in args.parts:
        print_gradcam(images, params.run)
    if "deletion" in args.parts:
        print_deletion(images, params.run)
    if "reading" in args.parts and args.photographs:
        print_reading(args.photographs)
    if "training" in args.parts:
        labels = split["label"].map(class_names(split).index).to_numpy()
        rows = sample_balanced(labels, TRAINED, 0, "peers")
        print_training(every[rows], torch.from_numpy(labels[rows]), params)
    if "pipeline" in args.parts:
        print_pipeline(args.project.resolve())


if __name__ == "__main__":
    main()
