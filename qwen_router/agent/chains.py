"""What a chain of tools is: calls in an order in which they can run, each input from the request or from an earlier call.

Finding chains is `chain_search`, running them `chain_run`.

    python -c "from qwen_router.agent.chains import Given; print(Given('unit', 2).name)"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qwen_router.tooling import ToolSignature

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool


@dataclass(frozen=True, slots=True, order=True)
class Given:
    """A value that the request has: the first of its kind is called `unit`, the second `unit 2`."""

    kind: str
    number: int = 1

    @property
    def name(self) -> str:
        return self.kind if self.number == 1 else f"{self.kind} {self.number}"


@dataclass(frozen=True, slots=True)
class Step:
    """One call. `inputs` says for each argument where it comes from: a `Given`, or the number of an earlier step."""

    tool: str
    inputs: Mapping[str, Given | int]
    signature: ToolSignature
    runs: BaseTool = field(repr=False, compare=False)

    @property
    def after(self) -> tuple[int, ...]:
        """The steps that must be done before, by number."""
        return tuple(sorted({source for source in self.inputs.values() if isinstance(source, int)}))


@dataclass(frozen=True, slots=True)
class Chain:
    """Steps in an order in which they can run; the last one gives what was wanted.

    `cost_s` is what chains are ranked by: seconds of the critical path with the charges of `chain_search`. `time_s` is
    that path without them, `work_s` the sum over all steps.
    """

    steps: tuple[Step, ...]
    want: str
    cost_s: float
    time_s: float
    work_s: float

    @property
    def needs(self) -> tuple[Given, ...]:
        """What the request must hold for it to run."""
        return tuple(sorted({s for step in self.steps for s in step.inputs.values() if isinstance(s, Given)}))

    @property
    def tools(self) -> tuple[str, ...]:
        return tuple(step.tool for step in self.steps)

    @property
    def key(self) -> tuple[float, float, int, tuple[str, ...]]:
        """The order of chains: cost, then work, then fewer steps, then the names of the tools."""
        return (round(self.cost_s, 9), round(self.work_s, 9), len(self.steps), self.tools)

    @property
    def identity(self) -> tuple[tuple[str, tuple[tuple[str, Given | int], ...]], ...]:
        """The same for two chains that do the same."""
        return tuple((step.tool, tuple(step.inputs.items())) for step in self.steps)

    @property
    def loose(self) -> bool:
        """Whether it takes something for what it is rarely meant as (a number as text), or starts from nothing given."""
        return self.cost_s - self.time_s >= 1.0

    def __str__(self) -> str:
        return " -> ".join(self._said(step) for step in self.steps) + f" = {self.want}"

    def _said(self, step: Step) -> str:
        words = [s.name if isinstance(s, Given) else self.steps[s].tool for s in step.inputs.values()]
        return f"{step.tool}({', '.join(words)})"
