"""Decides by any policy on any machine, over the builds that may be had there: for `policy test`, `lint` and `simulate`.

The same `decide()` that routes, with the clock, the load and the day's spending given instead of read. Tables are kept by
policy; a rule that sends a request to another policy is followed.

    python -c "from qwen_router.decide.planner import Planner; from qwen_router.hardware.presets import machine; \\
        from qwen_router.catalog import Catalog; print(Planner(machine('rtx-4090'), Catalog.load()).machine.name)"
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qwen_router.catalog import Catalog
from qwen_router.decide.ability import AbilityTable
from qwen_router.decide.candidates import Build, CandidateTable, advised_builds, candidate_table
from qwen_router.decide.choose import decide
from qwen_router.decide.decision import Decision, Scope
from qwen_router.hardware.calibration import Calibration
from qwen_router.hardware.machine import Machine
from qwen_router.policy import Circumstances, Policy, effect_of, follow
from qwen_router.profile.types import Profile
from qwen_router.request import Request


@dataclass(frozen=True, slots=True)
class Planned:
    """A decision, the policies that it went through, and the names of the rules that applied in any of them."""

    decision: Decision
    policies: tuple[str, ...]
    rules: tuple[str, ...]


class Planner:
    """`builds` says what there is for a policy; left out, it is advice: every chat model of the catalog."""

    def __init__(
        self,
        machine: Machine,
        catalog: Catalog,
        *,
        builds: Callable[[Policy], tuple[Build, ...]] | None = None,
        scope: Scope = "advice",
        abilities: AbilityTable | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        self.machine, self.catalog, self.scope = machine, catalog, scope
        self._builds = builds or (lambda policy: advised_builds(catalog, policy))
        self._abilities, self._calibration = abilities, calibration
        self._tables: dict[Policy, CandidateTable] = {}
        self._policies: dict[str, Policy] = {}

    def table(self, policy: Policy) -> CandidateTable:
        if policy not in self._tables:
            builds = self._builds(policy)
            self._tables[policy] = candidate_table(
                builds, self.machine, policy, abilities=self._abilities, calibration=self._calibration
            )
        return self._tables[policy]

    def plan(
        self, request: Request, profile: Profile, policy: Policy, *, circumstances: Circumstances | None = None
    ) -> Planned:
        """Decide by `policy`, or by the one that its rules ask for. Raises `InvalidPolicy` when they go in a circle."""
        now = circumstances or Circumstances()
        walked = follow(policy, request, profile, now, load=self._policy)
        rules = [each.rules[r].name for each in walked for r in effect_of(each, request, profile, now).rules]
        decision = decide(request, profile, self.table(walked[-1]), scope=self.scope, circumstances=now)
        return Planned(decision, tuple(each.name for each in walked), tuple(rules))

    def _policy(self, name: str) -> Policy:
        if name not in self._policies:
            self._policies[name] = Policy.load(name)
        return self._policies[name]
