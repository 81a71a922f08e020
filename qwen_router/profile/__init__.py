"""The profile room: what a request needs, from its text and attachments alone.

`inspect` reads the last human ask and returns a `Profile`: domain probabilities, depth, difficulty, language, modalities,
tokens in and out, and whether the classifier abstains. It never raises on text, and never scans payload bytes. Choosing
a model is left to `decide/`. Weights are read on first use.

    python -c "from qwen_router.profile import inspect, profile_line; print(profile_line(inspect('Solve 3x + 5 = 20')))"
"""

from __future__ import annotations

from qwen_router.profile.inspection import inspect, inspect_many, profile_line
from qwen_router.profile.tokens import estimate_tokens, request_tokens
from qwen_router.profile.types import DOMAINS, Domain, Profile

__all__ = ["DOMAINS", "Domain", "Profile", "estimate_tokens", "inspect", "inspect_many", "profile_line", "request_tokens"]
