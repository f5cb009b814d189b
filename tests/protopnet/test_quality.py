"""Every group of figures is measured where the data allow it, and says why where not."""

from typing import Any

import pytest

from stages.protopnet.quality import quality_figures
from stages.protopnet.removal import remove_prototypes
from tests.protopnet.tiny import LABELS, SETTINGS, STRIDE, fitted, scene, trunk


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    return quality_figures(scene(), fitted(), trunk(), STRIDE, 0)


def test_prototypes_of_a_planted_patch_are_on_it_and_matter(known: dict[str, Any]) -> None:
    assert known["n"] == 16
    assert known["prototypes"] == 6
    assert not any("skipped" in group for group in known.values() if isinstance(group, dict))
    on = known["on_masks"]
    assert on["on_mask_over_area"]["low"] > 0
    assert on["on_mask_over_other_image"]["low"] > 0
    assert known["deletion"]["deletion_over_random"]["low"] > 0
    assert known["parts"]["purity"] > 0.7
    assert known["parts"]["purity_random"] == 1, "with one part its pixels are pure by construction"
    assert known["families"]["by_family"]["chequers"]["n"] == 8


def test_without_maps_and_families_groups_say_why_they_are_left_out() -> None:
    found = quality_figures(scene(known=False), fitted(), trunk(), STRIDE, 0)
    for group in ("parts", "on_cat", "on_masks", "families"):
        assert found[group]["skipped"]
    for group in ("distinctiveness", "sparsity", "deletion", "jpeg"):
        assert "skipped" not in found[group]
    assert "deletion_with_cat" not in found["deletion"]


def test_only_prototypes_that_give_points_count() -> None:
    without = remove_prototypes(fitted(), LABELS, [0, 3], SETTINGS)
    found = quality_figures(scene(), without, trunk(), STRIDE, 0)
    assert found["prototypes"] == found["parts"]["parts_prototypes"] == 4
    assert found["distinctiveness"]["cosine_n"] == 4


def test_quality_is_the_same_twice(known: dict[str, Any]) -> None:
    assert quality_figures(scene(), fitted(), trunk(), STRIDE, 0) == known
