"""Features of CLIP: a space that describes image content, independent of the classifier.

Radford et al., Learning Transferable Visual Models From Natural Language Supervision (ICML 2021),
through open_clip. Twins in this space are the control for those in the model's own: how far does
similarity of content alone follow the model?
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from twincam.files.errors import UserError
from twincam.files.shards import Rows
from twincam.models.embedded import join_rows
from twincam.models.forward import BATCH, batches
from twincam.models.network import device
from twincam.models.weights import not_finite

FOLDER = "folder"


def clip_features(images: Rows, name: str, folder: Path) -> np.ndarray:
    """Return the image embeddings ``[N,D]`` (float32, unit length) of bytes ``[N,S,S,3]``.

    Args:
        images: in memory or memory-mapped.
        name: ``folder``, or model and weights as open_clip names them, ``ViT-B-32/openai`` say,
            which are downloaded once.
        folder: for ``folder``, holds ``open_clip_config.json`` and the weights.

    Raises:
        UserError: open_clip is not installed, model or weights are unavailable, or the features of
            the images are not finite.
    """
    model, prepare = _load(name, folder)

    def found() -> Iterator[tuple[np.ndarray]]:
        for part in batches(len(images), BATCH):
            pixels = torch.stack([prepare(Image.fromarray(image)) for image in images[part]])
            yield (model.encode_image(pixels.to(device()), normalize=True).cpu().numpy(),)

    with torch.no_grad():
        (features,) = join_rows(found(), len(images))
    if not np.isfinite(features).all():
        raise UserError(
            f"explain.clip is {name!r}: its features of the images are not finite, expected "
            "numbers; choose other weights, or set explain.clip=none"
        )
    return features


def _load(name: str, folder: Path) -> tuple[Any, Any]:
    try:
        import open_clip
    except ImportError:
        raise UserError(
            f"explain.clip is {name!r}, and open_clip is not installed; "
            "run `pip install -c constraints.txt open_clip_torch`, or set explain.clip=none"
        ) from None
    model, _, tag = name.partition("/")
    if name == FOLDER:
        model, tag = f"local-dir:{folder}", ""
    try:
        made, _, prepare = open_clip.create_model_and_transforms(
            model, tag or None, device=device(), require_pretrained=True
        )
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"explain.clip is {name!r}: no such model or weights ({reason}); connect to the "
            "network and name model/weights as `open_clip.list_pretrained()` does, or set "
            "explain.clip=folder and explain.clip_folder, or explain.clip=none"
        ) from None
    if tensor := not_finite(made.state_dict()):
        raise UserError(
            f"explain.clip is {name!r}: the weights ({tensor}) are not finite, expected numbers; "
            "choose other weights, or set explain.clip=none"
        )
    return made.eval(), prepare
