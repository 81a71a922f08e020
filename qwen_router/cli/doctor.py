"""`doctor`: what was looked for, what was found, and what to do about the rest.

qwen-router doctor
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from qwen_router.cli.common import JsonOption, print_json
from qwen_router.errors import InvalidRequest, RouterError

if TYPE_CHECKING:
    from qwen_router.hardware import ServedBuild

EXTRAS = {
    "llamacpp": "xllamacpp",
    "transformers": "transformers llguidance",
    "onnx": "onnxruntime_genai",
    "langchain": "langchain",
    "service": "starlette",
    "tools": "pint",
}


def add_to(app: typer.Typer) -> None:
    app.command("doctor")(doctor)


def doctor(
    thinking: Annotated[
        bool,
        typer.Option(
            "--thinking", help="Try thinking, tools and JSON in every combination on one model of each engine that answers."
        ),
    ] = False,
    model: Annotated[str | None, typer.Option("--model", help="With --thinking: this model instead.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check the catalog, the machine, the engines and the extras; each line says what to do when something is missing."""
    if thinking:
        from qwen_router.cli.doctor_thinking import check_thinking

        check_thinking(model, as_json=as_json)
        return
    if model is not None:
        raise InvalidRequest("--model chooses what --thinking tries", fix=f"qwen-router doctor --thinking --model {model}")
    checks = [*_own_checks(), *_engine_checks(), *_extra_checks()]
    if as_json:
        print_json([{"check": name, "ok": ok, "found": found} for name, ok, found in checks])
        return
    for name, ok, found in checks:
        typer.echo(f"{'ok  ' if ok else 'no  '} {name:<22} {found}")


def _own_checks() -> list[tuple[str, bool, str]]:
    """Catalog, policies, machine and demonstration model: what must be there always."""
    from qwen_router.catalog import Catalog
    from qwen_router.demo import demo_gguf
    from qwen_router.hardware import detect
    from qwen_router.policy import Policy, policy_names

    checks = [("catalog", True, f"{len(Catalog.load().models)} models")]
    for name in policy_names():
        try:
            Policy.load(name)
            checks.append((f"policy {name}", True, "valid"))
        except RouterError as error:
            checks.append((f"policy {name}", False, str(error)))
    machine = detect()
    checks.append(("machine", True, machine.summary()))
    checks += [("machine note", True, note) for note in machine.notes]
    present = demo_gguf().is_file()
    checks.append(("demonstration model", present, "qwen3-nano" if present else "missing: reinstall qwen-router"))
    return checks


def _engine_checks() -> list[tuple[str, bool, str]]:
    """Each engine and what it serves."""
    from qwen_router.engines.configured import configured_engines

    checks = []
    for engine in configured_engines():
        label = f"engine {engine.name}"
        try:
            builds = engine.installed()
        except RouterError as error:
            checks.append((label, False, f"{error.problem}; {error.fix}"))
            continue
        names = ", ".join(b.name + _said_of(b) for b in builds)
        checks.append((label, bool(builds), names or "answers, but has no model: `ollama pull qwen3:4b` gets one"))
        engine.close()
    return checks


def _said_of(build: ServedBuild) -> str:
    """Whether it is loaded, unknown, or for search."""
    from qwen_router.catalog import Catalog
    from qwen_router.decide.candidates import kind_of

    kind = kind_of(Catalog.load(), build)
    words = ("loaded" if build.resident else "", "" if build.model_id else "unknown", "" if kind == "chat" else kind)
    return "".join(f" ({word})" for word in words if word)


def _extra_checks() -> list[tuple[str, bool, str]]:
    checks = []
    for extra, modules in EXTRAS.items():
        missing = [module for module in modules.split() if find_spec(module) is None]
        fix = f'pip install "qwen-router[{extra}]"'
        if missing and len(missing) < len(modules.split()):
            fix = f"incomplete, without {', '.join(missing)}: {fix}"
        checks.append((f"extra {extra}", not missing, fix if missing else "installed"))
    return checks
