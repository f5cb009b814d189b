"""Read ``params.yaml`` and check it against the model of the stage that asks.

A stage's model names the top-level keys the stage uses; each room keeps its own models, so that a
new key in one block concerns one stage. A key that no stage's model has is refused at the top as
inside a block. A file that holds more than one stage's blocks must hold those of all.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

from twincam.files.errors import UserError
from twincam.files.params import Block, P, missing, read_document, unknown, validated


def read_params(path: Path, model: type[P]) -> P:
    """Return the part of ``path`` that ``model`` describes.

    What other stages read is checked, too, so that a wrong value for a late stage is found by the
    first that runs.

    Raises:
        UserError: the file is missing or no YAML mapping, or a key is unknown, missing, of the
            wrong type or out of range; the line names the key, the value and what is allowed.
    """
    document = read_document(path)
    _check_names(path, document, model)
    params = validated(path, document, model)
    for other in models_beside(model):
        used = {name: document[name] for name in other.model_fields if name in document}
        if used.keys() == other.model_fields.keys():
            validated(path, used, other)
    return params


def models_beside(model: type[Block]) -> list[type[Block]]:
    """Return the model of every stage in the package of ``model``, its own included."""
    package = import_module(model.__module__.partition(".")[0])
    folder = Path(str(package.__file__)).parent
    rooms = sorted(file.parent.name for file in folder.glob("*/params.py"))
    return [import_module(f"{package.__name__}.{room}.params").Params for room in rooms]


def _check_names(path: Path, document: dict[str, Any], model: type[Block]) -> None:
    """Raise UserError if a block is unknown, or one is missing from what holds several stages'."""
    known = [name for other in (model, *models_beside(model)) for name in other.model_fields]
    wrong = [unknown(str(name)) for name in document if name not in known]
    if document.keys() & known - model.model_fields.keys():
        absent = [name for name in dict.fromkeys(known) if name not in document]
        wrong += [missing(", ".join(absent))] if absent else []
    if wrong:
        raise UserError(f"{path}: {'; '.join(wrong)}")
