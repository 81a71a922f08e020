"""What may be chosen and how: policy files, read and checked. See `schema.py` for the keys."""

from qwen_router.policy.load import Policy, policy_names
from qwen_router.policy.schema import Rule, Then, When

__all__ = ["Policy", "Rule", "Then", "When", "policy_names"]
