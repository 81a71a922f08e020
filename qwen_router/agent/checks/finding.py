"""What a check found: right, wrong, or nothing that can be said.

python -c "from qwen_router.agent.checks.finding import Finding; print(Finding('value', False, '12 * 13 is 156'))"
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`kind` names the check (`value`, `equation`, `tests`, `json`, `sql`, ...). `ok` is None where nothing can be said.
    `evidence` is one line for whoever answers again: what was worked out, and what the answer says instead."""

    kind: str
    ok: bool | None
    evidence: str
