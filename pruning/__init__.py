"""Pruning schemes, one per file; `_scheme.py` states the promise they keep."""
