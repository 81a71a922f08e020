"""Holds an answer to a JSON schema while it is generated: which tokens may come next. With llguidance.

For the engines that draw tokens themselves (`token_loop.py` asks, `sampler.py` draws). What llguidance cannot enforce is
logged and left to the check of the finished answer (`structured.py`), and so is everything where the library is missing: no
schema raises an error here.

    python -c "from qwen_router.engines.grammar import Grammars; print(Grammars.of.__doc__)"
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from qwen_router.engines.base import Call
from qwen_router.engines.call_format import answer_format

Allowed = npt.NDArray[np.bool_]
"""One entry for each token of the vocabulary: whether it may come next."""

_log = logging.getLogger(__name__)
_OPTIONS = {
    # A space, or a new line with its indentation: with more, a small model may write spaces until its budget is spent.
    "whitespace_pattern": r" |\n[ \t]{0,20}",
    "lenient": True,  # what cannot be enforced is checked afterwards
    "coerce_one_of": True,
}
_SHOWN_CHARS = 160


class Grammar:
    """The grammar of one answer, at the place that the answer has reached."""

    def __init__(self, matcher: Any) -> None:
        self._matcher = matcher
        self._given_up = False

    def allowed(self, vocabulary_tokens: int) -> Allowed | None:
        """What may come next, an end of sequence only where the JSON is complete; None for anything.

        `vocabulary_tokens` is how many scores there are, which is often more than the tokenizer has tokens.
        """
        if self._given_up:
            return None
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        allowed = np.unpackbits(bits, count=vocabulary_tokens, bitorder="little").view(np.bool_)
        if self._matcher.is_error() or not allowed.any():
            self._given_up = True
            _not_enforced(self._matcher.get_error() or "no token can go on from here")
            return None
        return allowed

    def take(self, token: int) -> None:
        """The answer goes on with this token."""
        if not self._given_up:
            self._matcher.consume_token(token)

    @property
    def complete(self) -> bool:
        """Whether the JSON is complete and nothing can come behind it."""
        return not self._given_up and self._matcher.is_stopped() and not self._matcher.is_error()


class Grammars:
    """Makes the grammars for one loaded model from its `tokenizers.Tokenizer`, which is read once, when first needed."""

    def __init__(self, tokenizer: Any, end_ids: Collection[int]) -> None:
        self._tokenizer, self._end_ids = tokenizer, end_ids
        self._lock, self._read, self._known = Lock(), False, None

    def of(self, call: Call) -> Grammar | None:
        """The grammar for the answer to this call; None where the answer is free, or can only be checked."""
        asked = answer_format(call)
        if asked is None:
            return None
        with self._lock:  # reading takes a second with 150,000 tokens
            if not self._read:
                self._read, self._known = True, _read(self._tokenizer, self._end_ids)
        return None if self._known is None else _grammar(self._known, asked)


def _read(tokenizer: Any, end_ids: Collection[int]) -> Any:
    try:
        from llguidance import LLTokenizer

        return LLTokenizer(tokenizer.to_str(), eos_token=sorted(end_ids) or None)
    except ImportError:
        _not_enforced("llguidance is not installed (try: pip install llguidance)")
    except (ValueError, RuntimeError) as error:
        _not_enforced(f"llguidance cannot read the tokenizer: {error}")
    return None


def _grammar(tokenizer: Any, schema: Mapping[str, Any]) -> Grammar | None:
    from llguidance import LLMatcher, LLParserLimits

    try:
        asked = json.dumps({**(schema or {"type": "object"}), "x-guidance": _OPTIONS})
    except (TypeError, ValueError, RecursionError) as error:
        _not_enforced(str(error))
        return None
    # Models put a blank line behind `</think>`.
    lark = f"start: BLANK? json\nBLANK: /\\n{{1,2}}/\njson: %json {asked}"
    matcher = LLMatcher(tokenizer, lark, log_level=0, limits=LLParserLimits(verbose_errors=False))
    if matcher.is_error():
        _not_enforced(matcher.get_error())
        return None
    for warning in matcher.get_grammar_warnings():
        _not_enforced(warning)
    return Grammar(matcher)


def _not_enforced(why: str) -> None:
    """In one line, without the schema that the library puts behind its messages."""
    said = " ".join(why.partition("\n   1 |")[0].rpartition("compile JSON schema: ")[2].split())
    _log.warning("a JSON schema, or part of it, is checked but not enforced: %s", said[:_SHOWN_CHARS])
