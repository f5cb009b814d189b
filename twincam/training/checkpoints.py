"""The name of a training run: if interrupted, it resumes only from a checkpoint of that name."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch

from twincam.files.params import Block

PACKAGE = Path(__file__).parents[1]
CODE = [file for room in ("models", "training") for file in sorted((PACKAGE / room).glob("*.py"))]
"""What a network's weights depend on besides parameters and inputs."""


def run_key(params: Block, inputs: Sequence[Path]) -> str:
    """Return 16 hexadecimal digits: a hash of parameters, torch's version, code and input files."""
    digest = hashlib.sha256(params.model_dump_json().encode() + torch.__version__.encode())
    for path in (*CODE, *inputs):
        files = [path] if path.is_file() else sorted(path.glob("*"))
        for one in files:
            with one.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
