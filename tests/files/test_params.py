"""Every wrong parameter ends in one line that names key, value and what is allowed."""

import re
import sys
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field
from ruamel.yaml import YAML

from stages.split import params as split
from tests.conftest import ROOT, run_in, user_error
from twincam.files.errors import UserError
from twincam.files.params import Block, require_settings, write_settings
from twincam.files.params_file import models_beside, read_params
from twincam.images.params import Prepare


class Inner(Block):
    rate: Annotated[float, Field(gt=0, le=1)]
    kind: Literal["a", "b"]
    count: int


class Params(Block):
    seed: int
    name: str
    inner: Inner


GOOD = "seed: 0\nname: x\ninner: {rate: 1e-4, kind: a, count: 3}\n"


BOMB = "[&a [x,x,x,x,x,x,x,x]"
for name, before in ("ba", "cb", "dc", "ed", "fe", "gf", "hg"):
    BOMB += f", &{name} [{','.join([f'*{before}'] * 8)}]"
BOMB += "]"


def read(tmp_path: Path, text: str) -> Params:
    (tmp_path / "params.yaml").write_text(text)
    return read_params(tmp_path / "params.yaml", Params)


def test_reads_its_blocks(tmp_path: Path) -> None:
    params = read(tmp_path, GOOD)
    assert (params.seed, params.inner.rate, params.inner.kind) == (0, 1e-4, "a")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("rate: 1e-4", "rate: 2"), ["inner.rate is 2", "less than or equal to 1"]),
        (("rate: 1e-4", "rate: fast"), ["inner.rate is 'fast'", "number"]),
        (("kind: a", "kind: c"), ["inner.kind is 'c'", "'a' or 'b'"]),
        (("count: 3", "count: 3.5"), ["inner.count is 3.5", "integer"]),
        (("count: 3", "count: true"), ["inner.count is True", "integer"]),
        (("count: 3", "count: 3, cuont: 4"), ["inner.cuont is not a known parameter"]),
        (("name: x", "name: 0"), ["name is 0", "in quotes", 'name: "0"']),
        (("name: x", "name: 007"), ["name is 7", "in quotes"]),
        (("name: x", "name: true"), ["name is True", "in quotes"]),
        (("name: x", "name: 2024-01-31"), ["name is datetime.date(2024, 1, 31)", "in quotes"]),
        (("name: x", "name: [a]"), ["name is ['a']", "allowed: text"]),
        (("name: x", "name:"), ["name is empty (null)", "a path"]),
        (("inner: {rate: 1e-4, kind: a, count: 3}", "inner: 3"), ["inner is 3", "a block of"]),
        ((", count: 3", ""), ["inner.count is missing"]),
        (("seed: 0\n", ""), ["seed is missing"]),
        ((GOOD, "- a\n"), ["expected a mapping"]),
        ((GOOD, "a: [\n"), ["not YAML"]),
        ((GOOD, "# nothing\n"), ["it is empty", "git checkout"]),
        (("seed: 0\n", "<<<<<<< HEAD\nseed: 0\n=======\nseed: 1\n>>>>>>> b\n"), ["line 1", "Git"]),
        (("seed: 0\n", "seed: 0\nsede: 1\n"), ["sede is not a known parameter"]),
        (("seed: 0\n", "seed: 0\n1: 1\n"), ["1 is not a known parameter"]),
        (("kind: a", f"kind: {BOMB}"), ["inner.kind is [['x', 'x', 'x',", "[...]"]),
        (("kind: a", f"kind: {'[' * 3000 + ']' * 3000}"), ["inner.kind is [[[...]]]"]),
        (("count: 3", f"count: {'9' * 5000}"), ["not YAML (Exceeds the limit"]),
        (("name: x", "name: 2024-13-31"), ["not YAML (month must be in 1..12)"]),
    ],
)
def test_refuses_in_one_line(tmp_path: Path, change: tuple[str, str], words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, GOOD.replace(*change))
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 1000
    assert "params.yaml" in message
    assert all(word in message for word in words), message


@pytest.mark.parametrize("name", ["size", "nfiles"])
def test_names_that_dvc_does_not_track_are_refused(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        type("Silent", (Block,), {"__annotations__": {name: int}})


def test_every_model_is_read_and_none_has_such_a_name() -> None:
    models = models_beside(split.Params)
    names = {model.__module__.split(".")[1] for model in models}
    assert names == {file.parent.name for file in (ROOT / "stages").glob("*/params.py")}
    document = YAML(typ="safe").load(ROOT / "params.yaml")
    assert all(
        model.model_fields.keys() <= document.keys() for model in models_beside(split.Params)
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("prototypes.l1", -1),
        ("explain.space", "pixels"),
        ("faithfulness.images", "all"),
        ("protopnet.after_block", 8),
        ("explain.layer", 8),
        ("train.unfreeze_from", 9),
        ("model.last_block", 8),
        ("model.levels", 6),
        ("train.method", "probe"),
        ("model.arch", "vgg16"),
        ("model.arch", 18),
        ("model.arch", ["resnet18"]),
    ],
)
def test_the_first_stage_finds_a_wrong_value_for_a_late_one(
    tmp_path: Path, change: str, words: object
) -> None:
    document = YAML(typ="safe").load(ROOT / "params.yaml")
    block, key = change.split(".")
    document[block][key] = words
    YAML().dump(document, tmp_path / "params.yaml")
    with pytest.raises(UserError, match=re.escape(f"{change} is {words!r}; allowed")):
        read_params(tmp_path / "params.yaml", split.Params)


@pytest.mark.parametrize(
    ("change", "value", "allowed"),
    [
        ("model.arch", "vgg16", "'efficientnet_lite0'"),
        ("train.augmentations", ["flip", "sepia"], "'flip', 'crop', 'compress'"),
        ("train.unfreeze_from", 9, "0 (train everything) to 8 (train the head alone) for model"),
        ("explain.layer", 8, "null or 0 to 7 for model.arch=efficientnet_lite0"),
        ("protopnet.after_block", 8, "0 to 7 for model.arch=efficientnet_lite0"),
        ("model.last_block", 8, "null (the architecture's last) or 0 to 7 for model.arch="),
        ("model.levels", 6, "1 to 5 for model.arch=efficientnet_lite0"),
        ("model.levels", 4, "0 to 2, as the head reads block 1 (model.levels=4)"),
        ("model.last_block", 2, "0 to 2 for model.arch=efficientnet_lite0, model.last_block=2"),
        ("train.workers", 2, "1, or more with run.engine=ray and train.method=fine_tune"),
    ],
)
def test_what_the_network_and_the_registries_allow_is_listed(
    tmp_path: Path, change: str, value: object, allowed: str
) -> None:
    document = YAML(typ="safe").load(ROOT / "params.yaml")
    document["model"]["levels"] = 1
    block, key = change.split(".")
    document[block][key] = value
    YAML().dump(document, tmp_path / "params.yaml")
    message = user_error(read_params, path=tmp_path / "params.yaml", model=split.Params)
    assert f"{change}" in message
    assert f"allowed: {allowed}" in message


@pytest.mark.parametrize(
    ("was", "now", "words"),
    [
        ("protopnet", None, ["protopnet is missing"]),
        ("protopnet", "protopnets", ["protopnets is not a known", "protopnet is missing"]),
        ("seed", "Seed", ["Seed is not a known", "seed is missing"]),
    ],
)
def test_the_first_stage_finds_a_block_that_is_missing_or_misspelt(
    was: str, now: str | None, words: list[str], tmp_path: Path
) -> None:
    document = YAML(typ="safe").load(ROOT / "params.yaml")
    block = document.pop(was)
    if now:
        document[now] = block
    YAML().dump(document, tmp_path / "params.yaml")
    message = user_error(read_params, path=tmp_path / "params.yaml", model=split.Params)
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("block", "key", "value", "words"),
    [
        ("explain", "methods", [], "a list that is not empty"),
        ("explain", "methods", "knn", "a list, in square brackets"),
        ("prepare", "harmonise", 1, "true or false"),
        ("model", "weights_file", None, "a path"),
    ],
)
def test_what_is_allowed_is_in_plain_words(
    block: str, key: str, value: object, words: str, tmp_path: Path
) -> None:
    document = YAML(typ="safe").load(ROOT / "params.yaml")
    document[block][key] = value
    YAML().dump(document, tmp_path / "params.yaml")
    with pytest.raises(UserError, match=words) as caught:
        read_params(tmp_path / "params.yaml", split.Params)
    assert "valid" not in str(caught.value)


@pytest.mark.parametrize(
    "content", ["seed: 0 # größe".encode("latin-1"), b"seed: \x00", b"\xfe seed: 0"]
)
def test_a_file_that_is_not_utf_8(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "params.yaml").write_bytes(content)
    with pytest.raises(UserError, match="not YAML in UTF-8"):
        read_params(tmp_path / "params.yaml", Params)


def test_a_former_name_is_answered_with_the_new_one(tmp_path: Path) -> None:
    document = YAML(typ="safe").load(ROOT / "params.yaml")
    document["prepare"]["size"] = document["prepare"].pop("image_size")
    YAML().dump(document, tmp_path / "params.yaml")
    with pytest.raises(UserError, match=r"prepare\.size .* it is now prepare\.image_size"):
        read_params(tmp_path / "params.yaml", split.Params)


def test_settings_that_outputs_were_made_with(tmp_path: Path) -> None:
    settings = Prepare(image_size=96, harmonise=True, jpeg_quality=85)
    write_settings(tmp_path / "made.json", settings.model_dump())
    require_settings(tmp_path / "made.json", settings.model_dump(), "prepare")
    other = settings.model_copy(update={"image_size": 128})
    with pytest.raises(UserError, match=r"made with image_size=96, but .* image_size=128; run"):
        require_settings(tmp_path / "made.json", other.model_dump(), "prepare")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not found"):
        read_params(tmp_path / "params.yaml", Params)


def loaded(statement: str, *modules: str) -> list[str]:
    """Return which of ``modules`` a fresh Python has loaded after ``statement``."""
    code = f"import sys\n{statement}\nprint(*(m for m in {modules!r} if m in sys.modules))"
    return run_in(ROOT, sys.executable, "-c", code).stdout.split()


@pytest.mark.parametrize("room", sorted(p.parent.name for p in ROOT.glob("stages/*/params.py")))
def test_a_rooms_parameters_load_no_torch(room: str) -> None:
    heavy = ("torch", "torchvision", "timm")
    assert loaded(f"import stages.{room}.params", *heavy) == []


def test_the_package_alone_loads_no_torch_and_no_room() -> None:
    rooms = sorted(f"twincam.{path.stem}" for path in (ROOT / "twincam").iterdir())
    assert loaded("import twincam", "torch", *rooms) == []
