"""``python -m twincam``, where the command ``twincam`` is not installed."""

from twincam.cli import run

run()
