"""The app says of a picture what `twincam.explain` says."""

from pathlib import Path

import twincam
from tests.conftest import user_error
from twincam.explainer.text import COLUMNS
from twincam.server.models import open_model


def test_the_app_explains_as_the_library_does(finished: Path) -> None:
    folder = finished / "models/explainer"
    photo = sorted((finished / "data/synthetic/images/real").iterdir())[0]
    model = open_model(folder)
    found = model.explain(photo.read_bytes())
    expected = twincam.explain(photo.read_bytes(), folder)
    assert found.record == expected.record
    assert found.images == expected.uris()
    assert set(COLUMNS) <= set(found.row)
    assert list(model.classes) == ["fake", "real"]


def test_what_is_no_pack_is_one_line(tmp_path: Path) -> None:
    assert str(tmp_path) in user_error(open_model, folder=tmp_path)
