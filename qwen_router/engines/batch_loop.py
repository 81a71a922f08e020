"""Runs many generations of one transformers model as one batch: whoever comes joins at the next step, whoever ends leaves.

`BatchLoop.run` gives one generation's text; calls of several threads share the batch without knowing of each other. One
thread works while there is work. A prompt, and the stop sentence of a spent thinking budget, are read alone (512 tokens
a step at most) and joined then. What each row says next is `token_loop.py`'s
decision. transformers' own continuous batching is not used: nothing can be put into a running request of it, and its
requests share one seed and know neither min-p nor a presence penalty of their own.

    python -c "from qwen_router.engines.batch_loop import BatchLoop; print(BatchLoop.__doc__)"
"""

from __future__ import annotations

import atexit
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Condition, Event, Thread
from typing import Any
from weakref import WeakSet

from qwen_router.engines.batch_cache import Part, held_bytes, joinable, joined, new_cache, step_inputs
from qwen_router.engines.sampler import Scores
from qwen_router.engines.token_loop import PREFILL_CHUNK_TOKENS, Generation, TokenPlan
from qwen_router.engines.torch_steps import cpu_threads_set
from qwen_router.errors import EngineTimeout

MAX_UNREAD_PIECES = 256
"""When every reader is this far behind, the batch waits for them."""
EXIT_S = 5.0
"""So long the end of the process waits for a step that runs."""
_LOOK_AGAIN_S = 0.05


@dataclass(eq=False)
class _Row:
    """One generation in the batch. `to_read` are the ids that the model has not read; `length` counts those it has."""

    generation: Generation
    to_read: tuple[int, ...]
    unread: SimpleQueue[str | BaseException | None] = field(default_factory=SimpleQueue)
    gone: Event = field(default_factory=Event)
    cache: Any = None  # its own while it reads alone
    length: int = 0
    admitted: bool = False
    left: bool = False

    def end(self, error: BaseException | None = None) -> None:
        self.unread.put(error)
        self.cache = None
        self.gone.set()


@dataclass
class _Group:
    """Rows that take their steps together: row i stands at `places[i]` of the cache."""

    cache: Any
    rows: list[_Row]
    places: list[int]
    departed: bool = False

    @property
    def part(self) -> Part:
        return Part(self.cache, tuple(self.places), tuple(row.length for row in self.rows))

    @property
    def tight(self) -> bool:
        """Whether the cache holds these rows and no others."""
        return self.places == list(range(len(self.rows))) and not self.departed

    def keep(self, rows: Sequence[_Row]) -> None:
        kept = [(row, place) for row, place in zip(self.rows, self.places, strict=True) if row in rows]
        self.departed = self.departed or len(kept) < len(self.rows)
        self.rows, self.places = [row for row, _ in kept], [place for _, place in kept]


class BatchLoop:
    """At most `max_rows` generations of `model` at a time; others wait. `cpu_threads` is None on an accelerator."""

    def __init__(self, model: Any, *, max_rows: int, cpu_threads: int | None) -> None:
        self._model, self._max_rows, self._cpu_threads = model, max_rows, cpu_threads
        self._changed = Condition()
        self._waiting: list[_Row] = []
        self._reading: list[_Row] = []
        self._groups: list[_Group] = []
        self._worker: Thread | None = None
        self._last_worker: Thread | None = None  # it may still be on its way out
        self._bytes_per_token = 0.0  # unknown until the first cache is seen
        _loops.add(self)

    def run(self, generation: Generation) -> Generator[str, None, None]:
        """The text of `generation` as it comes, a piece for every step, some empty. Closing the generator frees its place.

        Raises `EngineTimeout` when the plan's `step_timeout_s` passes without a step, and what the model raises.
        """
        row = _Row(generation, generation.plan.prompt_ids)
        with self._changed:
            self._waiting.append(row)
            if self._worker is None:
                self._worker = self._last_worker = Thread(target=self._work, name="qwen-router-batch", daemon=True)
                self._worker.start()
        try:
            while (piece := self._next(row)) is not None:
                yield piece
        finally:
            with self._changed:
                row.left = True
                self._changed.notify_all()
            row.gone.wait(timeout=1.0)  # a step that runs is not cut short

    def _next(self, row: _Row) -> str | None:
        timeout_s = row.generation.plan.step_timeout_s
        try:
            piece = row.unread.get(timeout=timeout_s)
        except Empty:
            what = "one step took longer than" if row.admitted else "no place in the batch became free for"
            raise EngineTimeout(
                f"{what} {timeout_s:g} s",
                fix="use a smaller model, or a longer timeout" if row.admitted else "send fewer requests at a time",
                engine="transformers",
                endpoint="in process",
            ) from None
        if isinstance(piece, BaseException):
            raise piece
        return piece

    def stop(self, within_s: float) -> None:
        """Everybody leaves, and the thread ends with the step that runs, if that takes no longer."""
        with self._changed:
            worker = self._worker or self._last_worker
            for row in (*self._waiting, *self._rows):
                row.left = True
            self._changed.notify_all()
        if worker is not None:
            worker.join(max(0.0, within_s))

    # --- the thread that works -------------------------------------------------------------------------------------

    @property
    def _rows(self) -> list[_Row]:
        return [*self._reading, *(row for group in self._groups for row in group.rows)]

    def _work(self) -> None:
        try:
            self._work_while_there_are_rows()
        except BaseException as error:  # nobody may wait for a thread that is gone
            with self._changed:
                for row in (*self._waiting, *self._rows):
                    row.end(error)
                self._waiting, self._reading, self._groups, self._worker = [], [], [], None

    def _work_while_there_are_rows(self) -> None:
        while True:
            with self._changed:
                self._let_go()
                self._admit()
                rows = self._rows
                if not rows:
                    self._worker = None
                    return
                if all(row.unread.qsize() > MAX_UNREAD_PIECES for row in rows):
                    self._changed.wait(_LOOK_AGAIN_S)
                    continue
            self._join(self._read())
            for group in list(self._groups):
                self._take_step(group)

    def _let_go(self) -> None:
        for row in [row for row in (*self._waiting, *self._rows) if row.left]:
            row.end()
        self._waiting = [row for row in self._waiting if not row.left]
        self._reading = [row for row in self._reading if not row.left]
        for group in self._groups:
            group.keep([row for row in group.rows if not row.left])
        self._groups = [group for group in self._groups if group.rows]

    def _admit(self) -> None:
        while self._waiting and len(self._rows) < self._max_rows and self._fits(self._waiting[0].generation.plan):
            row = self._waiting[0]
            row.admitted, row.cache = True, new_cache(self._model)
            self._reading.append(self._waiting.pop(0))

    def _fits(self, plan: TokenPlan) -> bool:
        """Whether the memory that is free holds one more at its longest, as wide as the widest; the first always may."""
        plans = [row.generation.plan for row in self._rows]
        free_bytes = _free_bytes(self._model) if plans else None
        if free_bytes is None:
            return True
        columns = max(map(_longest_tokens, (*plans, plan)))
        held = sum(held_bytes(group.cache) for group in self._groups)
        return (len(plans) + 1) * columns * self._bytes_per_token - held <= free_bytes

    def _read(self) -> list[_Row]:
        """Let rows read what is more than one token, a chunk each until the step's share is spent; who is ready to join."""
        spent_tokens, ready = 0, []
        for row in list(self._reading):
            if spent_tokens >= PREFILL_CHUNK_TOKENS:
                break
            chunk, rest = row.to_read[:PREFILL_CHUNK_TOKENS], row.to_read[PREFILL_CHUNK_TOKENS:]
            spent_tokens += len(chunk)
            try:
                scores = self._scores(row.cache, [row], [chunk])
                row.to_read = rest
                if rest:
                    row.unread.put("")
                    continue
                self._advance(row, scores[0])
            except BaseException as error:  # the reader's, whatever it is
                row.end(error)
            if len(row.to_read) == 1 or row.gone.is_set():
                self._reading.remove(row)
            if len(row.to_read) == 1 and not row.gone.is_set():
                ready.append(row)
        return ready

    def _join(self, rows: Sequence[_Row]) -> None:
        """Put rows with caches of their own into the group, or into one each where caches cannot be joined."""
        news = [_Group(row.cache, [row], [0]) for row in rows]
        for row in rows:
            row.cache = None
        if not news or not joinable(news[0].cache):
            self._groups += news
            return
        groups = [*self._groups, *news]
        together = [row for group in groups for row in group.rows]
        if len(groups) == 1:
            self._groups = groups
            return
        try:
            cache = joined([group.part for group in groups])
        except BaseException as error:
            self._groups = []
            for row in together:
                row.end(error)
            return
        self._groups = [_Group(cache, together, list(range(len(together))))]

    def _take_step(self, group: _Group) -> None:
        """One token for every row of the group."""
        try:
            if not group.tight:
                group.cache = joined([group.part])
                group.places, group.departed = list(range(len(group.rows))), False
            scores = self._scores(group.cache, group.rows, [row.to_read for row in group.rows])
        except BaseException as error:
            self._fail(group, error)
            return
        self._bytes_per_token = held_bytes(group.cache) / (len(group.rows) * max(row.length for row in group.rows))
        for row, its_scores in zip(group.rows, scores, strict=True):
            try:
                self._advance(row, its_scores)
                if len(row.to_read) > 1:
                    self._send_reading(row, group)
            except BaseException as error:
                row.end(error)
        group.keep([row for row in group.rows if not row.gone.is_set() and row not in self._reading])
        if not group.rows:
            self._groups.remove(group)

    def _send_reading(self, row: _Row, group: _Group) -> None:
        """The row reads several tokens next, in a cache of its own."""
        place = group.places[group.rows.index(row)]
        alone = len(group.rows) == 1
        row.cache = group.cache if alone else joined([Part(group.cache, (place,), (row.length,))], keep=True)
        self._reading.append(row)

    def _fail(self, group: _Group, error: BaseException) -> None:
        self._groups.remove(group)
        for row in group.rows:
            row.end(error)

    def _advance(self, row: _Row, scores: Scores) -> None:
        text, row.to_read = row.generation.advance(scores)
        row.unread.put(text)
        if not row.to_read:
            row.end()

    def _scores(self, cache: Any, rows: Sequence[_Row], ids: Sequence[tuple[int, ...]]) -> Scores:
        """Read ids into the cache, as many for every row; the scores behind them, shape (rows, vocabulary)."""
        import torch

        device, inputs = self._model.device, dict[str, Any]()
        if all(len(its_ids) == 1 and row.length for row, its_ids in zip(rows, ids, strict=True)) and joinable(cache):
            lengths = [row.length for row in rows]
            inputs = step_inputs(cache, lengths, device=device, dtype=self._model.dtype)
        with torch.inference_mode(), cpu_threads_set(self._cpu_threads):
            tokens = torch.tensor(ids, device=device)
            out = self._model(input_ids=tokens, past_key_values=cache, use_cache=True, logits_to_keep=1, **inputs)
            scores: Scores = out.logits[:, -1].float().cpu().numpy()
        for row, its_ids in zip(rows, ids, strict=True):
            row.length += len(its_ids)
        return scores


def _longest_tokens(plan: TokenPlan) -> int:
    """Tokens that a generation may come to."""
    thinking = (plan.thinking_budget_tokens or 0) + len(plan.stop_thinking_ids) if plan.thinking else 0
    return min(plan.context_tokens, len(plan.prompt_ids) + thinking + plan.max_answer_tokens + 2)


def _free_bytes(model: Any) -> float | None:
    """Memory that is free where the model is; None where nobody can say."""
    if model.device.type == "cpu":
        import psutil

        return float(psutil.virtual_memory().available)
    if model.device.type == "cuda":
        import torch

        free, _ = torch.cuda.mem_get_info(model.device)
        return float(free + torch.cuda.memory_reserved(model.device) - torch.cuda.memory_allocated(model.device))
    return None


_loops: WeakSet[BatchLoop] = WeakSet()


@atexit.register
def _stop_all() -> None:
    """A thread that comes back from torch into a Python that is ending is taken away, and C++ aborts for that."""
    deadline = time.monotonic() + EXIT_S
    for loop in list(_loops):
        loop.stop(deadline - time.monotonic())
