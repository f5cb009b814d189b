"""Every group of figures is measured where the data allow it, and the reason is given where not."""

from typing import Any

import pytest

from stages.prototypes.quality import quality_figures
from tests.prototypes.tiny import fits, net, removing, run


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    return quality_figures(run(), fits().kept, net(), 0)


def test_prototypes_of_a_planted_patch_are_on_it_and_matter(known: dict[str, Any]) -> None:
    assert known["n"] == 16
    assert known["prototypes"] == 6
    assert not any("skipped" in group for group in known.values() if isinstance(group, dict))
    on = known["on_masks"]
    assert on["on_mask_over_area"].low > 0
    assert on["on_mask_over_other_image"].low > 0
    assert known["deletion"]["deletion_over_random"].low > 0
    parts = known["parts"]
    assert parts["purity"].value > 0.7
    assert parts["purity_random"].value == 1, "with one part its pixels are pure by construction"
    assert known["families"]["by_family"]["chequers"]["n"] == 8
    local = known["locality"]
    assert local["effective_field"].value < local["receptive_field"] == net().field[0]


def test_without_maps_and_families_groups_give_the_reason() -> None:
    found = quality_figures(run(known=False), fits().kept, net(), 0)
    for group in ("parts", "on_cat", "on_masks", "families"):
        assert found[group]["skipped"]
    for group in ("distinctiveness", "sparsity", "deletion", "jpeg"):
        assert "skipped" not in found[group]
    assert "deletion_with_cat" not in found["deletion"]


def test_only_live_prototypes_count() -> None:
    found = quality_figures(run(), fits(removing(0, 3)).kept, net(), 0)
    assert found["prototypes"] == found["parts"]["parts_prototypes"] == 4
    assert found["distinctiveness"]["cosine_n"] == 4


def test_quality_is_the_same_twice(known: dict[str, Any]) -> None:
    assert quality_figures(run(), fits().kept, net(), 0) == known
