"""Do the tests notice a small fault in the modules that the figures' honesty rests on?

Used as ``python -m benchmarks.mutants --sample 60``. Each mutant is a copy of the working tree with
one operator, number or function of one module changed; it survives if that module's tests pass.
"""

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.runs import ROOT

TESTS = {
    "stages/audit/contents.py": "tests/audit/test_descriptors.py",
    "stages/audit/metadata.py": "tests/audit/test_descriptors.py",
    "stages/audit/models.py": "tests/audit/test_shortcuts.py -k not(harmonising)",
    "stages/audit/shortcuts.py": "tests/audit/test_shortcuts.py -k not(harmonising)",
    "stages/protopnet/losses.py": "tests/protopnet/test_losses.py",
    "twincam/training/balancing.py": "tests/training/test_balancing.py",
    "twincam/training/fitting.py": "tests/training/test_fitting.py",
    "twincam/statistics/estimates.py": "tests/statistics tests/properties/test_statistics.py",
    "twincam/statistics/intervals.py": "tests/statistics tests/properties/test_statistics.py",
    "twincam/statistics/ranking.py": "tests/statistics/test_ranking.py",
    "twincam/confidence/abstention.py": "tests/evaluate/test_verdicts.py",
    "twincam/confidence/calibration.py": "tests/evaluate/test_calibration.py",
    "twincam/confidence/offsets.py": "tests/confidence/test_offsets.py",
    "twincam/confidence/prediction_sets.py": "tests/evaluate/test_prediction_sets.py",
    "stages/prototypes/guards.py": "tests/prototypes/test_guards.py",
    "stages/split/assignment.py": "tests/split/test_split_groups.py tests/properties/test_split.py",
    "stages/split/contents.py": "tests/split/test_split.py",
    "stages/split/groups.py": "tests/split/test_split_groups.py tests/properties/test_split.py",
    "twincam/explanations/counterfactuals.py": "tests/explanations/test_counterfactuals.py",
    "twincam/explanations/gradcam.py": "tests/explanations/test_gradcam.py",
    "twincam/explanations/heatmaps.py": "tests/explanations/test_heatmaps.py",
    "twincam/explanations/localisation.py": "tests/explanations/test_localisation.py",
    "twincam/explanations/twins/spaces.py": "tests/explanations/test_twins.py",
    "twincam/models/levels.py": "tests/models/test_levels.py",
}
"""The tests that must notice, by module."""

SECONDS = 300
"""Of one run of tests; a mutant that loops is noticed, too."""

SWAPS: dict[type, type] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}

NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "argmax": "argmin"}


class Mutant(NamedTuple):
    """A changed module: its path, the line changed, that line before and after, and the source."""

    path: str
    line: int
    before: str
    after: str
    source: str


def main() -> None:
    """Print every survivor, and a row for each module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--modules", nargs="*", default=TESTS, help="those to change (all)")
    parser.add_argument("--sample", type=int, default=60, help="mutants, chosen at random (60)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    everything = [mutant for path in args.modules for mutant in mutants(path)]
    chosen = random.Random(args.seed).sample(everything, min(args.sample, len(everything)))
    with tempfile.TemporaryDirectory() as scratch:
        for folder in ("twincam", "stages", "tests", "benchmarks"):
            shutil.copytree(ROOT / folder, Path(scratch) / folder)
        for file in ("pyproject.toml", "params.yaml", "dvc.yaml"):
            shutil.copy(ROOT / file, scratch)
        survived = [mutant for mutant in chosen if not noticed(Path(scratch), mutant)]
    print("\n| module | possible | tried | noticed |\n|---|---|---|---|")
    for path in args.modules:
        possible, tried, alive = (
            sum(one.path == path for one in some) for some in (everything, chosen, survived)
        )
        print(f"| `{path}` | {possible} | {tried} | {tried - alive} |")
    print(f"| all | {len(everything)} | {len(chosen)} | {len(chosen) - len(survived)} |")


def mutants(path: str) -> Iterator[Mutant]:
    """Yield every mutant of the module at ``path``."""
    tree = ast.parse((ROOT / path).read_text())
    plain = ast.unparse(tree)
    for place, original in enumerate(ast.walk(tree)):
        if not mutate(copy.deepcopy(original)):
            continue
        changed = copy.deepcopy(tree)
        node = list(ast.walk(changed))[place]
        if mutate(node) and (source := ast.unparse(changed)) != plain:
            lines = zip(plain.splitlines(), source.splitlines(), strict=True)
            before, after = next((one, other) for one, other in lines if one != other)
            line = getattr(node, "lineno", 0)
            yield Mutant(path, line, before.strip(), after.strip(), source)


def mutate(node: ast.AST) -> bool:
    """Change ``node`` in place; return whether there is a way to."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        node.ops[0] = SWAPS[type(node.ops[0])]()
    elif isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(node.op) in SWAPS:
        node.op = SWAPS[type(node.op)]()
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        node.value += 1
    elif isinstance(node, ast.Name) and node.id in NAMES:
        node.id = NAMES[node.id]
    elif isinstance(node, ast.Attribute) and node.attr in NAMES:
        node.attr = NAMES[node.attr]
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert | ast.USub):
        node.op = ast.UAdd() if isinstance(node.op, ast.USub) else ast.Not()
        return isinstance(node.op, ast.UAdd)
    else:
        return False
    return True


def noticed(folder: Path, mutant: Mutant) -> bool:
    """Return whether the module's tests fail on ``mutant``; print it if they do not."""
    file = folder / mutant.path
    whole = file.read_text()
    file.write_text(mutant.source)
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    try:
        done = subprocess.run(
            [*command, *TESTS[mutant.path].split()],
            cwd=folder,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            check=False,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        return True
    finally:
        file.write_text(whole)
    if not done.returncode:
        print(f"{mutant.path}, line {mutant.line}: {mutant.before}  ->  {mutant.after}", flush=True)
    return done.returncode != 0


if __name__ == "__main__":
    main()
