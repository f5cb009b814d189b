"""The pack of the stage ``explainer`` as the app's model."""

from pathlib import Path

from twincam.explainer.explaining import (
    Named,
    explain_single,
    networks_in,
    pack_in,
    processors,
)
from twincam.explainer.text import row_of
from twincam.server.answers import Explained, Model

NAME = "picture"
"""Of every picture: the page knows the file's name, the server needs none."""


def open_model(folder: Path) -> Model:
    """Read and compile the pack in ``folder``, as ``models/explainer``.

    Raises:
        UserError: it does not fit; see `twincam.explainer.pack.read_pack`.
    """
    classes = pack_in(folder).settings.classes
    networks_in(folder, processors())

    def explain(content: bytes) -> Explained:
        found = explain_single(Named(NAME, content), folder)
        return Explained(found.record, found.uris(), row_of(found.record))

    return Model(explain, classes)
