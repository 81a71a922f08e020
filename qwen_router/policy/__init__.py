"""What may be chosen and how: policy files, read and checked. See `schema.py` for the keys."""

from qwen_router.policy.effect import Circumstances, Effect, Previous, Spent, effect_of, follow
from qwen_router.policy.load import OBJECTIVES, ObjectiveName, Policy, policy_names
from qwen_router.policy.schema import Builds, Case, Rule, Then, When, json_schema

__all__ = [
    "OBJECTIVES",
    "Builds",
    "Case",
    "Circumstances",
    "Effect",
    "ObjectiveName",
    "Policy",
    "Previous",
    "Rule",
    "Spent",
    "Then",
    "When",
    "effect_of",
    "follow",
    "json_schema",
    "policy_names",
]
