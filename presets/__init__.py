"""Named sets of parameters."""
