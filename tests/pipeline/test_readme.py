"""The README shows the pipeline that there is."""

from tests.conftest import ROOT, run_in


def test_graph_is_that_of_dvc() -> None:
    graph = run_in(ROOT, "dvc", "dag", "--md").stdout.strip()
    assert graph in (ROOT / "README.md").read_text()


def test_pictures_and_links_exist() -> None:
    text = (ROOT / "README.md").read_text()
    for target in ("docs/panel.png", "docs/results.md", "MODEL_CARD.md", "LICENSE", "params.yaml"):
        assert f"({target})" in text
        assert (ROOT / target).is_file()
