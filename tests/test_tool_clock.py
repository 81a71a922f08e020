"""Dates and times: zones by any usual name, months of all lengths, dates that could be two, and a clock that tests set."""

from __future__ import annotations

import locale
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import ToolMessage

from qwen_router.tooling import load_tools, signature_of

TOOLS = load_tools([Path(__file__).parent.parent / "tools"])
CLOCK = sys.modules[TOOLS["current_time"].func.__module__]  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _a_clock_that_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CLOCK, "now", lambda: datetime(2024, 2, 29, 23, 30, 15, tzinfo=UTC))


def call(name: str, **arguments: Any) -> ToolMessage:
    message = TOOLS[name].invoke({"type": "tool_call", "id": "1", "name": name, "args": arguments})
    assert isinstance(message, ToolMessage)
    return message


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        pytest.param(None, "2024-02-29 Thursday 23:30:15 UTC (UTC+00:00)", id="utc"),
        pytest.param("Asia/Tokyo", "2024-03-01 Friday 08:30:15 Asia/Tokyo (UTC+09:00)", id="a-key"),
        pytest.param("asia/tokyo", "2024-03-01 Friday 08:30:15 Asia/Tokyo (UTC+09:00)", id="small-letters"),
        pytest.param("new york", "2024-02-29 Thursday 18:30:15 America/New_York (UTC-05:00)", id="a-city"),
        pytest.param("北京", "2024-03-01 Friday 07:30:15 Asia/Shanghai (UTC+08:00)", id="in-chinese"),
        pytest.param("+05:30", "2024-03-01 Friday 05:00:15 UTC+05:30 (UTC+05:30)", id="an-offset"),
        pytest.param("UTC-3", "2024-02-29 Thursday 20:30:15 UTC-03:00 (UTC-03:00)", id="an-offset-with-utc"),
        pytest.param("Asia/Kathmandu", "2024-03-01 Friday 05:15:15 Asia/Kathmandu (UTC+05:45)", id="three-quarters"),
    ],
)
def test_the_time_in_a_zone(zone: str | None, text: str) -> None:
    assert call("current_time", **({"timezone": zone} if zone else {})).content == text


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        pytest.param("Europ/Pari", "did you mean Europe/Paris", id="misspelt"),
        pytest.param("IST", "more than one time zone: write Asia/Kolkata", id="several"),
        pytest.param("../../etc/passwd", "no time zone is called", id="a-path"),
        pytest.param("+99:00", "no time zone is called", id="too-far"),
        pytest.param("", "no time zone is called", id="nothing"),
    ],
)
def test_a_zone_that_is_none_is_named_with_a_way_out(zone: str, words: str) -> None:
    message = call("current_time", timezone=zone)
    assert message.status == "error" and words in str(message.content)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        pytest.param({"date": "2026-11-25"}, "2026-11-25 Wednesday", id="the-weekday"),
        pytest.param({"date": "2026-01-31", "months": 1}, "2026-02-28 Saturday", id="a-shorter-month"),
        pytest.param({"date": "2024-01-31", "months": 1}, "2024-02-29 Thursday", id="in-a-leap-year"),
        pytest.param({"date": "2024-02-29", "years": 1}, "2025-02-28 Friday", id="after-a-leap-day"),
        pytest.param({"date": "2026-03-31", "months": -1}, "2026-02-28 Saturday", id="back"),
        pytest.param({"date": "2026-11-25", "weeks": 2, "days": -1}, "2026-12-08 Tuesday", id="weeks-and-days"),
        pytest.param({"date": "today", "days": 1}, "2024-03-01 Friday", id="today"),
        pytest.param({"date": "Tomorrow"}, "2024-03-01 Friday", id="tomorrow"),
        pytest.param({"date": "25 November 2026"}, "2026-11-25 Wednesday", id="in-words"),
        pytest.param({"date": "Wed, Nov. 25th, 2026"}, "2026-11-25 Wednesday", id="in-american-words"),
        pytest.param({"date": "Sept 3, 2026"}, "2026-09-03 Thursday", id="sept"),
        pytest.param({"date": "2026年11月25日"}, "2026-11-25 Wednesday", id="in-chinese"),
        pytest.param({"date": "2026-11-25T10:00:00Z"}, "2026-11-25 Wednesday", id="with-a-time"),
        pytest.param({"date": "2024-03-01 Friday 08:30:15 Asia/Tokyo (UTC+09:00)"}, "2024-03-01 Friday", id="what-we-gave"),
        pytest.param({"date": "0099-12-31", "days": 1}, "0100-01-01 Friday", id="long-ago"),
    ],
)
def test_dates_are_added_to(arguments: dict[str, Any], text: str) -> None:
    assert call("add_to_date", **arguments).content == text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param({"date": "3/4/2026"}, "may mean two dates", id="two-dates"),
        pytest.param({"date": "2026-02-30"}, "February 2026 has 28 days", id="no-such-day"),
        pytest.param({"date": "2026-13-01"}, "months go from 1 to 12", id="no-such-month"),
        pytest.param({"date": "0000-01-01"}, "years go from 1 to 9999", id="no-such-year"),
        pytest.param({"date": "25 Novembr 2026"}, "did you mean November?", id="misspelt"),
        pytest.param({"date": "next Tuesday"}, "write it as YYYY-MM-DD", id="words"),
        pytest.param({"date": "9999-12-31", "days": 1}, "out of range", id="the-end-of-time"),
        pytest.param({"date": "2026-01-01", "days": 10**9}, "whole numbers up to", id="too-far"),
        pytest.param({"date": "2026-01-01", "days": "soon"}, "whole numbers up to", id="no-number"),
        pytest.param({}, "takes date", id="nothing"),
    ],
)
def test_a_date_that_is_none_is_refused_with_the_reason(arguments: dict[str, Any], words: str) -> None:
    message = call("add_to_date", **arguments)
    assert message.status == "error" and words in str(message.content)


@pytest.mark.parametrize(
    ("start", "end", "unit", "count"),
    [
        pytest.param("2026-01-01", "2026-12-25", "days", 358, id="days"),
        pytest.param("2026-12-25", "2026-01-01", "days", -358, id="back"),
        pytest.param("2024-02-28", "2024-03-01", "days", 2, id="over-a-leap-day"),
        pytest.param("1990-05-17", "2026-05-16", "years", 35, id="the-day-before-the-birthday"),
        pytest.param("1990-05-17", "2026-05-17", "years", 36, id="on-the-birthday"),
        pytest.param("2026-01-31", "2026-02-28", "months", 1, id="the-end-of-a-month"),
        pytest.param("2026-01-01", "2026-01-13", "weeks", 1, id="full-weeks"),
        pytest.param("today", "2024-02-29", "days", 0, id="today"),
    ],
)
def test_how_far_two_dates_are_apart(start: str, end: str, unit: str, count: int) -> None:
    assert TOOLS["date_difference"].invoke({"start": start, "end": end, "unit": unit}) == count


@given(st.dates(date(1, 1, 1), date(9999, 12, 31)), st.dates(date(1, 1, 1), date(9999, 12, 31)))
def test_the_difference_added_leads_back(start: date, end: date) -> None:
    days = TOOLS["date_difference"].func(start.isoformat(), end.isoformat())  # type: ignore[attr-defined]
    assert days == (end - start).days
    assert CLOCK._moved(start, days, 0) == end


def test_names_are_english_in_every_locale() -> None:
    before = locale.setlocale(locale.LC_ALL)
    for name in ("de_DE.UTF-8", "zh_CN.UTF-8", "tr_TR.UTF-8"):
        try:
            locale.setlocale(locale.LC_ALL, name)
        except locale.Error:
            continue
        try:
            assert call("current_time").content == "2024-02-29 Thursday 23:30:15 UTC (UTC+00:00)"
        finally:
            locale.setlocale(locale.LC_ALL, before)
    source = Path(CLOCK.__file__ or "").read_text(encoding="utf-8")
    assert not {"%A", "%B", "%a", "%b", "%c", "%x"} & {source[i : i + 2] for i in range(len(source))}


def test_the_clock_is_the_real_one_outside_of_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert abs((CLOCK.now() - datetime.now(UTC)).total_seconds()) < 60


def test_their_kinds() -> None:
    outputs = {name: signature_of(TOOLS[name]).output for name in ("current_time", "add_to_date", "date_difference")}
    assert outputs == {"current_time": "date", "add_to_date": "date", "date_difference": "number"}
