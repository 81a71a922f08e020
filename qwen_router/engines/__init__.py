"""Engines: what runs a build. One module each behind the protocol of `base.py`.

`configured.py` says which ones this installation offers; docs/engines.md describes what they share.

    python -c "from qwen_router.engines.fake import FakeEngine; print(FakeEngine().installed())"
"""
