"""What a routing model can do, in LangChain's terms: computed from what is served now, for a policy and a pin.

A router can do what any of its candidates can, for each request is decided anew. Left out is what nobody can say of it.

    python -c "from qwen_router.langchain import ChatQwenRouter; print(ChatQwenRouter().profile)"
"""

from __future__ import annotations

import numpy as np

from qwen_router.decide.candidates import NO_LIMIT
from qwen_router.errors import MissingExtra
from qwen_router.policy import Policy
from qwen_router.router import Router

try:
    from langchain_core.language_models import ModelProfile
except ModuleNotFoundError as error:
    raise MissingExtra.of("langchain-core", extra="langchain") from error

HOLD_A_FORMAT = frozenset({"llamacpp", "transformers", "onnx", "ollama", "fake"})
"""Engines that hold an answer to a schema beside tools, too (`engines/call_format.py`); of a server nobody knows."""
FORCE_A_CALL = HOLD_A_FORMAT - {"ollama"} | {"openai"}
"""Engines that are made to call a tool, or know a `tool_choice`."""
FETCH_URLS = frozenset({"openai"})


def profile_of(router: Router, policy: Policy | None, *, pin: str | None) -> ModelProfile:
    """The profile of what may answer; of nothing when nothing is served. A model that the catalog does not know counts only
    where it is pinned, and then what it takes is left out. `structured_output` is True where every candidate holds an answer
    to a schema also beside tools, for LangChain's agents go by it."""
    table = router.table(policy, scope=router.scope(answering=True, pin=pin))
    may = ~table.kept_away
    may &= table.known if pin is None else np.array([build.answers_to(pin) for build in table.builds], dtype=np.bool_)
    builds = [table.builds[int(b)] for b in np.flatnonzero(may)]
    calling = [build for build in builds if build.model.tools is not False]
    engines = {build.engine for build in builds}
    profile = ModelProfile(
        name="auto" if pin is None else pin,
        text_inputs=bool(builds),
        pdf_inputs=False,
        text_outputs=bool(builds),
        image_outputs=False,
        audio_outputs=False,
        video_outputs=False,
        reasoning_output=bool((table.thinks & may[table.build_of]).any()),
        tool_calling=bool(calling),
        tool_choice=any(build.engine in FORCE_A_CALL for build in calling),
        tool_call_streaming=bool(calling),
        structured_output=bool(engines) and engines <= HOLD_A_FORMAT,
    )
    if all(build.model.family != "unknown" for build in builds):
        takes = {kind: [build for build in builds if kind in build.model.modalities] for kind in ("image", "audio", "video")}
        profile["image_inputs"], profile["audio_inputs"] = bool(takes["image"]), bool(takes["audio"])
        profile["video_inputs"] = bool(takes["video"])
        profile["image_url_inputs"] = any(build.engine in FETCH_URLS for build in takes["image"])
    fitting = table.context_tokens[may][table.fits[may]]
    if len(fitting):
        profile["max_input_tokens"] = int(fitting.max())
    limits = table.max_answer_tokens[may]
    if len(limits) and limits.max() < NO_LIMIT:
        profile["max_output_tokens"] = int(limits.max())
    return profile
