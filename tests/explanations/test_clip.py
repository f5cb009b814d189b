"""CLIP's space: weights from a folder, one line where they are not, unit features."""

import json
import shutil
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.conftest import user_error
from tests.fitted import IMAGES
from twincam.explanations.clip import clip_features

CONFIG = {
    "model_cfg": {
        "embed_dim": 16,
        "vision_cfg": {
            "image_size": 32,
            "layers": 1,
            "width": 32,
            "head_width": 16,
            "patch_size": 16,
        },
        "text_cfg": {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 1, "layers": 1},
    },
    "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("clip")
    (made / "open_clip_config.json").write_text(json.dumps(CONFIG))
    torch.manual_seed(0)
    model = open_clip.create_model(f"local-dir:{made}", load_weights=False)
    save_file(model.state_dict(), made / "open_clip_model.safetensors")
    return made


def test_features_are_those_of_the_weights_in_the_folder(folder: Path) -> None:
    found = clip_features(IMAGES, "folder", folder)
    assert found.shape == (12, 16)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
    assert clip_features(IMAGES[:2], "folder", folder) == pytest.approx(found[:2], abs=1e-5)
    assert len({row.tobytes() for row in found}) == 12


def test_what_is_missing_is_reported_in_one_line(tmp_path: Path) -> None:
    message = user_error(clip_features, images=IMAGES, name="folder", folder=tmp_path)
    assert "explain.clip_folder" in message
    message = user_error(clip_features, images=IMAGES, name="ViT-Z-1/nobody", folder=tmp_path)
    assert "'ViT-Z-1/nobody'" in message


def test_weights_that_are_not_finite_are_refused_by_name(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    weights = load_file(tmp_path / "open_clip_model.safetensors")
    name = sorted(weights)[3]
    weights[name].view(-1)[0] = torch.inf
    save_file(weights, tmp_path / "open_clip_model.safetensors")
    message = user_error(clip_features, images=IMAGES, name="folder", folder=tmp_path)
    assert f"({name}) are not finite" in message
