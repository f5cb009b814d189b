"""Parameter blocks, and a one-line message for every mistake in ``params.yaml``."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from reprlib import Repr
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError, YAMLStreamError

from twincam.files.errors import UserError
from twincam.files.metrics import read_metrics, write_metrics


class Block(BaseModel):
    """Base of every parameter block: immutable, strictly typed, no unknown keys.

    Raises:
        TypeError: at definition, if a parameter has one of the names in `UNTRACKED`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @classmethod
    def __pydantic_init_subclass__(cls, **_: object) -> None:
        """Refuse names that DVC does not track."""
        if names := UNTRACKED & cls.model_fields.keys():
            raise TypeError(f"{cls.__name__}: DVC's run cache ignores parameters called {names}")


def one_of(registry: Iterable[str]) -> BeforeValidator:
    """Return a validator for names from ``registry``, with the message of a ``Literal`` of them.

    For example ``arch: Annotated[str, one_of(ARCHITECTURES)]``.
    """
    names = list(registry)

    def check(value: object) -> object:
        if value not in names:
            *others, last = map(repr, names)
            raise ValueError(f"{', '.join(others)} or {last}" if others else last)
        return value

    return BeforeValidator(check)


def _safe_in_a_shell(path: str) -> str:
    if set(path) & set('"$`\\\n\0'):
        raise ValueError("a path without double quotes, $, ` and backslashes; rename it")
    return path


ShellPath = Annotated[str, AfterValidator(_safe_in_a_shell)]
"""A path that the commands of dvc.yaml name, in double quotes."""

UNTRACKED = {"size", "nfiles"}
"""Names of parameters that DVC omits from the run cache's key (treeverse/dvc #10296)."""

RENAMED = {
    "authentic": "real_class",
    "evaluate.external": "data.external",
    "explain.correct_panels": "panels.correct",
    "forensics.false_alarms": "forensics.target_fpr",
    "holdout": "leave_one_source_out, and its at_most is max_sources",
    "leave_one_source_out.at_most": "leave_one_source_out.max_sources",
    "prepare.size": "prepare.image_size",
    "protopnet.activations_max_gb": "protopnet.activation_cache_gb",
    "protopnet.decisions": "prototypes.decisions",
    "protopnet.guards": "prototypes.on_collapse",
    "protopnet.l1": "prototypes.l1",
    "protopnet.remove": "prototypes.remove",
    "protopnet.ridge": "prototypes.ridge",
    "protopnet.variations": "protopnet.augmentations",
    "synthesize.size": "synthesize.image_size",
    "traces": "forensics, and its false_alarms is target_fpr",
    "train.activations_max_gb": "train.activation_cache_gb",
    "train.variations": "train.augmentations",
}
"""Former names of parameters."""

P = TypeVar("P", bound=Block)


def write_settings(file: Path, settings: Mapping[str, Any]) -> None:
    """Write the settings that a stage's outputs were made with, for `require_settings`."""
    write_metrics(file, settings)


def holds_settings(file: Path, settings: Mapping[str, Any]) -> bool:
    """Return whether ``file`` exists and has the same keys as ``settings``, whatever the values."""
    try:
        return file.is_file() and read_metrics(file).keys() == settings.keys()
    except UserError:
        return False


def require_settings(file: Path, settings: Mapping[str, Any], stage: str) -> None:
    """Check that ``stage`` made the outputs beside ``file`` with ``settings``.

    Raises:
        UserError: it made them with other settings, which DVC did not notice, or ``file`` is
            damaged.
    """
    made, wanted = read_metrics(file), dict(settings)
    if made != wanted:
        names = sorted(name for name in made | wanted if made.get(name) != wanted.get(name))
        found = ", ".join(f"{name}={made.get(name)!r}" for name in names)
        expected = ", ".join(f"{name}={wanted.get(name)!r}" for name in names)
        raise UserError(
            f"{file}: made with {found}, but params.yaml says {expected}; "
            f"run `dvc repro --force {stage}`, then `dvc repro`"
        )


def read_document(path: Path) -> dict[str, Any]:
    """Return the mapping in the YAML file at ``path``; raise UserError if there is none."""
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
    except ValueError as error:  # of a date or a number
        raise UserError(f"{path}: not YAML ({error}); correct it") from None
    if document is None:
        raise UserError(
            f"{path}: expected a mapping of parameter blocks, but it is empty; restore it with "
            "`git checkout params.yaml`"
        )
    if not isinstance(document, dict):
        raise UserError(f"{path}: expected a mapping of parameter blocks, got {_shown(document)}")
    return document


def _shown(value: object) -> str:
    """Return how a value is written, shortened: a few aliases of YAML stand for gigabytes."""
    short = Repr()
    short.maxlevel = 2
    short.maxstring = short.maxother = short.maxlong = 200
    return short.repr(value)


def _refuse_conflict(path: Path) -> None:
    """Raise UserError if ``path``, a text in UTF-8, contains a merge conflict."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith(("<<<<<<< ", ">>>>>>> ")):
            raise UserError(
                f"{path}, line {number}: expected YAML, got a merge conflict of Git; keep the "
                "lines of one side and remove those with <<<<<<<, ======= and >>>>>>>"
            )


def missing(keys: str) -> str:
    """Return the message for missing parameters."""
    return f"{keys} is missing; add it (`git diff params.yaml` shows its place)"


def unknown(key: str) -> str:
    """Return the message for an unknown parameter, with its new name if it was renamed."""
    advice = f"it is now {RENAMED[key]}" if key in RENAMED else "remove it or correct its name"
    return f"{key} is not a known parameter; {advice}"


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
"""What is allowed, by pydantic's type of error, where its own message is too technical."""


def validated(path: Path, document: dict[str, Any], model: type[P]) -> P:
    """Return ``model`` filled from ``document``; raise UserError naming every wrong key."""
    try:
        return model.model_validate({k: document[k] for k in model.model_fields if k in document})
    except ValidationError as error:
        raise UserError(f"{path}: {'; '.join(map(_explain, error.errors()))}") from None


def _explain(error: object) -> str:
    assert isinstance(error, dict)
    key = ".".join(str(part) for part in error["loc"])
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    allowed = PLAIN.get(error["type"], message)
    if not key:
        return str(allowed)
    if error["type"] == "missing":
        return missing(key)
    if error["type"] == "extra_forbidden":
        return unknown(key)
    if error["input"] is None:
        return f"{key} is empty (null); allowed: {allowed}"
    given = _shown(error["input"])
    if error["type"] == "string_type" and not isinstance(error["input"], list | dict):
        return (
            f"{key} is {given}, which YAML does not read as text; allowed: text, in "
            f'quotes if it looks like something else, such as {key}: "0"'
        )
    return f"{key} is {given}; allowed: {allowed}"
