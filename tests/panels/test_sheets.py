"""Contact sheets show what stands at the peaks, and every kind of error."""

import numpy as np
import pandas as pd

from stages.panels.sheets import errors_sheet, peak_crops, peaks_sheet

IMAGES = np.zeros((3, 64, 64, 3), np.uint8)
IMAGES[0, :8, :8], IMAGES[1, 36:44, 20:28] = 255, 255
MAPS = np.zeros((3, 8, 8), np.float32)
MAPS[0, 0, 0], MAPS[1, 4, 3], MAPS[2] = 1, 2, -1
ROWS = np.arange(3)
QUERIES = pd.DataFrame(
    {
        "label": ["a", "b", "a"],
        "predicted": ["a", "a", "b"],
        "as_is": ["a", "a", "b"],
        "confidence": [0.9, 0.8, 0.7],
    }
)


def test_crops_hold_the_peak_and_stay_inside() -> None:
    crops = peak_crops(MAPS, IMAGES)
    assert crops.shape == (3, 16, 16, 3)
    assert (crops[0, :8, :8] == 255).all()
    assert (crops[1] == 255).sum() == 8 * 8 * 3


def test_peaks_are_sorted_by_class_and_heat() -> None:
    picture = np.asarray(peaks_sheet(QUERIES, MAPS, IMAGES, ROWS))
    hotter_first = MAPS.copy()
    hotter_first[0] *= 3
    assert (picture != np.asarray(peaks_sheet(QUERIES, hotter_first, IMAGES, ROWS))).any()


def test_there_is_a_row_for_each_kind_of_error_and_a_sentence_without() -> None:
    both = errors_sheet(QUERIES, MAPS, IMAGES, ROWS, 1.0)
    one = errors_sheet(QUERIES.iloc[:2], MAPS[:2], IMAGES, ROWS[:2], 1.0)
    none = errors_sheet(QUERIES.iloc[:1], MAPS[:1], IMAGES, ROWS[:1], 1.0)
    assert none.height < one.height < both.height


def test_sheets_show_no_place_for_maps_of_one_cell() -> None:
    cells = MAPS.max(axis=(1, 2), keepdims=True)
    nothing = np.asarray(peaks_sheet(QUERIES, cells, IMAGES, ROWS))
    assert (nothing == np.asarray(peaks_sheet(QUERIES.iloc[:1], cells[:1], IMAGES, ROWS[:1]))).all()
    errors = np.asarray(errors_sheet(QUERIES, cells, IMAGES, ROWS, 1.0)).astype(int)
    assert (np.ptp(errors[30:], axis=-1) < 12).all()
