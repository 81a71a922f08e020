"""Policies by the names that callers may use: `auto:fast` means the policy `fast`.

Only names are looked up, never paths, so that no caller reads a file of this computer. Files are read again after a few
seconds, because people edit them while the service runs.

    python -c "from qwen_router.service.policies import policy_of_model; print(policy_of_model('auto:fast'))"
"""

from __future__ import annotations

import logging
import time

from qwen_router.errors import InvalidPolicy, UnknownName
from qwen_router.policy import Policy, policy_names

FRESH_S = 5.0
_LOG = logging.getLogger(__name__)


def policy_of_model(model: str) -> str | None:
    """The policy that a model name asks for: `fast` of `auto:fast`; None for `auto` and `auto:latest`."""
    head, _, tail = model.partition(":")
    return tail if head == "auto" and tail not in ("", "latest") else None


class UnknownPolicy(UnknownName):
    """404 with `policy_not_found`, close matches named."""


class PolicyShelf:
    """Policies read by name and kept for `FRESH_S` seconds."""

    def __init__(self) -> None:
        self._policies: dict[str, tuple[float, Policy]] = {}
        self._told: dict[str, str] = {}
        self._names: tuple[float, tuple[str, ...]] = (float("-inf"), ())

    def names(self) -> tuple[str, ...]:
        """Every policy that can be asked for now."""
        read_at, names = self._names
        if time.monotonic() - read_at > FRESH_S:
            names = policy_names()
            self._names = (time.monotonic(), names)
        return names

    def get(self, name: str) -> Policy:
        """The policy of that name. Raises `UnknownPolicy`, or `InvalidPolicy` when its file was never right.

        A file that is broken while the service runs changes nothing: the last good version stays, and the log says so.
        """
        read_at, policy = self._policies.get(name, (float("-inf"), None))
        if policy is not None and time.monotonic() - read_at <= FRESH_S:
            return policy
        if name not in self.names():
            raise UnknownPolicy.among(name[:200], self.names(), kind="policy")
        try:
            fresh = Policy.load(name)
        except InvalidPolicy as error:
            if policy is None:
                raise
            fresh = policy
            if self._told.get(name) != error.problem:
                self._told[name] = error.problem
                _LOG.warning("policy %s: %s; the last good version stays in force", name, error.problem)
        else:
            self._told.pop(name, None)
        self._policies[name] = (time.monotonic(), fresh)
        return fresh
