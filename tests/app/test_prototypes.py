"""A trained prototype network works outside the pipeline, with the same figures."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import twincam
from tests.conftest import clone_project, run_in, user_error
from twincam.app.prototypes import Prototypes


@pytest.fixture(scope="module")
def prototypes(finished: Path) -> Prototypes:
    return twincam.load_prototypes(finished / "models" / "protopnet.safetensors")


@pytest.fixture(scope="module")
def prepared(finished: Path, prototypes: Prototypes) -> tuple[torch.Tensor, pd.DataFrame]:
    predictions = pd.read_csv(finished / "reports" / "protopnet_predictions.csv")
    root = finished / "data" / "synthetic" / "images"
    return torch.stack([prototypes.prepare(root / p) for p in predictions["path"]]), predictions


@torch.no_grad()
def test_probabilities_similarities_and_cells_are_those_of_the_pipeline(
    finished: Path, prototypes: Prototypes, prepared: tuple[torch.Tensor, pd.DataFrame]
) -> None:
    images, predictions = prepared
    probabilities, similarities, cells = prototypes(images)
    reported = predictions[[f"p_{name}" for name in prototypes.classes]]
    assert np.abs(probabilities.numpy() - reported.to_numpy()).max() < 1e-4
    measured = finished / "data" / "prototypes"
    expected = np.load(measured / "evaluated_similarity.npy")
    assert np.abs(similarities.numpy() - expected).max() < 1e-5
    assert np.array_equal(cells.numpy(), np.load(measured / "evaluated_cells.npy"))


@torch.no_grad()
def test_contributions_and_bias_add_up_to_the_logit(
    prototypes: Prototypes, prepared: tuple[torch.Tensor, pd.DataFrame]
) -> None:
    probabilities, similarities, _ = prototypes(prepared[0])
    contributions = prototypes.contributions(similarities)
    logits = torch.stack(
        [contributions[:, prototypes.owner == k].sum(dim=1) for k in range(2)], dim=1
    )
    logits += prototypes.bias
    assert torch.allclose(logits.softmax(dim=1), probabilities, atol=1e-6)
    assert (contributions[:, prototypes.weight == 0] == 0).all()


def test_it_says_what_its_prototypes_are(finished: Path, prototypes: Prototypes) -> None:
    table = pd.read_csv(finished / "reports" / "prototypes.csv")
    assert [prototypes.classes[k] for k in prototypes.owner] == table["class"].tolist()
    assert prototypes.weight.tolist() == pytest.approx(table["weight"].tolist(), abs=1e-6)
    assert [source.path for source in prototypes.sources] == table["path"].tolist()
    centres = table[["centre_y", "centre_x"]].to_numpy().tolist()
    assert [list(source.centre) for source in prototypes.sources] == centres
    assert prototypes.field.side == table["receptive_field"][0]
    assert not prototypes.train().training


@torch.no_grad()
def test_the_patch_that_a_prototype_is_matches_it_fully(
    finished: Path, prototypes: Prototypes
) -> None:
    root = finished / "data" / "synthetic" / "images"
    images = torch.stack([prototypes.prepare(root / one.path) for one in prototypes.sources])
    _, similarities, cells = prototypes(images)
    assert similarities.diag().tolist() == pytest.approx([1] * len(images), abs=1e-4)
    _, stride, first, _ = prototypes.field
    for n, source in enumerate(prototypes.sources):
        assert (cells[n, n] * stride + first).tolist() == list(source.centre)


def test_what_is_not_a_prototype_network_and_not_an_image_ends_in_one_line(
    finished: Path, prototypes: Prototypes, tmp_path: Path
) -> None:
    other = finished / "models" / "classifier.safetensors"
    assert "expected a prototype network" in user_error(twincam.load_prototypes, path=other)
    for path, found in ((tmp_path / "absent", "nothing"), (tmp_path, "a folder")):
        message = user_error(twincam.load_prototypes, path=path)
        assert f"{path}: expected a prototype network of this pipeline, found {found}" in message
    text = tmp_path / "cat.jpg"
    text.write_text("no image")
    assert "not a JPEG" in user_error(prototypes.prepare, path=text)


@pytest.mark.parametrize(
    ("images", "came"),
    [
        (torch.zeros(1, 96, 96, 3), "torch.float32"),
        (torch.zeros(1, 3, 96, 96, dtype=torch.uint8), "[1, 3, 96, 96]"),
        (np.zeros((1, 96, 96, 3), np.uint8), "ndarray"),
    ],
)
def test_what_prepare_does_not_give_is_refused(
    prototypes: Prototypes, images: torch.Tensor, came: str
) -> None:
    message = user_error(prototypes, images=images)
    assert "expected bytes (torch.uint8) [N,96,96,3]" in message
    assert came in message


def test_package_installs_and_loads_a_network_where_there_is_no_repository(
    finished: Path, tmp_path: Path
) -> None:
    model = tmp_path / "elsewhere" / "model.safetensors"
    model.parent.mkdir()
    model.write_bytes((finished / "models" / "protopnet.safetensors").read_bytes())
    source, site = clone_project(tmp_path / "source"), tmp_path / "site"
    flags = ["--quiet", "--no-deps", "--no-build-isolation", "--target", str(site)]
    run_in(source, "python", "-m", "pip", "install", *flags, ".")
    code = "import sys, twincam; print(twincam.__file__)\n"
    code += "print(twincam.load_prototypes('model.safetensors').classes)\n"
    code += "print([name for name in sys.modules if name.split('.')[0] == 'stages'])"
    said = run_in(model.parent, "env", f"PYTHONPATH={site}", "python", "-c", code).stdout
    assert said.startswith(str(site))
    assert "('fake', 'real')" in said
    assert said.endswith("[]\n")
