"""Print Markdown tables."""

from twincam.files.metrics import Estimate


def print_heading(*cells: object) -> None:
    """Print the first two lines of a table."""
    print()
    print_cells(*cells)
    print_cells(*["---"] * len(cells))


def print_cells(*cells: object) -> None:
    """Print a row."""
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def spelled(figure: Estimate) -> str:
    """Return an estimate and its interval as a cell shows them."""
    return f"{figure.value:.3f} ({figure.low:.3f}–{figure.high:.3f})"
