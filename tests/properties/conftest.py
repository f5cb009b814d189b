"""Properties hold for whatever is drawn; the same is drawn in every run."""

from hypothesis import settings

settings.register_profile(
    "twincam", max_examples=40, deadline=None, derandomize=True, database=None
)
settings.load_profile("twincam")
