"""What was spent today, by everyone and by each user: what the budgets of a policy are held against.

Kept in memory, for this process, and begun anew at midnight local time. The service's store is another matter.

    python -c "from qwen_router.ledger import Ledger; print(Ledger().spent(None))"
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date

from qwen_router.policy.effect import Spent

MAX_USERS = 100_000
"""More users than this in one day are counted together only: names are free, memory is not."""


class Ledger:
    """Safe to share between threads. `today` stands in for the calendar in tests."""

    def __init__(self, *, today: Callable[[], date] = date.today) -> None:
        self._today = today
        self._lock = threading.Lock()
        self._day = today()
        self._all = Spent()
        self._by_user: dict[str, Spent] = {}

    def add(self, user: str | None, *, cost_usd: float = 0.0, energy_wh: float = 0.0, tokens: int = 0) -> None:
        """Charge one attempt, answered or failed."""
        with self._lock:
            self._turn_the_page()
            self._all = _plus(self._all, cost_usd, energy_wh, tokens)
            if user is not None and (user in self._by_user or len(self._by_user) < MAX_USERS):
                self._by_user[user] = _plus(self._by_user.get(user, Spent()), cost_usd, energy_wh, tokens)

    def spent(self, user: str | None) -> tuple[Spent, Spent]:
        """What this user spent today (nothing when nobody is named), and what all spent."""
        with self._lock:
            self._turn_the_page()
            return (Spent() if user is None else self._by_user.get(user, Spent())), self._all

    def _turn_the_page(self) -> None:
        if (today := self._today()) != self._day:
            self._day, self._all, self._by_user = today, Spent(), {}


def _plus(spent: Spent, cost_usd: float, energy_wh: float, tokens: int) -> Spent:
    return Spent(spent.cost_usd + cost_usd, spent.energy_wh + energy_wh, spent.tokens + tokens)
