"""Search in the documents of a folder: by words, by meaning where an embedding model is served, reordered by a reranker.

Both rankings count: a passage gets 1 / (60 + its rank) from each (reciprocal rank fusion), and the best of those go to the
reranker, which reads question and passage together. Without a model for the one or the other the search goes on with what
there is, and `Found.how` and `Found.notes` say so. What is found was written by strangers: it is data, for a model to read
as such; nothing here obeys it.

    python -c "from pathlib import Path; from qwen_router.retrieval import search; \\
        print(search(Path('.'), 'notice period', 'docs').hits[0].passage.place)"
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from qwen_router.errors import EngineNonsense, InvalidRequest, NoModelFits, RouterError
from qwen_router.retrieval.index import Index, Passage, Refreshed, batches, index_file, opened, units
from qwen_router.retrieval.words import WordRanking

if TYPE_CHECKING:
    from qwen_router.embedding import Embedded, Purpose, Reranked

CANDIDATES = 40
"""Of each ranking, how many take part in the fusion."""
RERANKED = 20
FUSION_RANK = 60
BATCH = 32
EMBED_S = 60.0
"""Within a search, how long passages are embedded: the rest follows with the next searches."""
MOST_QUERY_CHARS = 4_000
_locks: dict[Path, threading.Lock] = {}
"""One search of a root at a time in this process: two of them would embed the same passages."""


class Searcher(Protocol):
    """The part of a `Router` that a search uses; what it gives is `Embedded` and `Reranked` of embedding/."""

    def embed(self, texts: Sequence[str], *, model: str | None = None, purpose: Purpose = "document") -> Embedded: ...
    def rerank(self, query: str, documents: Sequence[str]) -> Reranked: ...


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found. What `score` measures is in `Found.how`; a higher one is better."""

    passage: Passage
    score: float


@dataclass(frozen=True, slots=True)
class Found:
    """`hits`, the best first, out of `files` documents with `passages` passages. `how` says by what they were ranked, and
    `notes` what was left out or could not be done."""

    hits: tuple[Hit, ...]
    files: int
    passages: int
    how: str
    notes: tuple[str, ...] = ()


def search(root: Path, query: str, path: str = ".", *, router: Searcher | None = None, most: int = 6) -> Found:
    """The passages of documents below `path` (a file or a folder below `root`) that suit the question best.

    New and changed files are read first. `router` None searches by words alone. Raises `InvalidRequest` for an empty
    question, a path that is none or leaves the root, and a folder without documents; `MissingExtra`.
    """
    if not query.strip() or len(query) > MOST_QUERY_CHARS:
        raise InvalidRequest(
            f"the question has {len(query):,} characters", fix=f"ask in 1 to {MOST_QUERY_CHARS:,} characters"
        )
    if not root.is_dir():
        raise InvalidRequest(f"there is no folder {str(root)!r} to search", fix="correct the root folder")
    with _locks.setdefault(index_file(root), threading.Lock()), opened(root) as index:
        refreshed = index.refresh(path)
        passages = index.passages(path)
        by_words = _ranking(passages).ranked(query, most=CANDIDATES)
        by_meaning = None if router is None else _by_meaning(index, passages, query, router)
    return _found(query, passages, by_words, by_meaning, refreshed, router, most)


@dataclass(frozen=True, slots=True)
class _Meaning:
    """Passages by number with their cosine, the best first, or why there are none."""

    ranked: tuple[tuple[int, float], ...] = ()
    model: str = ""
    note: str | None = None


def _found(
    query: str,
    passages: Sequence[Passage],
    by_words: Sequence[tuple[int, float]],
    by_meaning: _Meaning | None,
    refreshed: Refreshed,
    router: Searcher | None,
    most: int,
) -> Found:
    notes = [*refreshed.notes, *_told(refreshed.troubles)]
    if by_meaning is not None and by_meaning.note:
        notes.append(by_meaning.note)
    if by_meaning is None or not by_meaning.ranked:
        ranked, how = list(by_words), "words; score: the share of the question's words, from 0 to 1"
    else:
        ranked = _fused(by_words, by_meaning.ranked)
        how = f"words and meaning ({by_meaning.model}); score: 1 where a passage is first by both"
    if router is not None and len(ranked) > 1:
        try:
            texts = [passages[place].text for place, _ in ranked[:RERANKED]]
            reranked = router.rerank(query, texts)
            scores = np.asarray(reranked.scores, dtype=np.float64)
            if scores.shape != (len(texts),):
                raise EngineNonsense(
                    f"{reranked.model} gave {scores.shape} scores for {len(texts)} passages", fix="report it"
                )
            order = np.argsort(-scores, kind="stable")
            ranked = [(ranked[at][0], float(scores[at])) for at in order]
            how = f"{how.partition(';')[0]}, then {reranked.model}; score: that model's, from 0 to 1"
        except NoModelFits:  # there is none; `how` names what did rank them
            pass
        except RouterError as error:
            notes.append(f"not reranked: {error.problem}")
    hits = tuple(Hit(passages[place], score) for place, score in ranked[:most])
    return Found(hits, refreshed.files, len(passages), how, tuple(notes))


def _told(troubles: Sequence[str]) -> list[str]:
    told = [trouble.partition(" (try: ")[0] for trouble in troubles[:3]]
    return told + ([f"{len(troubles) - 3} more files cannot be read"] if len(troubles) > 3 else [])


def _fused(*rankings: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Reciprocal rank fusion, scaled so that the first of every ranking gets 1."""
    points: dict[int, float] = {}
    for ranking in rankings:
        for rank, (place, _) in enumerate(ranking):
            points[place] = points.get(place, 0.0) + (FUSION_RANK + 1) / (FUSION_RANK + 1 + rank) / len(rankings)
    return sorted(points.items(), key=lambda item: (-item[1], item[0]))


def _by_meaning(index: Index, passages: Sequence[Passage], query: str, router: Searcher) -> _Meaning:
    """Rank by vectors, embedding first what has none. An embedding model that is not there or fails is a note."""
    try:
        asked = router.embed([query], purpose="query")
        question = units(np.asarray(asked.vectors, dtype=np.float32))[0]
        note = _embed_missing(index, passages, router, asked.model, width=len(question))
    except RouterError as error:
        return _Meaning(note=f"found by words only: {error.problem} (try: {error.fix})")
    ids = [passage.id for passage in passages]
    vectors = index.vectors(asked.model, ids, width=len(question))
    if not vectors:
        return _Meaning(note=note)
    places = [place for place, at in enumerate(ids) if at in vectors]
    cosines = np.stack([vectors[ids[place]] for place in places]) @ question
    best = np.argsort(-cosines, kind="stable")[:CANDIDATES]
    return _Meaning(tuple((places[at], float(cosines[at])) for at in best), asked.model, note)


def _embed_missing(index: Index, passages: Sequence[Passage], router: Searcher, model: str, *, width: int) -> str | None:
    """Embed passages that have no vector of this model, batch by batch, each stored at once. A note on those left out."""
    known = index.vectors(model, [passage.id for passage in passages], width=width)
    missing = [place for place, passage in enumerate(passages) if passage.id not in known]
    until = time.monotonic() + EMBED_S
    done = 0
    for batch in batches(missing, BATCH):
        if time.monotonic() > until:
            return f"{len(missing) - done:,} of {len(passages):,} passages have no vector yet: search again to go on"
        made = router.embed([passages[place].text for place in batch], model=model)
        vectors = np.asarray(made.vectors, dtype=np.float32)
        if made.model != model or vectors.shape != (len(batch), width):
            left = f"{len(missing) - done:,} passages were left out"
            return f"the embedding model changed from {model} to {made.model} during the search: {left}"
        index.keep(model, [passages[place].id for place in batch], vectors)
        done += len(batch)
    return None


_rankings: dict[int, WordRanking] = {}


def _ranking(passages: Sequence[Passage]) -> WordRanking:
    """The ranking of these passages, kept for the next search of the same ones."""
    texts = tuple(passage.text for passage in passages)
    key = hash(texts)
    if key not in _rankings:
        _rankings.clear()
        _rankings[key] = WordRanking(texts)
    return _rankings[key]
