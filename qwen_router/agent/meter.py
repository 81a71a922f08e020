"""What a run has spent so far: one meter a run, fed by model calls and by the specialists that tools ask.

python -c "from qwen_router.agent.meter import Meter; print(Meter().spending)"
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from qwen_router.agent.events import Limits, Spending

if TYPE_CHECKING:
    from qwen_router.reply import Reply


class Meter:
    """Safe to share between the threads of parallel tools."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spending = Spending()
        self._began = time.monotonic()
        self.models: Counter[str] = Counter()
        self.tools: Counter[str] = Counter()

    @property
    def spending(self) -> Spending:
        with self._lock:
            return replace(self._spending, seconds=self._spending.seconds + time.monotonic() - self._began)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Time that passes inside is not the run's: a person is asked."""
        began = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._began += time.monotonic() - began

    def model_called(self, message: Any) -> None:
        """Count an `AIMessage` of ChatQwenRouter's."""
        about, usage = message.response_metadata.get("router", {}), message.usage_metadata or {}
        self._add(
            model=about.get("served_by", {}).get("model", "unknown"),
            calls=1,
            read=usage.get("input_tokens"),
            written=usage.get("output_tokens"),
            thought=usage.get("output_token_details", {}).get("reasoning"),
            cost_usd=about.get("cost_usd"),
            energy_wh=about.get("energy_wh"),
        )

    def asked(self, reply: Reply) -> None:
        """Count a specialist's reply: its tokens and its price, not as a step of the agent's."""
        usage = reply.usage
        self._add(
            model=reply.served_by.build.model.id,
            calls=0,
            read=usage.prompt_tokens,
            written=(usage.answer_tokens or 0) + (usage.reasoning_tokens or 0),
            thought=usage.reasoning_tokens,
            cost_usd=reply.cost_usd,
            energy_wh=reply.energy_wh,
        )

    def _add(
        self,
        *,
        model: str,
        calls: int,
        read: int | None,
        written: int | None,
        thought: int | None,
        cost_usd: float | None,
        energy_wh: float | None,
    ) -> None:
        with self._lock:
            was = self._spending
            self._spending = replace(
                was,
                model_calls=was.model_calls + calls,
                input_tokens=was.input_tokens + (read or 0),
                output_tokens=was.output_tokens + (written or 0),
                reasoning_tokens=was.reasoning_tokens + (thought or 0),
                cost_usd=was.cost_usd + (cost_usd or 0.0),
                energy_wh=was.energy_wh + (energy_wh or 0.0),
                unpriced=was.unpriced + (cost_usd is None),
            )
            self.models[model] += 1

    def over(self, limits: Limits) -> str | None:
        """Which limit is reached, in words; None while there is room."""
        now = self.spending
        if limits.tokens is not None and now.tokens >= limits.tokens:
            return f"{now.tokens:,} tokens of {limits.tokens:,}"
        if limits.cost_usd is not None and now.cost_usd >= limits.cost_usd:
            return f"${now.cost_usd:.4f} of ${limits.cost_usd:g}"
        if limits.seconds is not None and now.seconds >= limits.seconds:
            return f"{now.seconds:.0f} s of {limits.seconds:g} s"
        return None

    def kept(self) -> dict[str, Any]:
        """What a checkpoint keeps, as plain values."""
        return {"spending": asdict(self.spending), "models": dict(self.models), "tools": dict(self.tools)}

    def go_on(self, kept: Mapping[str, Any] | None) -> None:
        """Add what an earlier process had spent on this run."""
        if kept:
            self._spending = Spending(**kept["spending"])
            self.models.update(kept["models"])
            self.tools.update(kept["tools"])
