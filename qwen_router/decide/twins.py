"""Which of several endpoints that serve the same build is asked: by load, and by who holds the conversation's cache.

Pure, like all of `decide/`: what runs where and who answered last come in `Circumstances`. Builds are twins when they differ
in nothing but their endpoint (`CandidateTable.twin_of`), so the choice among them costs no quality.

    python -c "from qwen_router.decide.twins import placed_among_twins; print(placed_among_twins.__doc__)"
"""

from __future__ import annotations

import numpy as np

from qwen_router.decide.candidates import CandidateTable, Ints
from qwen_router.decide.predict import Prediction
from qwen_router.policy import Circumstances

OVERLOAD = 2
"""The holder of a conversation keeps it while it runs at most so many requests more than the idlest twin."""
SLOWER, SLOWER_S = 1.1, 0.25
"""A twin that is predicted to take at most so much longer than the fastest is as good: one that must load is not."""
MAX_TWINS = 2
"""So many other endpoints are tried when the first fails, before another model is."""


def placed_among_twins(
    order: Ints, table: CandidateTable, prediction: Prediction, budgets: Ints, circumstances: Circumstances
) -> tuple[Ints, str | None, tuple[int, ...]]:
    """The order with the best twin of its first candidate in front, why that one, and the next best twins elsewhere.

    Among twins that are about equally fast: the one that answered this conversation last unless it is overloaded, else the
    one that runs the fewest requests of ours; ties by endpoint in alphabetical order.
    """
    if not len(order) or (group := table.twin_of[table.build_of[order[0]]]) < 0:
        return order, None, ()
    first = int(order[0])
    alike = (table.twin_of[table.build_of[order]] == group) & (table.thinks[order] == table.thinks[first])
    same = [int(i) for i in order[alike & (budgets[order] == budgets[first])]]
    running = {(engine, endpoint): count for engine, endpoint, count in circumstances.waiting}
    ahead = {i: running.get(_place(table, i), 0) for i in same}
    total_s = {i: float(np.nan_to_num(prediction.total_s[i], nan=0.0)) for i in same}
    soon_s = max(min(total_s.values()) * SLOWER, min(total_s.values()) + SLOWER_S)
    idlest = min(ahead[i] for i in same if total_s[i] <= soon_s)
    holder = _holder(circumstances)

    def holds(i: int) -> bool:
        return (*_place(table, i), table.builds[table.build_of[i]].name) == holder and ahead[i] <= idlest + OVERLOAD

    def rank(i: int) -> tuple[bool, bool, int, float, str]:
        late = total_s[i] > soon_s
        return late, not holds(i), ahead[i], total_s[i] if late else 0.0, _place(table, i)[1]

    same.sort(key=rank)
    best, best_at = same[0], _place(table, same[0])[1]
    others = {_place(table, i): i for i in reversed(same) if _place(table, i)[1] != best_at}
    twins = sorted(others.values(), key=rank)
    if not twins:
        return order, None, ()
    why = f"at {best_at} of {len(twins) + 1} endpoints: "
    if holds(best):
        why += "it answered this conversation before"
    elif all(total_s[i] > soon_s for i in twins):
        why += "the others are slower now"
    elif ahead[best] < (next_best := min(ahead[i] for i in twins)):
        why += f"{ahead[best]} of our requests run there, {next_best} at the next"
    else:
        why += "none is less busy"
    return np.concatenate(([best], order[order != best])), why, tuple(twins[:MAX_TWINS])


def _holder(circumstances: Circumstances) -> tuple[str, str, str] | None:
    if circumstances.holder is not None or circumstances.previous is None:
        return circumstances.holder
    return circumstances.previous.build


def _place(table: CandidateTable, index: int) -> tuple[str, str]:
    build = table.builds[table.build_of[index]]
    return build.engine, build.endpoint
