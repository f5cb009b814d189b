"""One browser for all tests, and pages that fail a test on an error or a request."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.browser.records import images, record
from twincam.pages.explanation import explanation_page, gallery_page

Open = Callable[..., Page]

PATIENCE = 60_000
"""Milliseconds until a page that does not react fails a test: a busy machine is slow."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return Debian's Chromium, or else Playwright's."""
    chromium = shutil.which("chromium")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        if chromium is None and not Path(playwright.chromium.executable_path).is_file():
            pytest.skip("no Chromium; `make test` or `playwright install chromium` brings it")
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Return a function that opens a file or a server's page.

    The test fails on an error, a cookie, or a request of a file for anything but itself, of a
    server's page to another server. An answer that is an error is none of these.
    """
    contexts, troubles = [], list[str]()

    def hear(said: ConsoleMessage) -> None:
        if said.type == "error" and "Failed to load resource" not in said.text:
            troubles.append(f"console: {said.text}")

    def open_at(
        place: Path | str, address: str = "", width: int = 1280, dark: bool = False
    ) -> Page:
        url = place.as_uri() if isinstance(place, Path) else place

        def ask(request: Request) -> None:
            if not request.url.startswith((url, "data:", "blob:")):
                troubles.append(f"request: {request.url}")

        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", hear)
        page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
        page.on("dialog", lambda shown: troubles.append(f"alert: {shown.message}"))
        page.on("request", ask)
        page.goto(url + address)
        return page

    yield open_at
    for context in contexts:
        troubles.extend(f"cookie: {one}" for one in context.cookies())
        context.close()
    assert not troubles


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a gallery of 60 images."""
    file = tmp_path_factory.mktemp("gallery") / "index.html"
    shown = [record(n) for n in range(60)]
    file.write_text(gallery_page(shown, images(60), "All 60 evaluated images.", "<b>A run"))
    return file


@pytest.fixture(scope="session")
def explanation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of two explanations, the second of a picture without a label or parts."""
    file = tmp_path_factory.mktemp("explanation") / "index.html"
    bare = record(1) | {
        "label": None,
        "heat": [],
        "twins": [],
        "neighbours": [],
        "disagree": None,
        "counterfactual": None,
        "prototypes": None,
        "influence": [],
    }
    file.write_text(explanation_page([record(0), bare], images(2)))
    return file
