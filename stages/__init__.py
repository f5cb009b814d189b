"""The pipeline: a room for each stage.

The library comes first: it sets how threads wait, which must stand before torch is loaded.
"""

import twincam  # noqa: F401
