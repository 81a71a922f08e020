"""Why a text was classified as it was: the words and features that drove domain and depth, and what would flip it.

Each piece of the text is left out in turn and the text is classified again: what its absence changes is what it did. The
features of form (numbers, marks, layout, length, tools) are taken back to their average over the training rows, a group
at a time. Nothing here guesses at the inside of the network, so the account holds for any classifier of this shape.

    python -c "from qwen_router.profile.explanation import explain; print(explain('What is 12 * 13?').words[:3])"
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qwen_router.profile.classifier import Classifier, default_classifier
from qwen_router.profile.features import FORM, Features, Text, features_of, features_of_many
from qwen_router.profile.inspection import brings_media_only, inspect, read_at_hand, text_of
from qwen_router.profile.reading import ask_of
from qwen_router.profile.types import DOMAINS, Domain, Profile
from qwen_router.request import Request

PIECES = 80
"""A longer text is cut into this many runs of words."""
FLIP_PIECES = 6
"""How many pieces are taken away in search of another domain."""
_PIECE = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]{1,2}|[^\W\d_]+(?:['’][^\W\d_]+)*|\d+(?:[.,]\d+)*|[^\w\s]+|_+"
)

_GROUPS: dict[str, tuple[str, ...]] = {
    "how many numbers": ("numbers", "digits", "asks_with_numbers"),
    "length and lines": ("chars", "lines", "words", "under_", "over_", "sentences", "word_length", "spaces"),
    "how it ends": ("ends_",),
    "options (A, B, C)": ("count 'A", "count 'B", "count 'C", "count '\\nA", "count '\\nB", "count '(B)", 'count "\'B"'),
    "marks of code and layout": ("count ", "punctuation"),
    "the tools it declares": ("tools_declared", "tool_overlap"),
    "earlier turns": ("turns",),
    "script": ("wide", "unspaced", "ascii_letters", "emoji", "known_words"),
}


@dataclass(frozen=True, slots=True)
class Effect:
    """What one piece or group did: `domain` is the change of the winner's lead over the next domain, in log-odds; `depth`
    the change of depth. Positive means that its presence speaks for the winner, or for more thinking."""

    what: str
    domain: float
    depth: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """`words` and `form` are in order of what they did to the domain, strongest first; `flips` says what would change it."""

    profile: Profile
    against: Domain
    words: tuple[Effect, ...]
    form: tuple[Effect, ...]
    flips: str

    def by_depth(self) -> tuple[Effect, ...]:
        """Words and groups of form in order of what they did to the depth."""
        return tuple(sorted((*self.words, *self.form), key=lambda effect: -abs(effect.depth)))


def explain(request: Request | str, *, classifier: Classifier | None = None) -> Explanation:
    """The profile of `request` with its reasons. An abstaining profile is explained by its strongest domain all the same."""
    model = classifier or default_classifier()
    if isinstance(request, str):
        request = Request.from_text(request)
    profile = inspect(request, classifier=model)
    text = text_of(request, ask_of(request))
    order = sorted(range(len(DOMAINS)), key=lambda i: -profile.domains[DOMAINS[i]])
    judge = _Judge(model, order[0], order[1], at_hand=brings_media_only(request))
    spans = _pieces(text.excerpt)
    whole = judge.lead_and_depth(features_of_many([text]))[0]
    without = judge.lead_and_depth(features_of_many([_without(text, [span]) for span in spans])) if spans else []
    words = [
        Effect(" ".join(text.excerpt[a:b].split()), whole[0] - lead, whole[1] - depth)
        for (a, b), (lead, depth) in zip(spans, without, strict=True)
    ]
    strongest = sorted(range(len(words)), key=lambda i: -words[i].domain)
    return Explanation(
        profile,
        DOMAINS[order[1]],
        tuple(_merged(words)),
        _form_effects(judge, text, whole),
        _flip(judge, text, spans, strongest),
    )


class _Judge:
    """Classifies feature sets and says how far one domain leads over another, and the depth."""

    def __init__(self, model: Classifier, first: int, second: int, *, at_hand: bool) -> None:
        self.model, self.first, self.second, self.at_hand = model, first, second, at_hand

    def lead_and_depth(self, features: Sequence[Features]) -> list[tuple[float, float]]:
        scores = [self.model.scores(one) for one in features]
        shares = [self._shares(s.domains) for s in scores]
        leads = [math.log(share[self.first]) - math.log(share[self.second]) for share in shares]
        return [(lead, s.depth) for lead, s in zip(leads, scores, strict=True)]

    def domain(self, text: Text) -> tuple[Domain, float]:
        shares = self._shares(self.model.scores(features_of_many([text])[0]).domains)
        best = int(np.argmax(shares))
        return DOMAINS[best], shares[best]

    def _shares(self, domains: tuple[float, ...]) -> tuple[float, ...]:
        return read_at_hand(domains) if self.at_hand else domains


def _pieces(excerpt: str) -> list[tuple[int, int]]:
    """Where the words, numbers and marks of the text lie; runs of them when there are many."""
    spans = [match.span() for match in _PIECE.finditer(excerpt)]
    step = -(-len(spans) // PIECES)
    return [(spans[i][0], spans[min(i + step, len(spans)) - 1][1]) for i in range(0, len(spans), max(1, step))]


def _without(text: Text, spans: Sequence[tuple[int, int]]) -> Text:
    kept, at = [], 0
    for start, end in sorted(spans):
        kept.append(text.excerpt[at:start])
        at = end
    return text._replace(excerpt="".join(kept) + text.excerpt[at:])


def _merged(effects: list[Effect]) -> list[Effect]:
    """The same word in several places counts once, with the sum of what it did; strongest first."""
    sums: dict[str, tuple[float, float]] = {}
    for effect in effects:
        domain, depth = sums.get(effect.what, (0.0, 0.0))
        sums[effect.what] = (domain + effect.domain, depth + effect.depth)
    merged = [Effect(what, domain, depth) for what, (domain, depth) in sums.items()]
    return sorted(merged, key=lambda effect: -abs(effect.domain))


def _form_effects(judge: _Judge, text: Text, whole: tuple[float, float]) -> tuple[Effect, ...]:
    """What each group of form features did, against the average text."""
    features = features_of(text.excerpt, total_chars=text.total_chars, tool_names=text.tool_names, turns=text.turns)
    taken: set[int] = set()
    names, variants = [], []
    for name, starts in _GROUPS.items():
        places = [i for i, form in enumerate(FORM) if i not in taken and form.startswith(starts)]
        taken.update(places)
        form = features.form.copy()
        form[places] = judge.model.form_mean[places]
        names.append(name)
        variants.append(features._replace(form=form))
    effects = [
        Effect(name, whole[0] - lead, whole[1] - depth)
        for name, (lead, depth) in zip(names, judge.lead_and_depth(variants), strict=True)
    ]
    return tuple(sorted(effects, key=lambda effect: -abs(effect.domain)))


def _flip(judge: _Judge, text: Text, spans: Sequence[tuple[int, int]], strongest: Sequence[int]) -> str:
    """The fewest of the strongest pieces without which the domain is another, as a sentence."""
    gone: list[tuple[int, int]] = []
    for place in strongest[:FLIP_PIECES]:
        gone.append(spans[place])
        domain, share = judge.domain(_without(text, gone))
        if domain != DOMAINS[judge.first]:
            told = ", ".join(repr(" ".join(text.excerpt[a:b].split())) for a, b in gone)
            return f"without {told} it would be {domain} ({share:.2f})"
    if not spans:
        return "there are no words to take away"
    return f"taking away the {len(gone)} strongest pieces does not change the domain"
