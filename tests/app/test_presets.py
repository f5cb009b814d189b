"""Presets rewrite params.yaml, say what they changed, and every result is valid."""

import shutil
from importlib import import_module
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import ROOT, user_error
from twincam.app.presets import leaves
from twincam.cli import main
from twincam.files.errors import UserError
from twincam.files.params_file import read_params

MODELS = [
    import_module(f"stages.{file.parent.name}.params").Params
    for file in sorted((ROOT / "stages").glob("*/params.py"))
]

NAMES = sorted(path.stem for path in (ROOT / "presets").glob("*.yaml"))


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return Path(shutil.copy(ROOT / "params.yaml", tmp_path / "params.yaml"))


def load(path: Path) -> dict[str, dict[str, object]]:
    return YAML(typ="safe").load(path)


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_is_valid_and_keeps_the_comments(name: str, params: Path) -> None:
    comments = [line.split("#")[1] for line in params.read_text().splitlines() if "#" in line]
    main(["preset", name, "--params", str(params)])
    for model in MODELS:
        read_params(params, model)
    text = params.read_text()
    assert all(comment in text for comment in comments)


def test_the_default_holds_what_any_other_preset_sets_and_nothing_else() -> None:
    held = {
        name: {path for path, _ in leaves(load(ROOT / "presets" / f"{name}.yaml"))}
        for name in NAMES
    }
    assert held.pop("default") == set().union(*held.values())


def test_committed_parameters_are_the_default(params: Path) -> None:
    before = params.read_bytes()
    main(["preset", "default", "--params", str(params)])
    assert params.read_bytes() == before


def test_changes_are_said_and_do_not_pile_up(
    params: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = load(params)
    main(["preset", "study", "--params", str(params)])
    printed = capsys.readouterr().out
    assert "model.arch: efficientnet_lite0 → resnet18" in printed
    assert f"train.learning_rate: {start['train']['learning_rate']} → 0.0001" in printed
    main(["preset", "quick", "--params", str(params)])
    assert load(params)["model"] == start["model"]
    main(["preset", "default", "--params", str(params)])
    assert load(params) == start
    capsys.readouterr()
    main(["preset", "default", "--params", str(params)])
    assert capsys.readouterr().out == "params.yaml already matches default\n"


def test_own_data_stay_chosen(params: Path) -> None:
    yaml = YAML()
    document = yaml.load(params)
    document["data"]["root"] = "data/my cats"
    yaml.dump(document, params)
    main(["preset", "study", "--params", str(params)])
    assert load(params)["data"]["root"] == "data/my cats"


def test_unknown_preset_names_those_there_are(params: Path) -> None:
    with pytest.raises(UserError, match="default, forensics, quick, resnet18, robust, study"):
        main(["preset", "fast", "--params", str(params)])


def test_a_key_that_params_lack_is_named(params: Path) -> None:
    text = params.read_text().replace("  epochs: 12", "  epoks: 18")
    params.write_text(text)
    with pytest.raises(UserError, match=r"train\.epochs is not in"):
        main(["preset", "default", "--params", str(params)])
    assert params.read_text() == text


@pytest.mark.parametrize("text", ["my notes", "- a\n- b\n", "a: [", "model: mine\n", ""])
def test_what_are_no_parameters_stays(text: str, tmp_path: Path) -> None:
    file = tmp_path / "notes.md"
    file.write_text(text)
    user_error(main, argv=["preset", "study", "--params", str(file)])
    assert file.read_text() == text


def test_a_link_to_parameters_stays_a_link(params: Path) -> None:
    link = params.with_name("link.yaml")
    link.symlink_to(params)
    main(["preset", "study", "--params", str(link)])
    assert link.is_symlink()
    assert load(params)["model"]["arch"] == "resnet18"


def test_the_projects_parameters_are_found_from_below(
    params: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = params.parent / "docs" / "figures"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert "expected the project's folder" in user_error(main, argv=["preset", "study"])
    (params.parent / ".dvc").mkdir()
    (params.parent / "dvc.yaml").touch()
    shutil.copytree(ROOT / "presets", params.parent / "presets")
    main(["preset", "study"])
    assert load(params)["model"]["arch"] == "resnet18"
