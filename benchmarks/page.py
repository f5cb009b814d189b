"""Weight of a run's page, time to its first paint and to its gallery, time of a filter.

Used as ``python -m benchmarks.page [PHOTOGRAPHS]`` after `make repro`, in Debian's Chromium: the
run's own page, and galleries of more images, for which the run's records are repeated with pictures
of the folder ``PHOTOGRAPHS``.
"""

import json
import re
import shutil
import sys
import tempfile
from itertools import cycle
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps
from playwright.sync_api import Browser, sync_playwright

from twincam.pages.explanation import gallery_page, picture_of, pictures_named
from twincam.pages.runs import LARGE, SMALL

PAGE = Path("reports/index.html")
COUNTS = (300, 1000, 2000)
REPEATS = 5

MEASURE = """() => {
  const paint = performance.getEntriesByName("first-contentful-paint")[0].startTime;
  const [whole] = performance.getEntriesByType("navigation");
  return [paint, whole.domContentLoadedEventEnd];
}"""
FILTER = """async () => {
  const times = [];
  for (const name of ["wrong", "unsure", "right", "sure", "all"]) {
    const start = performance.now();
    document.querySelector(`[data-show=${name}]`).click();
    document.body.getBoundingClientRect();
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    times.push(performance.now() - start);
  }
  return Math.max(...times);
}"""


def main(argv: list[str]) -> None:
    """Print a line for each page."""
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        measure(browser, PAGE, "the run's own page")
        for count in COUNTS if argv else ():
            file = Path(folder) / "index.html"
            file.write_text(large_gallery(count, Path(argv[0])), encoding="utf-8")
            measure(browser, file, f"gallery of {count} images")


def measure(browser: Browser, file: Path, what: str) -> None:
    """Print a page's weight, and the median and largest times of `REPEATS` openings."""
    times = []
    for _ in range(REPEATS):
        page = browser.new_page()
        page.goto(file.resolve().as_uri(), timeout=120_000)
        page.wait_for_selector(".thumb", timeout=120_000)
        times.append([*page.evaluate(MEASURE), page.evaluate(FILTER)])
        page.close()
    shown = ", ".join(
        f"{name} {sorted(values)[REPEATS // 2]:.0f} ms (at most {max(values):.0f})"
        for name, *values in zip(("first paint", "gallery", "filter"), *times, strict=True)
    )
    print(f"{what}: {file.stat().st_size / 1e6:.1f} MB; {shown}", flush=True)


def large_gallery(count: int, photographs: Path) -> str:
    """Return a gallery of ``count`` records, with as many training images as a run of that size."""
    found = re.search(r'id="gallery-data">(.*?)</script>', PAGE.read_text(encoding="utf-8"))
    assert found, "the page has a gallery"
    records = json.loads(found[1])["records"]
    shown = [copied(records[n % len(records)], n // len(records)) for n in range(count)]
    own = {one["image"] for one in shown}
    files = cycle(sorted(photographs.rglob("*.jpg")))
    images = {
        key: picture_of(square(next(files)), LARGE if key in own else SMALL)
        for key in sorted(pictures_named(shown))
    }
    return gallery_page(shown, images, f"{count} images.")


def copied(value: Any, number: int) -> Any:
    """Return a record whose pictures have other keys in each copy."""
    if isinstance(value, list):
        return [copied(one, number) for one in value]
    if isinstance(value, dict):
        return {
            key: f"{one}-{number}" if key == "image" else copied(one, number)
            for key, one in value.items()
        }
    return value


def square(file: Path) -> Image.Image:
    """Return the middle of a photograph, as large as the pipeline's images."""
    return ImageOps.fit(Image.open(file).convert("RGB"), (LARGE, LARGE))


if __name__ == "__main__":
    main(sys.argv[1:])
