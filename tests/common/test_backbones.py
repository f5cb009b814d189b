"""Both architectures: taken apart right, filled from every kind of weights."""

from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from stages.common.backbones import (
    ARCHITECTURES,
    HALF,
    IMAGENET,
    Network,
    create,
    load_pretrained,
    normalise,
    pool,
    receptive_field,
)
from stages.common.classifier import read_classifier, save_classifier
from stages.common.errors import UserError


@pytest.fixture(params=sorted(ARCHITECTURES))
def network(request: pytest.FixtureRequest) -> Network:
    torch.manual_seed(0)
    made = create(request.param, ("cat", "dog", "owl"), HALF)
    made.module.eval()
    return made


def test_blocks_and_head_are_the_whole_network(network: Network) -> None:
    inputs = normalise(network, torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8))
    with torch.no_grad():
        apart = network.head(pool(network.blocks(inputs)))
        assert torch.allclose(apart, network.module(inputs), atol=1e-5)
    assert apart.shape == (2, 3)


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
    ],
)
def test_receptive_fields(arch: str, after: int, field: tuple[int, int]) -> None:
    assert receptive_field(create(arch, ("a", "b"), HALF).blocks, after) == field


def test_receptive_field_is_what_a_cell_really_sees() -> None:
    network = create("resnet18", ("a", "b"), HALF)
    network.module.eval()
    inputs = torch.randn(1, 3, 224, 224, requires_grad=True)
    network.blocks[:3](inputs)[0, :, 14, 14].sum().backward()
    assert inputs.grad is not None
    touched = inputs.grad.abs().sum(dim=(0, 1)).amax(dim=0).nonzero().flatten()
    field, _ = receptive_field(network.blocks, 2)
    assert field - 8 <= int(touched[-1] - touched[0]) + 1 <= field


def test_lite0_weights_know_imagenet() -> None:
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


def test_imagenet_without_a_network_names_the_ways_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.models import ResNet18_Weights

    def no_network(*_args: object, **_kwargs: object) -> None:
        raise URLError("Name or service not known")

    monkeypatch.setattr(ResNet18_Weights, "get_state_dict", no_network)
    with pytest.raises(UserError) as caught:
        load_pretrained(create("resnet18", ("a", "b"), HALF), "imagenet", Path("data/none"))
    message = str(caught.value)
    assert "\n" not in message
    assert all(way in message for way in ("file", "efficientnet_lite0", "none", "network"))


def test_wrong_weights_files_are_refused_in_one_line(tmp_path: Path) -> None:
    network = create("resnet18", ("a", "b"), HALF)
    with pytest.raises(UserError, match=r"model\.weights_file is"):
        load_pretrained(network, "file", tmp_path / "missing.pth")
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(UserError, match="not readable as a state dict"):
        load_pretrained(network, "file", tmp_path / "text.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(UserError, match="expected a state dict"):
        load_pretrained(network, "file", tmp_path / "list.pth")
    torch.save(state_of(create("efficientnet_lite0", ("a", "b"), HALF)), tmp_path / "lite.pth")
    with pytest.raises(UserError, match=r"not the weights of resnet18.*model\.arch"):
        load_pretrained(network, "file", tmp_path / "lite.pth")


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
