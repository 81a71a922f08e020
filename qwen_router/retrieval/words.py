"""Words of a text in any script, and passages ranked by them (BM25, by langchain-community's retriever over rank_bm25).

Scripts that put no spaces between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese) and Korean, which joins particles to
words, are cut into single characters and pairs of them, as search engines do without a dictionary. Case, width and the
accents of Latin letters do not count. Nothing is stemmed: motors are not found by motor; that is what vectors are for.

    python -c "from qwen_router.retrieval.words import words; print(words('Größe 自然語言'))"
"""

from __future__ import annotations

import re
import sys
import unicodedata
import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

from qwen_router.errors import MissingExtra

_PAIRED = (
    r"\u0e00-\u0eff"  # Thai, Lao
    r"\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    r"\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"  # kana, Han, Hangul
    r"\U00020000-\U000323af"  # more Han
)
_ACCENTS = re.compile(r"(?<=[A-Za-zÀ-ɏ])[\u0300-\u036f]+")


def words(text: str) -> list[str]:
    """The words of a text, in order and as often as they stand there."""
    plain = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", text))).casefold()
    found: list[str] = []
    for run in _runs().findall(plain):
        if run[0].isascii() or not _is_paired().match(run):
            found.append(run)
            continue
        found += run
        found += (run[at : at + 2] for at in range(len(run) - 1))
    return found


@cache
def _runs() -> re.Pattern[str]:
    r"""Letters, digits and the marks on them: `\w` alone would cut words of Hindi or Thai at their vowel signs."""
    marks = "".join(_ranges([n for n in range(0x300, 0x10000) if unicodedata.category(chr(n))[0] == "M"]))
    return re.compile(f"[{_PAIRED}]+|(?:(?![{_PAIRED}])(?:[^\\W_]|[{marks}]))+")


@cache
def _is_paired() -> re.Pattern[str]:
    return re.compile(f"[{_PAIRED}]")


def _ranges(numbers: Sequence[int]) -> list[str]:
    ranges: list[list[int]] = []
    for n in numbers:
        if ranges and ranges[-1][1] == n - 1:
            ranges[-1][1] = n
        else:
            ranges.append([n, n])
    return [f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in ranges]


class WordRanking:
    """Passages by number, ready to be ranked by the words of a question."""

    def __init__(self, passages: Sequence[str]) -> None:
        """Raises `MissingExtra` without langchain-community or rank_bm25."""
        tokens = [words(text) for text in passages]
        self._words = [frozenset(each) for each in tokens]
        self._retriever = _retriever(tokens) if any(tokens) else None

    def ranked(self, question: str, *, most: int) -> list[tuple[int, float]]:
        """(place, share) of the passages that share a word with the question, the best by BM25 first.

        `share` is how much of the question's words a passage holds, from 0 to 1; a rare word counts more than a common one.
        """
        asked = frozenset(words(question))
        if self._retriever is None or not asked:
            return []
        sharing = sum(not held.isdisjoint(asked) for held in self._words)
        if not sharing:
            return []
        # BM25+ puts whoever shares a word before all who share none
        retriever = self._retriever.model_copy(update={"k": min(most, sharing)})
        best = [document.metadata["place"] for document in retriever.invoke(question)]
        idf: dict[str, float] = retriever.vectorizer.idf
        rarest = max(idf.values())  # of a word that stands nowhere
        whole = sum(idf.get(word, rarest) for word in asked)
        return [(place, sum(idf[word] for word in asked & self._words[place]) / whole) for place in best]


def _retriever(tokens: Sequence[Sequence[str]]) -> Any:
    """langchain-community's retriever over BM25+. Its `from_texts` would take BM25Okapi, which ranks by nothing in small
    folders: a word that stands in half of the passages weighs zero there, and in more of them less than that."""
    try:
        quiet_about_community()
        from langchain_community.retrievers import BM25Retriever
        from langchain_core.documents import Document
        from rank_bm25 import BM25Plus
    except ModuleNotFoundError as error:
        package = {"rank_bm25": "rank-bm25"}.get(error.name or "", "langchain-community")
        raise MissingExtra.of(package, extra="agent") from error
    documents = [Document("", metadata={"place": place}) for place in range(len(tokens))]
    return BM25Retriever(vectorizer=BM25Plus(tokens), docs=documents, preprocess_func=_once)


def _once(question: str) -> list[str]:
    return list(dict.fromkeys(words(question)))


def quiet_about_community() -> None:
    """Import langchain-community without its notice that it is no longer developed (docs/retrieval.md weighs that)."""
    if "langchain_community" not in sys.modules:
        warnings.filterwarnings("ignore", message="`langchain-community` is being sunset", category=DeprecationWarning)
