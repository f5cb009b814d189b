"""Pages and Markdown show names unchanged."""

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from twincam.pages.rendering import markdown_text, picture_uri, render
from twincam.sharing.experiments import markdown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("broken_whiskers-2.png", "broken_whiskers-2.png"),
        ("a|b", r"a\|b"),
        ("a\nb", "a b"),
        ("<b>", r"\<b>"),
        ("a\\|b", r"a\\\|b"),
        ("$x$ *y* `z`", r"\$x\$ \*y\* \`z\`"),
    ],
)
def test_markdown_shows_a_name_as_it_is_in_one_cell(name: str, shown: str) -> None:
    assert markdown_text(name) == shown
    lines = markdown(pd.DataFrame([(name, 1)], columns=[name, "n"])).splitlines()
    assert lines == [f"| {shown} | n |", "| --- | --- |", f"| {shown} | 1 |"]


def test_a_page_escapes_a_name(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<p>{{ name }}</p>")
    page = render(tmp_path / "page.html", {"name": "<script>{{ 1 + 1 }}</script>"})
    assert page == "<p>&lt;script&gt;{{ 1 + 1 }}&lt;/script&gt;</p>"


def test_a_sheet_of_many_classes_is_not_too_tall_for_a_page() -> None:
    assert picture_uri(Image.new("RGB", (20, 18000))).startswith("data:image/webp;base64,")
