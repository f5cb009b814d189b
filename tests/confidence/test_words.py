"""No verdict claims more than the evidence supports."""

import pandas as pd

from twincam.confidence.words import remark_of, scope_of, statements
from twincam.files.predictions import join_names

TRAIN = pd.DataFrame({"label": ["fake", "fake", "real"], "source": ["sd15", "gan", "camera"]})


def words_of(
    predicted: str,
    held: str,
    verdict: str,
    real_class: str | None = "real",
    traces: str = "",
    *,
    weak: bool = False,
) -> str:
    row = {
        "predicted": predicted,
        "set": held,
        "weak": weak,
        "traces": traces,
        "unsure": verdict == "unsure",
    }
    return statements(pd.DataFrame([row]), real_class)[0]


def test_no_image_is_called_real() -> None:
    assert words_of("real", "real", "real") == "no trace of the generators seen in training"
    assert "real" not in words_of("real", "real", "real")
    assert words_of("fake", "fake", "fake") == "looks like the fake images seen in training"
    assert words_of("real", "real", "real", real_class=None) == (
        "looks like the real images seen in training"
    )


def test_unsure_gives_its_reasons() -> None:
    assert words_of("real", "fake|real", "unsure") == "unsure (could be fake or real)"
    both = words_of("real", "fake|real", "unsure", weak=True)
    assert both == "unsure (the evidence for real is weak; could be fake or real)"
    assert words_of("real", "real", "unsure", weak=True) == (
        "unsure (the evidence for real is weak)"
    )
    assert words_of("real", "", "unsure", weak=True) == "unsure (the evidence for real is weak)"
    traced = words_of("real", "real", "unsure", traces="found")
    assert traced == "unsure (its finest detail is unlike that of the photographs seen in training)"
    named = words_of("c", join_names(["a|b", "c"]), "unsure")
    assert named == "unsure (could be a|b or c)"


def test_a_remark_names_the_class_as_is_where_the_mean_differs() -> None:
    assert remark_of("real", "real") == ""
    assert remark_of("real", "fake").startswith("The unmodified image is classified as fake: heat")


def test_scope_names_training_generators_and_measured_recalls() -> None:
    nothing = scope_of(TRAIN, "real", {"skipped": "off"}, {})
    assert "gan, sd15" in nothing
    assert "camera" not in nothing
    assert "not measured" in nothing
    recall = {"recall": 0.5, "recall_low": 0.4, "recall_high": 0.6, "n": 100, "sources": 2}
    macro = {"fake": recall, "real": {**recall, "recall": 0.99}}
    leave_one_source_out = {"by": "source", "macro": macro}
    measured = scope_of(TRAIN, "real", leave_one_source_out, {})
    assert "Of 100 fake images of 2 sources" in measured
    assert "50.0 % (40.0 to 60.0)" in measured
    assert "99" not in measured
    assert "not measured" not in measured
    one = {"by": "family", "macro": {"fake": {**recall, "sources": 1}}}
    assert "Of 100 fake images of 1 family, each" in scope_of(TRAIN, "real", one, {})


def test_scope_counts_only_generated_images_of_other_sources() -> None:
    one = {"n": 50, "recall": 0.02, "recall_low": 0.0, "recall_high": 0.1}
    external = {
        "openjourney": {"per_class": {"fake": one}},
        "phone": {"per_class": {"real": {**one, "n": 70}}},
    }
    sentence = scope_of(TRAIN, "real", {}, external)
    assert "Of 50 fake images of openjourney" in sentence
    assert "2.0 % (0.0 to 10.0)" in sentence
    assert "phone" not in sentence


def test_scope_without_sources_or_real_class_names_classes() -> None:
    assert "those of the class fake" in scope_of(TRAIN.assign(source=""), "real", {}, {})
    plain = scope_of(TRAIN, None, {}, {})
    assert plain.startswith("The model distinguishes only the classes fake, real")
