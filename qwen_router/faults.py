"""What is wrong with a reply, so that a stronger model should be asked: empty, broken, cut, refused, in another language,
or failing the caller's own check.

Says what, decides nothing; `router.py` asks the next model. Wrong facts are not found here: give a `check` for those.

    python -c "from qwen_router.faults import is_refusal; print(is_refusal('I am sorry, but I cannot help with that.'))"
"""

from __future__ import annotations

import re
from collections.abc import Callable

from qwen_router.decide import Decision
from qwen_router.reply import Reply

Check = Callable[[Reply], str | bool | None]
"""A caller's own check of a reply: what is wrong with it, or False; None or True where nothing is."""

BROKEN = ("empty_answer", "invalid_json", "invalid_tool_call")
"""Violations that leave the caller with nothing to use."""
_REFUSAL = re.compile(
    r"\s*(?:i(?:'|’)?m sorry|i am sorry|sorry|i apologi[sz]e|unfortunately)?[,.\s]*(?:but\s+)?(?:as an ai[^,.]{0,40},?\s*)?"
    r"i\s*(?:can(?:'|’)?t|cannot|can not|am unable to|am not able to|(?:'|’)m unable to|(?:'|’)m not able to)\b"
    r"|\s*(?:很?抱歉|对不起)[，,]?\s*(?:但?是?我)?(?:无法|不能|没有办法)",
    re.IGNORECASE,
)
REFUSAL_CHARS = 400
"""A longer reply that begins so says something all the same."""
LEAST_CHARS = 60
"""A shorter answer may be a name, a number, or a word that all languages share."""


def fault_of(reply: Reply, decision: Decision, check: Check | None = None) -> str | None:
    """What is wrong with the reply, in words, or None."""
    broken = next((violation for violation in reply.violations if violation.kind in BROKEN), None)
    if broken is not None:
        return f"{broken.kind.replace('_', ' ')}: {broken.detail}"
    if not reply.answer.strip() and not reply.tool_calls:
        return "the answer is empty"
    if reply.finish_reason == "length":
        return "the answer was cut at its limit"
    if is_refusal(reply.answer) and not reply.tool_calls:
        return "the model refused"
    if (language := _foreign(reply.answer, decision)) is not None:
        return f"the answer is in {language}, asked for was {' or '.join(decision.profile.output_languages)}"
    if check is not None:
        said = check(reply)
        if said not in (None, True):
            return str(said) if said and said is not True else "the caller's check failed"
    return None


def is_refusal(answer: str) -> bool:
    """Whether a short answer only says that it cannot, in English or Chinese. A refusal may be right: a stronger model will
    then refuse as well."""
    return len(answer) <= REFUSAL_CHARS and _REFUSAL.match(answer) is not None


def _foreign(answer: str, decision: Decision) -> str | None:
    """The answer's language where it is plainly none of those asked for; prose only."""
    wanted = decision.profile.output_languages
    if len(answer) < LEAST_CHARS or decision.profile.domain in ("code", "math", "translation") or not wanted:
        return None
    if any(language in ("und", "mul") for language in wanted) or "```" in answer:
        return None
    from qwen_router.profile.language import language_of

    found = language_of(answer)
    return None if found in (*wanted, "und", "mul") else found
