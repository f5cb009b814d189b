"""Run the pipeline on the built-in cats of other scene seeds than the committed one.

Used as ``python -m benchmarks.rendered --scenes 21 22``.
"""

import argparse

from benchmarks.runs import clone, print_heading, print_row


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, nargs="+", default=[21, 22])
    args = parser.parse_args()
    with clone() as folder:
        print_heading("scene seed")
        for seed in args.scenes:
            print_row(folder, str(seed), {"synthesize.seed": seed})


if __name__ == "__main__":
    main()
