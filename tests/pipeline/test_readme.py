"""The README shows the pipeline that there is."""

import re

from tests.conftest import ROOT


def test_pictures_and_links_exist() -> None:
    text = (ROOT / "README.md").read_text()
    targets = [name for name in re.findall(r"\]\(([^)]+)\)", text) if "://" not in name]
    assert {"docs/panel.png", "docs/results.md", "MODEL_CARD.md", "LICENSE"} <= set(targets)
    assert [name for name in targets if not (ROOT / name).is_file()] == []
