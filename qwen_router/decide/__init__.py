"""The decision: candidates, prediction, choice, explanation, all of it pure functions over values."""

from qwen_router.decide.candidates import Build, CandidateTable, advised_builds, candidate_table, served_builds
from qwen_router.decide.choose import decide
from qwen_router.decide.decision import Candidate, Decision, Scope, Verdict
from qwen_router.decide.explain import decision_line

__all__ = [
    "Build",
    "Candidate",
    "CandidateTable",
    "Decision",
    "Scope",
    "Verdict",
    "advised_builds",
    "candidate_table",
    "decide",
    "decision_line",
    "served_builds",
]
