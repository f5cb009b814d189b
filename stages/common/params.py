"""Read ``params.yaml`` and check it against the model of the stage that asks.

A stage's model names the top-level keys the stage uses; each room keeps its own models, so that a
new key in one block concerns one stage. Keys outside the model are other stages' business; inside
a block every unknown key is refused.
"""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from stages.common.errors import UserError


class Block(BaseModel):
    """Base of every parameter block: immutable, strictly typed, without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


P = TypeVar("P", bound=Block)


def read_params(path: Path, model: type[P]) -> P:
    """Return the part of ``path`` that ``model`` describes.

    Raises:
        UserError: the file is missing or no YAML mapping, or a key is unknown, missing, of the
            wrong type or out of range; the line names the key, the value and what is allowed.
    """
    try:
        document = YAML(typ="safe").load(path)
    except FileNotFoundError:
        raise UserError(f"{path}: not found; run from the project's root") from None
    except MarkedYAMLError as error:
        where = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise UserError(f"{path}, line {where}: not YAML ({error.problem}); mend it") from None
    if not isinstance(document, dict):
        raise UserError(f"{path}: expected a mapping of parameter blocks, got {document!r}")
    try:
        return model.model_validate({k: document[k] for k in model.model_fields if k in document})
    except ValidationError as error:
        raise UserError(f"{path}: {'; '.join(map(_explain, error.errors()))}") from None


def _explain(error: object) -> str:
    assert isinstance(error, dict)
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f"{key} is missing; add it (`git diff` or presets/default.yaml show its place)"
    if error["type"] == "extra_forbidden":
        return f"{key} is not a known parameter; remove it or correct its name"
    if error["type"] == "string_type" and not isinstance(error["input"], list | dict):
        return (
            f"{key} is {error['input']!r}, which YAML does not read as text; allowed: text, in "
            f'quotes where it looks like something else, {key}: "0" say'
        )
    allowed = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return f"{key} is {error['input']!r}; allowed: {allowed}"
