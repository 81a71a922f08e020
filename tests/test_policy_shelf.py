"""A service's policies while people edit them: new versions count, broken ones do not, and the log says so."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from qwen_router.errors import InvalidPolicy
from qwen_router.service import policies
from qwen_router.service.policies import PolicyShelf


def test_the_last_good_version_stays_in_force_and_the_log_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(policies, "FRESH_S", -1.0)  # nothing is believed for long
    file = tmp_path / "policies" / "mine.yaml"
    file.parent.mkdir()
    shelf = PolicyShelf()
    file.write_text("name: mine\nlimits: {min_quality: two}")
    with pytest.raises(InvalidPolicy, match="min_quality"):
        shelf.get("mine")
    file.write_text("name: mine\nlimits: {min_quality: 0.2}")
    assert shelf.get("mine").limits.min_quality == 0.2
    file.write_text("name: mine\nlimits: {min_qualty: 0.9}")
    with caplog.at_level(logging.WARNING):
        assert [shelf.get("mine").limits.min_quality for _ in range(3)] == [0.2] * 3
    assert len(caplog.records) == 1 and "min_qualty" in caplog.text and "last good version" in caplog.text
    file.write_text("name: mine\nlimits: {min_quality: 0.9}")
    assert shelf.get("mine").limits.min_quality == 0.9
