"""Dates and times: now in any place, a date so many days or months on, how far two dates are apart.

Zones are the system's (zoneinfo, with tzdata where a system has none); dates are read in the forms that cannot be mistaken,
2026-11-25 and 25 November 2026, and 3/4/2026 is refused, since it is two dates. Names of days and months are English on
every system. Public holidays are not known.

    python -c "from qwen_router.tooling import load_tools as t; \\
        print(t()['add_to_date'].invoke({'date': '2026-01-31', 'months': 1}))"
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta, tzinfo
from datetime import timezone as fixed_zone
from difflib import get_close_matches
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from langchain_core.tools import ToolException, tool
from pydantic import BaseModel, Field

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_SHORT = {"utc": "UTC", "gmt": "UTC", "z": "UTC", "est": "America/New_York", "edt": "America/New_York",
          "pst": "America/Los_Angeles", "pdt": "America/Los_Angeles", "cet": "Europe/Berlin", "cest": "Europe/Berlin",
          "jst": "Asia/Tokyo", "beijing": "Asia/Shanghai", "北京": "Asia/Shanghai", "上海": "Asia/Shanghai",
          "东京": "Asia/Tokyo", "china": "Asia/Shanghai", "india": "Asia/Kolkata", "mumbai": "Asia/Kolkata",
          "delhi": "Asia/Kolkata", "san francisco": "America/Los_Angeles", "washington": "America/New_York",
          "japan": "Asia/Tokyo", "germany": "Europe/Berlin", "france": "Europe/Paris", "uk": "Europe/London"}  # fmt: skip
"""What people write for a zone."""
_SEVERAL = {
    "ist": "Asia/Kolkata, Europe/Dublin or Asia/Jerusalem",
    "cst": "America/Chicago or Asia/Shanghai",
    "bst": "Europe/London or Asia/Dhaka",
}
_ISO = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*(Z|[+-]\d{2}:?\d{2})?)?"
)
_DAY_MONTH = re.compile(r"(?:[A-Za-z]+,?\s+)?(\d{1,2})(?:st|nd|rd|th)?\s+(?:of\s+)?([A-Za-z]{3,9})\.?,?\s+(\d{4})")
_MONTH_DAY = re.compile(r"(?:[A-Za-z]+,\s+)?([A-Za-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})")
_OURS = re.compile(rf"(\d{{4}}-\d{{2}}-\d{{2}}) (?:{'|'.join(DAYS)})(?: \d{{2}}:\d{{2}}:\d{{2}} \S+ \S+)?")
"""What these tools give is also read by them."""
_MOST = 1_000_000
Unit = Literal["days", "weeks", "months", "years"]


class ClockError(ToolException):
    """There is no such date or zone; the text says why, for the model to read."""


def now() -> datetime:
    """The one place that reads the clock; tests put another function here."""
    return datetime.now(UTC)


class ZoneInput(BaseModel):
    """What the clock takes."""

    timezone: str = Field(default="UTC", description="Zone or city, for example Europe/Paris, Tokyo or +05:30.")


class AddInput(BaseModel):
    """What is added to a date; below zero it is taken away."""

    date: str = Field(description="Date as YYYY-MM-DD, or today, tomorrow, yesterday.")
    days: int = Field(default=0, ge=-_MOST, le=_MOST, description="Days to add; negative goes back.")
    weeks: int = Field(default=0, ge=-_MOST, le=_MOST, description="Weeks to add.")
    months: int = Field(default=0, ge=-_MOST, le=_MOST, description="Months to add.")
    years: int = Field(default=0, ge=-10_000, le=10_000, description="Years to add.")


class BetweenInput(BaseModel):
    """Two dates."""

    start: str = Field(description="First date as YYYY-MM-DD, or today.")
    end: str = Field(description="Second date as YYYY-MM-DD, or today.")
    unit: Unit = Field(default="days", description="days, weeks, months or years; full ones are counted.")


# ── zones and dates ─────────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def _zones() -> dict[str, str]:
    """Lower-case name, and city alone, to the zone's key."""
    found: dict[str, str] = {}
    for key in sorted(available_timezones(), key=lambda name: (name.count("/") != 1, name)):
        if not key.startswith(("posix/", "right/")) and key not in ("localtime", "Factory", "posixrules"):
            found.setdefault(key.lower(), key)
            found.setdefault(key.rpartition("/")[2].lower().replace("_", " "), key)
    return {**found, **_SHORT}


def zone_of(text: str) -> tuple[str, tzinfo]:
    """The name and the zone. Raises `ClockError` with close matches."""
    plain = " ".join(text.replace("_", " ").split()).lower()
    offset = re.fullmatch(r"(?:utc|gmt)?\s*([+-])(\d{1,2})(?::?(\d{2}))?", plain)
    if offset and int(offset[2]) <= 14 and int(offset[3] or 0) < 60:
        minutes = (int(offset[2]) * 60 + int(offset[3] or 0)) * (1 if offset[1] == "+" else -1)
        zone = fixed_zone(timedelta(minutes=minutes))
        return ("UTC" if minutes == 0 else str(zone)), zone
    if _SHORT.get(plain, plain.upper()) == "UTC":  # also where a system has no zones
        return "UTC", UTC
    if plain in _SEVERAL:
        raise ClockError(f"{text.strip()!r} is more than one time zone: write {_SEVERAL[plain]}")
    zones = _zones()
    key = zones.get(plain) or zones.get(plain.replace(" ", "_"))
    if key is None:
        close = get_close_matches(plain, zones, n=3, cutoff=0.6)
        hint = (
            ", ".join(dict.fromkeys(zones[name] for name in close)) or "Europe/Paris, Asia/Tokyo, America/New_York or +05:30"
        )
        raise ClockError(f"no time zone is called {text[:40]!r}: {'did you mean ' if close else 'write '}{hint}")
    try:
        return key, ZoneInfo(key)
    except ZoneInfoNotFoundError:
        raise ClockError("this system knows no time zones: pip install tzdata, or give an offset such as +05:30") from None


def read_date(text: str) -> date:
    """The date that was written. Raises `ClockError` where it is none, or may be two."""
    plain = " ".join(text.strip().split())
    if match := _OURS.fullmatch(plain):
        plain = match[1]
    relative = {"today": 0, "now": 0, "tomorrow": 1, "yesterday": -1}.get(plain.lower())
    if relative is not None:
        return now().date() + timedelta(days=relative)
    if match := _ISO.fullmatch(plain):
        return _checked(plain, int(match[1]), int(match[2]), int(match[3]))
    for pattern, day_at, month_at in ((_DAY_MONTH, 1, 2), (_MONTH_DAY, 2, 1)):
        if match := pattern.fullmatch(plain):
            return _checked(plain, int(match[3]), _month(match[month_at]), int(match[day_at]))
    if re.fullmatch(r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}", plain):
        raise ClockError(f"{plain!r} may mean two dates: write it as YYYY-MM-DD, such as 2026-11-25")
    raise ClockError(f"{plain[:40]!r} is no date: write it as YYYY-MM-DD, such as 2026-11-25")


def _month(word: str) -> int:
    found = [
        index for index, name in enumerate(MONTHS, 1) if name.startswith(word.lower()[:3] if len(word) < 4 else word.lower())
    ]
    if not found and word.lower() == "sept":
        found = [9]
    if len(found) != 1:
        close = get_close_matches(word.lower(), MONTHS, n=1)
        raise ClockError(f"{word!r} is no month{f': did you mean {close[0].capitalize()}?' if close else ''}")
    return found[0]


def _checked(text: str, year: int, month: int, day: int) -> date:
    if not 1 <= year <= 9999:
        raise ClockError(f"{text!r} is out of range: years go from 1 to 9999")
    if not 1 <= month <= 12:
        raise ClockError(f"{text!r} has the month {month}: months go from 1 to 12")
    last = monthrange(year, month)[1]
    if not 1 <= day <= last:
        raise ClockError(f"{text!r} does not exist: {MONTHS[month - 1].capitalize()} {year} has {last} days")
    return date(year, month, day)


def _moved(start: date, days: int, months: int) -> date:
    """Months first, the day cut to the month's last (31 January + 1 month is 28 or 29 February), then days."""
    position = start.year * 12 + start.month - 1 + months
    year, month = position // 12, position % 12 + 1
    if not 1 <= year <= 9999:
        raise ClockError("the result is out of range: years go from 1 to 9999")
    moved = date(year, month, min(start.day, monthrange(year, month)[1]))
    try:
        return moved + timedelta(days=days)
    except OverflowError:
        raise ClockError("the result is out of range: years go from 1 to 9999") from None


def _months_apart(early: date, late: date) -> int:
    """Full months from the earlier to the later."""
    months = (late.year - early.year) * 12 + late.month - early.month
    return months if _moved(early, 0, months) <= late else months - 1


# ── the tools ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@tool("current_time", args_schema=ZoneInput)
def current_time(timezone: str = "UTC") -> str:
    """Tell the date, weekday and time now in a time zone or city, for example Asia/Tokyo."""
    name, zone = zone_of(timezone)
    local = now().astimezone(zone)
    offset = local.strftime("%z")
    return f"{local:%Y-%m-%d} {DAYS[local.weekday()]} {local:%H:%M:%S} {name} (UTC{offset[:3]}:{offset[3:5]})"


@tool("add_to_date", args_schema=AddInput)
def add_to_date(date: str, days: int = 0, weeks: int = 0, months: int = 0, years: int = 0) -> str:
    """Add days, weeks, months or years to a date, for example 90 days to 2026-11-25; with nothing to add, the weekday."""
    moved = _moved(read_date(date), days + 7 * weeks, months + 12 * years)
    return f"{moved.isoformat()} {DAYS[moved.weekday()]}"


@tool("date_difference", args_schema=BetweenInput)
def date_difference(start: str, end: str, unit: Unit = "days") -> int:
    """Count the full days, weeks, months or years from one date to another, for example an age in years."""
    first, second = read_date(start), read_date(end)
    sign = 1 if first <= second else -1
    early, late = sorted((first, second))
    if unit in ("days", "weeks"):
        return sign * ((late - early).days // (7 if unit == "weeks" else 1))
    return sign * (_months_apart(early, late) // (12 if unit == "years" else 1))


def _explain_zone(error: object) -> str:
    """What a model reads that called with the wrong arguments."""
    return "current_time takes one argument: timezone, a text such as Europe/Paris"


def _explain_add(error: object) -> str:
    return f"add_to_date takes date (YYYY-MM-DD) and whole numbers up to {_MOST:,}: days, weeks, months, years"


def _explain_between(error: object) -> str:
    return "date_difference takes two dates as YYYY-MM-DD, start and end, and unit: days, weeks, months or years"


current_time.handle_tool_error = add_to_date.handle_tool_error = date_difference.handle_tool_error = True
current_time.handle_validation_error = _explain_zone
add_to_date.handle_validation_error = _explain_add
date_difference.handle_validation_error = _explain_between
current_time.metadata = {"inputs": {"timezone": "text"}, "output": "date", "cost_s": 0.001}
add_to_date.metadata = {
    "inputs": {"date": "date", "days": "number", "weeks": "number", "months": "number", "years": "number"},
    "output": "date",
    "cost_s": 0.001,
}
date_difference.metadata = {
    "inputs": {"start": "date", "end": "date", "unit": "choice"},
    "output": "number",
    "cost_s": 0.001,
}
