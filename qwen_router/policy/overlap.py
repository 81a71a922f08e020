"""Whether two rules can hold for one request, and whether one holds wherever the other does.

Decided from the conditions alone, for `lint.py`. Where the answer depends on what a pattern may match, `overlap` says yes
and `implies` says no, so that nothing is called unreachable that can be reached.

    python -c "from qwen_router.policy import When; from qwen_router.policy.overlap import overlap; \\
        print(overlap(When(domains=('math',)), When(domains=('code',))))"
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from qwen_router.policy.schema import When

BOUNDED = ("depth", "difficulty", "input_tokens", "load")
_WILD = ("*", "?", "[")
_DAY_MINUTES = 24 * 60


def impossible(when: When) -> str | None:
    """Why these conditions never hold together, or None."""
    if when.hours is not None and not minutes_of(when.hours):
        return f"hours {when.hours} begin when they end"
    if when.max_input_tokens == 0 and any(m != "text" for m in when.modalities):
        return "an attachment takes tokens, and max_input_tokens is 0"
    return None


def overlap(one: When, other: When) -> bool:
    """Whether some request can meet both. A request has several languages, modalities, groups and tags: any two can."""
    for name in ("domains", "days"):
        left, right = getattr(one, name), getattr(other, name)
        if left and right and not set(left) & set(right):
            return False
    for name in ("has_tools", "abstained", "commercial_use"):
        left, right = getattr(one, name), getattr(other, name)
        if left is not None and right is not None and left != right:
            return False
    for name in BOUNDED:
        lows = [w for each in (one, other) if (w := getattr(each, f"min_{name}")) is not None]
        highs = [w for each in (one, other) if (w := getattr(each, f"max_{name}")) is not None]
        if lows and highs and max(lows) > min(highs):
            return False
    if one.hours and other.hours and not minutes_of(one.hours) & minutes_of(other.hours):
        return False
    return not (one.users and other.users) or _may_share(one.users, other.users)


def only_in_both(one: When, other: When) -> bool:
    """Whether both hold only for a request that is in two groups, languages or the like at once, which may never come."""
    names = ("languages", "modalities", "groups", "tags")
    pairs = ((getattr(one, name), getattr(other, name)) for name in names)
    return any(left and right and not _may_share(left, right) for left, right in pairs)


def implies(narrow: When, wide: When) -> bool:
    """Whether `wide` holds for every request for which `narrow` does."""
    for name in ("domains", "languages", "modalities", "days"):
        left, right = getattr(narrow, name), getattr(wide, name)
        if right and not (left and set(left) <= set(right)):
            return False
    for name in ("users", "groups", "tags"):
        left, right = getattr(narrow, name), getattr(wide, name)
        if right and not (left and all(any(_match(p, w) for w in right) for p in left)):
            return False
    for name in ("has_tools", "abstained", "commercial_use"):
        right = getattr(wide, name)
        if right is not None and getattr(narrow, name) != right:
            return False
    if wide.hours is not None and not (narrow.hours and minutes_of(narrow.hours) <= minutes_of(wide.hours)):
        return False
    return all(_bound_implied(narrow, wide, name) for name in BOUNDED)


def minutes_of(hours: str) -> frozenset[int]:
    """The minutes of the day that `HH:MM-HH:MM` holds; past midnight when it ends before it begins."""
    start, end = (int(part[:2]) * 60 + int(part[3:]) for part in hours.split("-"))
    return frozenset(range(start, end) if start <= end else (*range(start, _DAY_MINUTES), *range(end)))


def _bound_implied(narrow: When, wide: When, name: str) -> bool:
    low, high = getattr(wide, f"min_{name}"), getattr(wide, f"max_{name}")
    own_low, own_high = getattr(narrow, f"min_{name}"), getattr(narrow, f"max_{name}")
    if name == "load" and (low, high) != (None, None) and own_low is None and own_high is None:
        return False  # a load that nobody knows meets no bound, not even 0
    return (low is None or low == 0 or (own_low is not None and own_low >= low)) and (
        high is None or (own_high is not None and own_high <= high)
    )


def _may_share(left: tuple[str, ...], right: tuple[str, ...]) -> bool:
    return any(_match(a, b) or _match(b, a) or (_wild(a) and _wild(b)) for a in left for b in right)


def _match(name: str, pattern: str) -> bool:
    return fnmatchcase(name.lower(), pattern.lower())


def _wild(pattern: str) -> bool:
    return any(sign in pattern for sign in _WILD)
