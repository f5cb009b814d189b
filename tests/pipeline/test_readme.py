"""The README shows the pipeline that there is."""

from tests.conftest import ROOT


def test_pictures_and_links_exist() -> None:
    text = (ROOT / "README.md").read_text()
    for target in ("docs/panel.png", "docs/results.md", "MODEL_CARD.md", "LICENSE", "params.yaml"):
        assert f"({target})" in text
        assert (ROOT / target).is_file()
