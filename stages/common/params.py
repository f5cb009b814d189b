"""Read ``params.yaml`` and check it against the model of the stage that asks.

A stage's model names the top-level keys the stage uses; each room keeps its own models, so that a
new key in one block concerns one stage. A key that no stage's model has is refused at the top as
inside a block. A file that holds more than one stage's blocks must hold those of all.
"""

from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError, YAMLStreamError

from stages.common.artifacts import read_metrics, write_metrics
from stages.common.errors import UserError


class Block(BaseModel):
    """Base of every parameter block: immutable, strictly typed, without unknown keys.

    Raises:
        TypeError: at definition, where a parameter has one of `UNTRACKED` as its name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @classmethod
    def __pydantic_init_subclass__(cls, **_: object) -> None:
        """Refuse names that DVC does not track."""
        if names := UNTRACKED & cls.model_fields.keys():
            raise TypeError(
                f"{cls.__name__}: DVC's run cache does not tell values of {names} apart"
            )


UNTRACKED = {"size", "nfiles"}
"""Names of parameters that DVC leaves out of the run cache's key (treeverse/dvc #10296)."""

RENAMED = {"synthesize.size": "synthesize.image_size", "prepare.size": "prepare.image_size"}
"""Former names of parameters."""

P = TypeVar("P", bound=Block)


def read_params(path: Path, model: type[P]) -> P:
    """Return the part of ``path`` that ``model`` describes.

    What other stages read is checked, too, so that a wrong value for a late stage is found by the
    first that runs.

    Raises:
        UserError: the file is missing or no YAML mapping, or a key is unknown, missing, of the
            wrong type or out of range; the line names the key, the value and what is allowed.
    """
    document = _read(path)
    _check_names(path, document, model)
    params = _validated(path, document, model)
    for other in models_of_stages():
        used = {name: document[name] for name in other.model_fields if name in document}
        if used.keys() == other.model_fields.keys():
            _validated(path, used, other)
    return params


def models_of_stages() -> list[type[Block]]:
    """Return the model of every stage that is there."""
    rooms = sorted(file.parent.name for file in STAGES.glob("*/params.py"))
    return [import_module(f"stages.{room}.params").Params for room in rooms if room != "common"]


STAGES = Path(__file__).parents[1]


def write_settings(file: Path, settings: Block) -> None:
    """Write the settings that a stage's outputs are made with, for `require_settings`."""
    write_metrics(file, settings.model_dump())


def holds_settings(file: Path, settings: Block) -> bool:
    """Say whether ``file`` is there and names just what ``settings`` names, whatever the values."""
    try:
        return file.is_file() and read_metrics(file).keys() == settings.model_dump().keys()
    except UserError:
        return False


def require_settings(file: Path, settings: Block, stage: str) -> None:
    """Check that the outputs beside ``file`` were made with ``settings`` by ``stage``.

    Raises:
        UserError: they were made with others, though nothing else has noticed, or the file is
            damaged.
    """
    made, wanted = read_metrics(file), settings.model_dump()
    if made != wanted:
        names = sorted(name for name in made | wanted if made.get(name) != wanted.get(name))
        found = ", ".join(f"{name}={made.get(name)!r}" for name in names)
        expected = ", ".join(f"{name}={wanted.get(name)!r}" for name in names)
        raise UserError(
            f"{file}: made with {found}, but params.yaml says {expected}; "
            f"run `dvc repro --force {stage}`, then `dvc repro`"
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        document = YAML(typ="safe").load(path)
    except FileNotFoundError:
        raise UserError(f"{path}: not found; run from the project's root") from None
    except MarkedYAMLError as error:
        _refuse_conflict(path)
        where = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise UserError(f"{path}, line {where}: not YAML ({error.problem}); correct it") from None
    except (UnicodeError, YAMLError, YAMLStreamError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: not YAML in UTF-8 ({reason}); save it as UTF-8") from None
    if document is None:
        raise UserError(
            f"{path}: expected a mapping of parameter blocks, it is empty; bring it back with "
            "`git checkout params.yaml`"
        )
    if not isinstance(document, dict):
        raise UserError(f"{path}: expected a mapping of parameter blocks, got {document!r}")
    return document


def _refuse_conflict(path: Path) -> None:
    """Raise UserError if Git left a conflict in ``path``, which is text in UTF-8."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith(("<<<<<<< ", ">>>>>>> ")):
            raise UserError(
                f"{path}, line {number}: expected YAML, got a conflict that Git could not merge; "
                "keep the lines of one side, remove those with <<<<<<<, ======= and >>>>>>>"
            )


def _check_names(path: Path, document: dict[str, Any], model: type[Block]) -> None:
    """Raise UserError if a block is unknown, or one is missing from what holds several stages'."""
    known = [name for other in (model, *models_of_stages()) for name in other.model_fields]
    wrong = [_unknown(str(name)) for name in document if name not in known]
    if document.keys() & known - model.model_fields.keys():
        missing = [name for name in dict.fromkeys(known) if name not in document]
        wrong += [_missing(", ".join(missing))] if missing else []
    if wrong:
        raise UserError(f"{path}: {'; '.join(wrong)}")


def _missing(keys: str) -> str:
    return f"{keys} is missing; add it (`git diff` or presets/default.yaml show its place)"


def _unknown(key: str) -> str:
    cure = f"it is {RENAMED[key]} now" if key in RENAMED else "remove it or correct its name"
    return f"{key} is not a known parameter; {cure}"


PLAIN = {
    "bool_type": "true or false",
    "dict_type": "a block of parameters, indented below it",
    "int_from_float": "a whole number (integer)",
    "int_type": "a whole number (integer)",
    "list_type": "a list, in square brackets",
    "model_type": "a block of parameters, indented below it",
    "string_too_short": "text that is not empty",
    "string_type": "text, a name or a path",
    "too_short": "a list that is not empty",
}
"""What is allowed, by pydantic's type of error, where its own words are not plain."""


def _validated(path: Path, document: dict[str, Any], model: type[P]) -> P:
    try:
        return model.model_validate({k: document[k] for k in model.model_fields if k in document})
    except ValidationError as error:
        raise UserError(f"{path}: {'; '.join(map(_explain, error.errors()))}") from None


def _explain(error: object) -> str:
    assert isinstance(error, dict)
    key = ".".join(str(part) for part in error["loc"])
    said = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    allowed = PLAIN.get(error["type"], said)
    if not key:
        return str(allowed)
    if error["type"] == "missing":
        return _missing(key)
    if error["type"] == "extra_forbidden":
        return _unknown(key)
    if error["input"] is None:
        return f"{key} is empty (null); allowed: {allowed}"
    if error["type"] == "string_type" and not isinstance(error["input"], list | dict):
        return (
            f"{key} is {error['input']!r}, which YAML does not read as text; allowed: text, in "
            f'quotes where it looks like something else, {key}: "0" say'
        )
    return f"{key} is {error['input']!r}; allowed: {allowed}"
