"""The pipeline: a room for each stage.

The library comes first: it sets how threads wait, which must stand before torch is loaded.
"""

import sys

import twincam  # noqa: F401
from twincam.files.errors import report_failed_import

sys.excepthook = report_failed_import
