"""What there is to ask for: `auto`, a name for each policy, and every served model, in OpenAI's and in Ollama's words.

Names only: what each model can do is the catalog's to say.

    curl localhost:8000/v1/models
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from qwen_router import __version__
from qwen_router.errors import RouterError
from qwen_router.hardware import ServedBuild
from qwen_router.router import Router

OLLAMA_PROTOCOL = "0.9.0"
"""The Ollama release whose chat API this speaks: the first with `think`. Clients compare it with what they need."""
PATIENCE_S = 1.0
"""How long `/health` waits for engines to say what they have."""


async def served_models(router: Router) -> dict[str, ServedBuild]:
    """Served models by the name to ask for, asked in a thread because engines may be slow to answer."""
    served = await asyncio.to_thread(router.served)
    return {item.name: item for item in reversed(served)}  # of two engines with one name the preferred one


def routed_names(policies: Iterable[str]) -> tuple[str, ...]:
    return ("auto", *(f"auto:{name}" for name in policies))


def openai_model(name: str, *, owner: str, since: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": since, "owned_by": owner}


async def openai_models(router: Router, *, policies: Iterable[str], since: int) -> dict[str, dict[str, Any]]:
    """`/v1/models` by name. `since` stands for the creation date, which a name like `auto` does not have."""
    rows = {name: openai_model(name, owner="qwen-router", since=since) for name in routed_names(policies)}
    for name, item in (await served_models(router)).items():
        rows.setdefault(name, openai_model(name, owner=item.engine, since=since))
    return rows


async def ollama_tags(router: Router, *, policies: Iterable[str], since: str) -> list[dict[str, Any]]:
    """`/api/tags`. What is unknown about a model is absent."""
    rows = [
        {"name": name, "model": name, "modified_at": since, "details": {"family": "auto"}} for name in routed_names(policies)
    ]
    for name, item in (await served_models(router)).items():
        details: dict[str, Any] = {} if item.quant is None else {"quantization_level": item.quant}
        model = None if item.model_id is None else router.catalog.resolve(item.model_id)
        if model is not None:
            details["family"] = model.family
            if model.total_params is not None:
                details["parameter_size"] = f"{model.total_params / 1e9:.1f}B"
        rows.append({"name": name, "model": name, "modified_at": since, "details": details})
    return rows


async def engines_state(router: Router) -> dict[str, Any]:
    """Engines with how many models each serves, and what is wrong with those that fail; null while they take long."""
    asking = asyncio.ensure_future(asyncio.to_thread(router.served))
    done, _ = await asyncio.wait({asking}, timeout=PATIENCE_S)
    if not done:
        return {"engines": None, "problems": ["the engines have not answered yet"]}
    try:
        served = asking.result()
    except RouterError as error:
        return {"engines": None, "problems": [error.problem]}
    engines = [
        {
            "name": e.name,
            "endpoint": e.endpoint,
            "models": sum(s.engine == e.name and s.endpoint == e.endpoint for s in served),
        }
        for e in router.engines
    ]
    return {"engines": engines, "problems": [error.problem for error in router.unreachable]}


def version_body() -> dict[str, str]:
    return {"version": OLLAMA_PROTOCOL, "qwen_router": __version__}
