"""Engines: what runs a build. One module each behind the protocol of `base.py`; `configured.py` says which this installation offers."""
