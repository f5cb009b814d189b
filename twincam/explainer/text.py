"""An explanation as text: for the terminal, and as a row of a table."""

from collections.abc import Iterator

import numpy as np

from twincam.deliveries import WAYS
from twincam.explanations.twins.novelty import UNLIKE, is_unlike
from twincam.figures.text import certainty, counted
from twincam.files.predictions import join_names
from twincam.pages.explanation import Explanation, Forensics, Prototypes, Verdict

COLUMNS = (
    *("name", "predicted", "as_is", "unsure", "confidence", "set", "flips", "traces"),
    *("novelty", "disagree", "twin", "counterfactual", "cells", "statement"),
)
"""Of the table of a folder; ``novelty`` is the quantile of the distance to the nearest."""


def headline_of(record: Explanation) -> str:
    """Return the verdict in one line: the statement, the confidence, and whether it is novel."""
    verdict = record["verdict"]
    words = [verdict["statement"]]
    if verdict["confidence"] is not None:
        words.append(f"{verdict['predicted']} with confidence {certainty(verdict['confidence'])}")
    if _unlike(verdict):
        words.append(UNLIKE)
    return "; ".join(words)


def lines_of(record: Explanation) -> Iterator[str]:
    """Yield the explanation of one picture in a few lines, the verdict first."""
    yield f"{record['name']}: {headline_of(record)}"
    for title, words in _reasons(record):
        yield f"  {title:<16}{words}"
    yield f"  {record['scope']}"


def _reasons(record: Explanation) -> Iterator[tuple[str, str]]:
    """Yield a title and words for each reason that the record has."""
    verdict = record["verdict"]
    if verdict["remark"]:
        yield "unmodified", verdict["remark"]
    changed = f"changes after {', '.join(verdict['flips'])}"
    kept = f"does not change after {', '.join(WAYS)}"
    yield "robustness", f"the prediction {changed if verdict['flips'] else kept}"
    held = "not fitted" if verdict["set"] is None else " or ".join(verdict["set"]) or "empty"
    shares = ", ".join(f"{name} {p:.3f}" for name, p in verdict["probabilities"].items())
    yield "prediction set", f"{held}; probabilities, not calibrated: {shares}"
    if record["forensics"]:
        yield "traces", _traces(record["forensics"])
    if verdict["novelty"] is not None:
        share = f"{certainty(verdict['novelty']['quantile'])} of the training images"
        yield "novelty", f"farther from its nearest training image than {share} from theirs"
    for heat in record["heat"]:
        yield "evidence", f"strongest {_place(np.array(heat['map']))} ({heat['method']})"
    twins = ", ".join(f"{one['path']} ({one['similarity']:.3f})" for one in record["twins"])
    yield "twins", twins or "none"
    others = [one for one in record["neighbours"] if one["label"] != verdict["as_is"]]
    named = "".join(f", {one['path']} ({one['label']})" for one in others)
    yield "neighbours", f"{len(others)} of {len(record['neighbours'])} have another label{named}"
    if other := record["counterfactual"]:
        count = f"{len(other['cells'])} of {other['rows'] * other['columns']} cells"
        source = f"{other['path']} ({other['label']})"
        yield "counterfactual", f"{count} of {source} give {other['to']}; exact in feature space"
    if record["prototypes"]:
        yield "prototypes", _points(record["prototypes"])
    if record["influence"]:
        yield (
            "influence",
            ", ".join(f"{one['path']} ({one['label']})" for one in record["influence"]),
        )


def row_of(record: Explanation) -> dict[str, object]:
    """Return the row of a picture in the table of a folder, with `COLUMNS`."""
    verdict, other = record["verdict"], record["counterfactual"]
    novelty = verdict["novelty"]
    values: tuple[object, ...] = (
        record["name"],
        verdict["predicted"],
        verdict["as_is"],
        verdict["unsure"],
        "" if verdict["confidence"] is None else verdict["confidence"],
        join_names(verdict["set"] or []),
        join_names(verdict["flips"]),
        verdict["traces"] or "",
        "" if novelty is None else novelty["quantile"],
        "" if record["disagree"] is None else record["disagree"],
        record["twins"][0]["path"] if record["twins"] else "",
        other["path"] if other else "",
        len(other["cells"]) if other else "",
        verdict["statement"],
    )
    shares = {f"p_{name}": p for name, p in verdict["probabilities"].items()}
    return {**dict(zip(COLUMNS, values, strict=True)), **shares}


def _traces(forensics: Forensics) -> str:
    found = "found" if forensics["found"] else "none"
    limit = forensics["threshold"]
    above = "" if limit is None else f" (threshold {limit:.3f})"
    return f"{found} in its finest detail: a score of {forensics['score']:.3f}{above}"


def _unlike(verdict: Verdict) -> bool:
    return verdict["novelty"] is not None and is_unlike(verdict["novelty"]["quantile"])


def _place(heat: np.ndarray) -> str:
    """Return in words where a map ``[h,w]`` is largest."""
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    down = ("at the top", "in the middle", "at the bottom")[int(3 * row // heat.shape[0])]
    across = (" left", "", " right")[int(3 * column // heat.shape[1])]
    return down + across


def _points(prototypes: Prototypes) -> str:
    predicted = prototypes["predicted"]
    own = [row for row in prototypes["rows"] if row["class"] == predicted]
    best = sorted(own, key=lambda row: -row["points"])[:3]
    rest = sum(row["points"] for row in own) - sum(row["points"] for row in best)
    parts = [f"{row['points']:.2f} (prototype {row['prototype']})" for row in best]
    others = len(own) - len(best)
    parts += [f"{rest:.2f} ({counted(others, 'other')})"] if others > 0 else []
    bias, logit = prototypes["biases"][predicted], prototypes["logits"][predicted]
    return f"{predicted} {logit:.2f} = {' + '.join([*parts, f'{bias:.2f} (bias)'])}"
