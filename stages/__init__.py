"""The pipeline: a room for each stage.

Threads of OpenMP that wait for work sleep instead of spinning, unless the environment says
otherwise: on a busy machine spinning ones multiply the time. It must stand before torch is loaded.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
