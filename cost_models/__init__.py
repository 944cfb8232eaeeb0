"""Cost models, one per file; `_model.py` states the promise they keep."""
