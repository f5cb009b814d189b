"""What counts as a near duplicate: different pictures of one layout, and copies of photographs.

``python -m benchmarks.near_duplicates DATA``; DATA holds cats-ddpm, cats-sd and oxford-cats.
"""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter
from sklearn.datasets import load_digits

from stages.split.groups import components
from twincam.figures.text import Face, font
from twincam.images.decoding import decode
from twincam.near_duplicates.hashes import perceptual_hash
from twincam.near_duplicates.pairs import near_pairs
from twincam.near_duplicates.search import first_connected, near_duplicates

DISTANCE = 10
PHOTOGRAPHS = {
    "cats-ddpm": ("cats-ddpm/train/real", "cats-ddpm/train/fake"),
    "cats-sd": ("cats-sd/real", "cats-sd/fake"),
    "oxford-cats": ("oxford-cats/images",),
}
EVERY = 5
"""One photograph in this many is copied."""

Make = Callable[[np.random.Generator], Image.Image]
Copy = Callable[[Image.Image], Image.Image]


def x_ray(rng: np.random.Generator) -> Image.Image:
    """Draw a chest: a bright body, two dark lungs, a spot in half of the images, and noise."""
    y, x = np.mgrid[:256, :256]
    down, right = rng.normal(0, 3, 2)
    scale = rng.normal(1, 0.04)
    body = ((y - 128 - down) / (95 * scale)) ** 2 + ((x - 128 - right) / (70 * scale)) ** 2
    shown = 200 * np.exp(-(body**2))
    for side in (-32, 32):
        lung = ((y - 120 - down) / (60 * scale)) ** 2
        shown -= 90 * np.exp(-lung - ((x - 128 - right - side) / (22 * scale)) ** 2)
    if rng.random() < 0.5:
        spot = ((y - rng.integers(100, 150)) / 8) ** 2 + ((x - rng.choice([96, 160])) / 8) ** 2
        shown += 60 * np.exp(-spot)
    shown += 20 + rng.normal(0, 5, shown.shape)
    return Image.fromarray(np.clip(shown, 0, 255).astype(np.uint8))


def letter(rng: np.random.Generator) -> Image.Image:
    """Write a page of words."""
    alphabet = list("abcdefghijklmnopqrstuvwxyz")
    words = ["".join(rng.choice(alphabet, rng.integers(2, 8))) for _ in range(40)]
    page = Image.new("RGB", (600, 800), "white")
    draw = ImageDraw.Draw(page)
    for top in range(40, 760, 19):
        draw.text((50, top), " ".join(rng.choice(words, 11)), fill="black", font=font(Face(14)))
    return page


def form(rng: np.random.Generator) -> Image.Image:
    """Fill a form of twelve fields."""
    page = Image.new("RGB", (600, 800), "white")
    draw = ImageDraw.Draw(page)
    for row in range(12):
        top = 40 + 60 * row
        draw.rectangle((50, top, 550, top + 45), outline="black", width=2)
        entry = "".join(rng.choice(list("abcdefghijklmnop 0123456789"), 18))
        draw.text((60, top + 10), f"Field {row}: {entry}", fill="black", font=font(Face(16)))
    return page


def part(rng: np.random.Generator) -> Image.Image:
    """Draw a disc with holes on white, scratched in half of the images."""
    plate = Image.new("RGB", (400, 400), "white")
    draw = ImageDraw.Draw(plate)
    (x, y), radius = 200 + rng.normal(0, 4, 2), 120 + rng.normal(0, 3)
    draw.circle((x, y), radius, fill=(120, 120, 130))
    for hole in range(6):
        angle = hole * np.pi / 3 + rng.uniform(0, 1)
        draw.circle((x + 80 * np.cos(angle), y + 80 * np.sin(angle)), 10, fill="white")
    if rng.random() < 0.5:
        across, along = np.cos(angle := rng.uniform(0, 6.28)), np.sin(angle)
        ends = (x + 60 * across, y + 60 * along, x + 110 * across, y + 110 * along)
        draw.line(ends, fill=(60, 60, 60), width=3)
    noisy = np.asarray(plate) + rng.normal(0, 3, (400, 400, 1))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def images_of(make: Make, count: int = 60) -> list[Image.Image]:
    """Return different pictures of one layout."""
    return [make(np.random.default_rng(number)) for number in range(count)]


def digits() -> list[Image.Image]:
    """Return 400 handwritten digits, enlarged from 8×8 pixels."""
    pictures = (
        Image.fromarray((pixels * 15.9).astype(np.uint8)) for pixels in load_digits().images
    )
    return [
        picture.resize((64, 64), Image.Resampling.BICUBIC)
        for picture, _ in zip(pictures, range(400), strict=False)
    ]


def saved(image: Image.Image, quality: int) -> Image.Image:
    """Return ``image`` saved as JPEG and read again."""
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=quality)
    return Image.open(file)


def scaled(image: Image.Image, share: float) -> Image.Image:
    """Return ``image`` resized to ``share`` of its sides."""
    return image.resize((round(image.width * share), round(image.height * share)))


def cropped(image: Image.Image, share: float, corner: bool = False) -> Image.Image:
    """Return the middle, or the upper left, ``share`` of the sides of ``image``."""
    width, height = round(image.width * share), round(image.height * share)
    left, top = (0, 0) if corner else ((image.width - width) // 2, (image.height - height) // 2)
    return image.crop((left, top, left + width, top + height))


def blurred(image: Image.Image, share: float) -> Image.Image:
    """Return ``image`` under a Gaussian blur of ``share`` of its width."""
    return image.convert("RGB").filter(ImageFilter.GaussianBlur(share * image.width))


def edited(image: Image.Image, share: float) -> Image.Image:
    """Return ``image`` with a grey square over ``share`` of its sides, right of the middle."""
    changed = image.convert("RGB")
    width, height = round(image.width * share), round(image.height * share)
    left, top = image.width // 2, image.height // 2 - height // 2
    changed.paste((128, 128, 128), (left, top, left + width, top + height))
    return changed


COPIES: dict[str, Copy] = {
    "JPEG 90": lambda image: saved(image, 90),
    "JPEG 50": lambda image: saved(image, 50),
    "JPEG 20": lambda image: saved(image, 20),
    "half size": lambda image: scaled(image, 0.5),
    "double size": lambda image: scaled(image, 2),
    "squashed to 96 px": lambda image: image.resize((96, 96)),
    "squashed to 32 px": lambda image: image.resize((32, 32)),
    "brighter by 30 %": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "contrast + 40 %": lambda image: ImageEnhance.Contrast(image).enhance(1.4),
    "grey": lambda image: image.convert("L"),
    "sharpened": lambda image: ImageEnhance.Sharpness(image).enhance(2.5),
    "a square of 20 % painted over": lambda image: edited(image, 0.2),
    "a square of 40 % painted over": lambda image: edited(image, 0.4),
    "blurred by 1 % of the side": lambda image: blurred(image, 0.01),
    "rotated by 1°": lambda image: image.rotate(1, Image.Resampling.BICUBIC),
    "98 % crop": lambda image: cropped(image, 0.98),
    "95 % crop": lambda image: cropped(image, 0.95),
    "95 % crop, corner": lambda image: cropped(image, 0.95, corner=True),
    "90 % crop": lambda image: cropped(image, 0.9),
}


def pairs_of(images: list[Image.Image], first_new: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs ``[M,2]`` whose hashes match, and those confirmed on pixels."""
    hashes = np.array([perceptual_hash(image) for image in images], np.uint64)
    proposed = np.concatenate(list(near_pairs(hashes, DISTANCE, first_new)))
    read = [image.convert("L") for image in images]
    return proposed, near_duplicates(
        hashes, DISTANCE, lambda rows: [read[r] for r in rows], first_new
    )


def groups(count: int, pairs: np.ndarray) -> str:
    """Return the number of groups that ``pairs`` form of ``count`` images, and the largest size."""
    table = pd.DataFrame({"sha256": [f"{number}" for number in range(count)]})
    sizes = np.unique(components(table, pairs, manifest=False), return_counts=True)[1]
    return f"{len(sizes)}, {sizes.max()}"


def main(data: Path) -> None:
    """Print both tables as Markdown."""
    layouts = {make.__name__: images_of(make) for make in (x_ray, letter, form, part)}
    photographs = {
        name: [decode(path).image for place in places for path in sorted((data / place).iterdir())]
        for name, places in PHOTOGRAPHS.items()
    }
    print("| different pictures | n | groups, largest, by hash alone | confirmed on pixels |")
    print("|---|---|---|---|")
    for name, images in {**layouts, "digit": digits(), **photographs}.items():
        by_hash, confirmed = (groups(len(images), pairs) for pairs in pairs_of(images))
        print(f"| {name} | {len(images)} | {by_hash} | {confirmed} |", flush=True)
    print(f"\n| copy | {' | '.join(f'{name}: by hash, confirmed' for name in photographs)} |")
    print("|---" * (len(photographs) + 1) + "|")
    for kind, change in COPIES.items():
        cells = []
        for images in photographs.values():
            copied = images[::EVERY]
            every = [*images, *map(change, copied)]
            firsts = (first_connected(len(every), pairs) for pairs in pairs_of(every, len(images)))
            own = EVERY * np.arange(len(copied))
            found = [int((first[len(images) :] == first[own]).sum()) for first in firsts]
            cells.append(f"{found[0]} and {found[1]} of {len(copied)}")
        print(f"| {kind} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
