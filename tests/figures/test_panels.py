"""Panels show their case, for any names and any number of neighbours."""

import numpy as np
import pandas as pd
import pytest

from twincam.figures.heat import heat_overlay
from twincam.figures.panels import Case, Tile, draw_panel


def case(tiles: int, heat: np.ndarray, **changes: object) -> Case:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    tile = Tile(image, 0.987, "fake", "real")
    values = {
        "row": pd.Series(
            {
                "path": "fake/ein Name mit “Zeichen” 猫.png",
                "label": "fake",
                "predicted": "real",
                "confidence": 0.75,
                "margin": 1.1,
                "as_is": "fake",
                "statement": "no trace of the generators seen in training",
                "remark": "As it is, the image is classified as fake.",
            }
        ),
        "scope": "Generators seen in training: a, b. " + "Others were not measured. " * 9,
        "image": image,
        "heat": heat,
        "heat_scale": 1.0,
        "shared": np.zeros((7, 7)),
        "swapped": np.zeros((7, 7), bool),
        "mask": np.zeros((64, 64), np.uint8),
        "twins": [tile] * tiles,
        "neighbourhood": [tile] * tiles,
        "influential": [tile] * tiles,
        "counterfactual": [tile] * min(1, tiles),
        "semifactual": [tile] * min(1, tiles),
    }
    return Case(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("tiles", [0, 1, 5, 20])
def test_any_number_of_neighbours(tiles: int) -> None:
    panel = draw_panel(case(tiles, np.ones((7, 7))))
    assert panel.mode == "RGB"
    assert panel.width >= 120 * tiles


def test_a_remark_is_written() -> None:
    told = case(1, np.ones((7, 7)))
    silent = case(1, np.ones((7, 7)), row=pd.Series({**told.row, "remark": ""}))
    header = (0, 0, 500, 72)
    seen = [np.asarray(draw_panel(one).crop(header)) for one in (told, silent)]
    assert (seen[0] != seen[1]).any()


def test_evidence_for_is_orange_against_is_blue_and_none_is_grey() -> None:
    image = np.full((64, 64, 3), 128, np.uint8)
    heat = np.zeros((4, 4))
    heat[0, 0], heat[3, 3] = 1, -1
    pixels = np.asarray(heat_overlay(image, heat, 1.0)).astype(int)
    red, _, blue = pixels[2, 2]
    assert red > blue + 50
    red, _, blue = pixels[61, 61]
    assert blue > red + 50
    assert len(set(pixels[32, 60])) == 1


def test_the_ground_truth_is_outlined() -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[20:40, 20:40] = 255
    plain = np.asarray(draw_panel(case(1, np.zeros((7, 7)))))
    outlined = np.asarray(draw_panel(case(1, np.zeros((7, 7)), mask=mask)))
    assert (plain != outlined).any()


def test_swapped_cells_show_the_partners_pixels() -> None:
    white = Tile(np.full((64, 64, 3), 255, np.uint8), 0.9, "real", "real")
    swapped = np.zeros((4, 4), bool)
    plain, pasted = (
        np.asarray(draw_panel(case(1, np.zeros((4, 4)), swapped=cells, counterfactual=[white])))
        for cells in (swapped, ~swapped)
    )
    changed = (plain != pasted).any(axis=2)
    inside = pasted[changed & (pasted == 255).all(axis=2)]
    assert len(inside) > 200 * 200


def test_the_verdict_and_what_the_model_was_trained_on_are_written() -> None:
    other = case(1, np.zeros(1)).row.copy()
    other["statement"] = "unsure (classified differently after JPEG 40)"
    plain, other_words, other_knowledge = (
        np.asarray(draw_panel(made)).astype(int)
        for made in (
            case(1, np.zeros((7, 7))),
            case(1, np.zeros((7, 7)), row=other),
            case(1, np.zeros((7, 7)), scope="Nothing."),
        )
    )
    assert (plain[:34] != other_words[:34]).any()
    assert (plain[56:72] != other_knowledge[56:72]).any()
    assert len(plain) > len(other_knowledge)


def test_a_map_of_one_cell_is_not_drawn_as_evidence() -> None:
    cell = np.ones((1, 1))
    picture = np.asarray(heat_overlay(np.full((64, 64, 3), 128, np.uint8), cell, 1.0)).astype(int)
    assert (picture == picture[..., :1]).all()
    image = np.full((64, 64, 3), 128, np.uint8)
    flat, spread = (
        np.asarray(draw_panel(case(1, heat, shared=heat, image=image, counterfactual=[])))
        for heat in (cell, np.ones((2, 2)))
    )
    top, *_ = np.flatnonzero((spread != flat).any(axis=(1, 2)))
    strips = [panel[top : top + 24 + 224 + 30].astype(int) for panel in (flat, spread)]
    coloured = [(np.ptp(strip, axis=-1) > 40).sum() for strip in strips]
    assert coloured[0] == 0
    assert coloured[1] > 2 * 200 * 200
