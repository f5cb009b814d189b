"""Links of the README, the model card and the documents lead to files, and none is left out.

The figures of the default run are those of the committed metrics.
"""

import json
import re
from pathlib import Path

from tests.conftest import ROOT, run_in

TOP = ROOT.resolve()
README, DOCS = TOP / "README.md", TOP / "docs"
LINK = re.compile(r"\]\(([^()\s]+)\)")
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    return [README, TOP / "MODEL_CARD.md", *sorted(DOCS.rglob("*.md"))]


def linked(page: Path) -> list[Path]:
    """Return the files that the relative links of ``page`` lead to, whether they exist or not."""
    names = LINK.findall(CODE.sub("", page.read_text()))
    relative = [name.split("#")[0] for name in names if "://" not in name]
    return [(page.parent / name).resolve() for name in relative if name]


def in_repository() -> set[Path]:
    """Return the files that git holds or would add: what is ignored is not in a clone."""
    listed = run_in(TOP, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    files = (TOP / name for name in listed.stdout.split("\0") if name)
    return {path.resolve() for path in files if path.is_file()}


def test_relative_links_lead_to_files_of_the_repository() -> None:
    assert {DOCS / "panel.png", DOCS / "results.md", TOP / "LICENSE"} <= set(linked(README))
    files = in_repository()
    broken = [(page.name, to) for page in pages() for to in linked(page) if to not in files]
    assert broken == []


def test_every_document_is_reached_from_the_readme() -> None:
    reached, ahead = {README}, [README]
    while ahead:
        page = ahead.pop()
        new = set(linked(page)) - reached if page in pages() else set()
        reached |= new
        ahead += new
    documents = {path for path in in_repository() if path.is_relative_to(DOCS)}
    assert (documents | set(pages())) - reached == set()


def test_the_default_run_in_the_documents_is_the_committed_one() -> None:
    shown = {
        "evaluate": ["accuracy"],
        "explain": ["pointing_game"],
        "prototypes": ["accuracy", "classifier_gap"],
    }
    for page in (README, DOCS / "results" / "default-run.md"):
        text = page.read_text().replace("−", "-")
        for stage, names in shown.items():
            found = json.loads(run_in(TOP, "git", "show", f":reports/{stage}.json").stdout)
            for name in names:
                low, high = found[f"{name}_low"], found[f"{name}_high"]
                assert f"({low:.3f}–{high:.3f})" in text, (page.name, stage, name)
                assert f"{found[name]:.3f}" in text, (page.name, stage, name)
