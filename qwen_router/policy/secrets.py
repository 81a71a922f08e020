"""Finds what looks like a password or an API key in a file's text, and shows it masked.

A policy needs no secret: keys of endpoints come from the environment. Shapes only; nothing is asked of anybody.

    python -c "from qwen_router.policy.secrets import secrets_in; print(secrets_in('key: hf_' + 'aB3' * 12))"
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass

_SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("an API key", re.compile(r"\bsk-[A-Za-z0-9_-]{16,}")),
    ("a Hugging Face token", re.compile(r"\bhf_[A-Za-z0-9]{16,}")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,})")),
    ("an AWS key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a Google key", re.compile(r"\bAIza[0-9A-Za-z_-]{30,}")),
    ("a Slack token", re.compile(r"\bxox[abprs]-[0-9A-Za-z-]{10,}")),
    ("a JSON web token", re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")),
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("a bearer token", re.compile(r"(?i)\bbearer\s+[A-Za-z0-9._~+/=-]{16,}")),
    ("a password in an address", re.compile(r"(?<=://)[^/\s:@'\"]+:[^/\s@'\"]+(?=@)")),
    ("a long hexadecimal value", re.compile(r"\b[0-9a-fA-F]{32,}\b")),
    ("a long random value", re.compile(r"[A-Za-z0-9+_]{32,}={0,2}")),
)
_RANDOM_BITS = 3.5
"""Entropy a character from which a long run of letters and digits is no word: English text has about 4 over all letters, but
words of 32 letters and digits in both cases do not occur."""


@dataclass(frozen=True, slots=True)
class Secret:
    line: int
    what: str
    masked: str


def secrets_in(text: str) -> tuple[Secret, ...]:
    """Everything that looks like a secret, one a line, comments included."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        for what, shape in _SHAPES:
            hit = shape.search(line)
            if hit is not None and (what != "a long random value" or _random(hit.group())):
                found.append(Secret(number, what, masked(hit.group())))
                break
    return tuple(found)


def masked(secret: str) -> str:
    """Enough to find it again and too little to use it."""
    return f"{secret[:4]}*** ({len(secret)} characters)"


def _random(run: str) -> bool:
    if not (re.search("[a-z]", run) and re.search("[A-Z]", run) and re.search("[0-9]", run)):
        return False
    counts = Counter(run)
    return -sum(n / len(run) * math.log2(n / len(run)) for n in counts.values()) >= _RANDOM_BITS
