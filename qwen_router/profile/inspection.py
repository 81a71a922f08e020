"""Put the parts of the profile room together: one `Request` in, one `Profile` out.

Each part does its own work (`reading`, `features`, `classifier`, `language`, `tokens`); this file decides what happens when
there is nothing to classify, and how long an answer is to be expected.

    python -c "from qwen_router.profile.inspection import inspect; print(inspect('Hallo!').language)"
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qwen_router.profile import chars
from qwen_router.profile.classifier import Classifier, Scores, default_classifier
from qwen_router.profile.features import Text, read_texts
from qwen_router.profile.language import language_of, output_languages
from qwen_router.profile.reading import EXCERPT_CHARS, asked_of, excerpt_of
from qwen_router.profile.tokens import many_request_tokens
from qwen_router.profile.types import DOMAINS, Domain, Profile
from qwen_router.request import MODALITIES, Modality, Request

BATCH = 64
"""Requests that are read together: more gains little, and an answer waits for its whole batch."""
OUTPUT_TOKENS: Mapping[Domain, int] = MappingProxyType({
    "math": 350, "code": 450, "reasoning": 300, "knowledge": 300, "extraction": 120, "writing": 600, "chat": 80,
    "translation": 120, "tools": 60,
})  # fmt: skip
"""Expected answer without thinking, by domain. Priors of ours: no shared row has an answer to measure."""
_ASKED_LENGTH = re.compile(
    r"(\d{2,5})[\s-]*(?:words?\b|palabras|palavras|mots\b|w[oö]rter|parole\b|слов|kelime|kata\b|từ\b|单词|字|文字|자\b|characters?\b)"
    r"|\b(\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten)"
    r"\s(?:short\s)?(sentences?|paragraphs?|lines?|bullet points?)\b"
    r"|([一二两三四五六七八九十]|\d{1,2})(?:句话|句|段|行)",
    re.IGNORECASE,
)
_NUMBERS = {
    **dict(zip("one two three four five six seven eight nine ten".split(), range(1, 11), strict=True)),
    **dict(zip("一二三四五六七八九十", range(1, 11), strict=True)),
    "两": 2,
}
_UNIT_TOKENS = {"sentence": 28, "paragraph": 110, "line": 14, "bullet": 20}
"""Tokens of one such unit of English prose: stated priors."""
_CHINESE_UNIT_TOKENS = 30


def inspect(request: Request | str, *, classifier: Classifier | None = None) -> Profile:
    """What `request` needs. Text that cannot be judged gives an abstaining profile with a reason, never an exception."""
    return _inspect_batch([request], classifier or default_classifier())[0]


def inspect_many(requests: Iterable[Request | str], *, classifier: Classifier | None = None) -> list[Profile]:
    """`inspect` for each request, in order; `elapsed_us` is each one's share of its batch."""
    model = classifier or default_classifier()
    waiting = iter(requests)
    profiles: list[Profile] = []
    while batch := list(islice(waiting, BATCH)):
        profiles += _inspect_batch(batch, model)
    return profiles


def _inspect_batch(batch: Sequence[Request | str], model: Classifier) -> list[Profile]:
    """The one path that every request takes: what goes character by character is done once for the whole batch."""
    started = time.perf_counter()
    requests = [Request.from_text(item) if isinstance(item, str) else item for item in batch]
    asks = [asked_of(request) for request in requests]
    texts = [text_of(request, ask) for request, (ask, _) in zip(requests, asks, strict=True)]
    read = read_texts(texts)
    tokens = many_request_tokens(requests)
    scores = [model.scores(read.features(i, text)) for i, text in enumerate(texts)]
    languages = [language_of(text.excerpt, read.by_class[i]) for i, text in enumerate(texts)]
    elapsed_us = (time.perf_counter() - started) * 1e6 / len(batch)  # what is left takes some 10 microseconds a request
    return [
        _profile(
            requests[i],
            asks[i][1],
            texts[i].excerpt,
            read.by_class[i],
            scores[i],
            languages[i],
            tokens[i],
            model,
            elapsed_us,
        )
        for i in range(len(batch))
    ]


def text_of(request: Request, ask: str) -> Text:
    """What the classifier reads of a request whose last ask is `ask`."""
    excerpt = excerpt_of(ask)
    return Text(
        excerpt,
        len(excerpt) if len(ask) <= EXCERPT_CHARS else len(ask),
        tuple(tool.name for tool in request.tools),
        sum(message.role == "user" for message in request.messages),
    )


def _profile(
    request: Request,
    whole_ask: str,
    excerpt: str,
    by_class: NDArray[np.intp],
    scores: Scores,
    language: str,
    input_tokens: int,
    model: Classifier,
    elapsed_us: float,
) -> Profile:
    nothing = _nothing_to_classify(excerpt, by_class)
    domains = read_at_hand(scores.domains) if brings_media_only(request) else scores.domains
    probabilities = domains if nothing is None else (1 / len(DOMAINS),) * len(DOMAINS)
    confidence = max(probabilities)
    best = probabilities.index(confidence) if nothing is None else DOMAINS.index("chat")
    reason = nothing
    if reason is None and confidence < model.abstain_below:
        reason = f"no domain is likely enough: {DOMAINS[best]} {confidence:.2f}, below {model.abstain_below:.2f}"
    return Profile(
        domain=DOMAINS[best],
        domains=MappingProxyType(dict(zip(DOMAINS, probabilities, strict=True))),
        depth=scores.depth if nothing is None else 0.0,
        difficulty=scores.difficulty if nothing is None else 0.0,
        language=language,
        output_languages=output_languages(whole_ask, language),
        modalities=modalities_of(request),
        confidence=confidence,
        abstained=reason is not None,
        reason=reason,
        input_tokens=input_tokens,
        output_tokens=_output_tokens(DOMAINS[best], excerpt, request),
        elapsed_us=elapsed_us,
    )


def brings_media_only(request: Request) -> bool:
    """Whether a picture, sound or video is attached and no tool is declared."""
    return bool(request.attachments) and not request.tools


def read_at_hand(domains: tuple[float, ...]) -> tuple[float, ...]:
    """Probabilities of a request that brings a medium and no tools: what its words alone would ask a tool for ("what
    does the sign say?") is read from what is attached."""
    moved = list(domains)
    moved[DOMAINS.index("extraction")] += moved[DOMAINS.index("tools")]
    moved[DOMAINS.index("tools")] = 0.0
    return tuple(moved)


def modalities_of(request: Request) -> tuple[Modality, ...]:
    """The kinds of content, in the order of `MODALITIES`; what an earlier turn attached still counts."""
    kinds: set[str] = {attachment.kind for attachment in request.attachments}
    if not kinds or any(message.text for message in request.messages):
        kinds.add("text")
    return tuple(kind for kind in MODALITIES if kind in kinds)


def _nothing_to_classify(excerpt: str, by_class: NDArray[np.intp]) -> str | None:
    """Why the text says nothing about what it needs, or None."""
    if not excerpt:
        return "the request has no text"
    counts: list[int] = by_class.tolist()
    total = sum(counts)
    blank = counts[chars.SPACE] + counts[chars.NEWLINE] + counts[chars.INVISIBLE]
    if blank == total:
        return "the text is blank"
    if not any(counts[chars.LATIN_LOWER : chars.FIRST_MARK]) and not counts[chars.DIGIT]:
        return "the text has neither letters nor digits"
    broken = counts[chars.OTHER] + counts[chars.SURROGATE] + excerpt.count("\ufffd")
    if broken * 5 > total - blank:
        return "the text looks like binary data"
    if total >= 40 and len(set(excerpt)) <= 2:
        return "the text repeats one character"
    return None


def _output_tokens(domain: Domain, excerpt: str, request: Request) -> int:
    """The domain's prior, or what the ask itself says ("in 500 words"), held to the caller's own limit."""
    asked = _ASKED_LENGTH.search(excerpt) if domain in ("writing", "knowledge", "chat", "extraction") else None
    expected = _asked_tokens(asked) if asked else OUTPUT_TOKENS[domain]
    limit = request.wishes.max_output_tokens
    return min(expected, limit) if limit else expected


def _asked_tokens(asked: re.Match[str]) -> int:
    words, count, unit, chinese_count = asked.groups()
    if words:
        return round(int(words) * 1.35)
    if unit:
        return _number(count) * next(tokens for name, tokens in _UNIT_TOKENS.items() if unit.lower().startswith(name))
    return _number(chinese_count) * _CHINESE_UNIT_TOKENS


def _number(text: str) -> int:
    return int(text) if text.isdigit() else _NUMBERS[text.lower()]


def profile_line(profile: Profile) -> dict[str, Any]:
    """The fields of a classify line, in the order that DESIGN gives, then `output_tokens` and `reason`."""
    return {
        "domain": profile.domain,
        "domains": {name: round(value, 4) for name, value in profile.domains.items()},
        "depth": round(profile.depth, 3),
        "difficulty": round(profile.difficulty, 3),
        "language": profile.language,
        "output_languages": list(profile.output_languages),
        "modalities": list(profile.modalities),
        "confidence": round(profile.confidence, 4),
        "abstained": profile.abstained,
        "input_tokens": profile.input_tokens,
        "elapsed_us": round(profile.elapsed_us, 1),
        "output_tokens": profile.output_tokens,
        "reason": profile.reason,
    }
