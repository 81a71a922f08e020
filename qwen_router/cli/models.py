"""`models`: what there is, one model whole, several side by side, which one to take, and adding one's own.

qwen-router models compare Qwen3-8B Qwen3.5-9B
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from qwen_router.cli.common import JsonOption, MachineOption, console, print_json
from qwen_router.errors import InvalidRequest, UnknownName

if TYPE_CHECKING:
    from qwen_router.catalog import Catalog, Model


class _NameMeansShow(TyperGroup):
    """`models Qwen3-8B` is `models show Qwen3-8B`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["show", *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_NameMeansShow,
    invoke_without_command=True,
    rich_markup_mode=None,
    help="List the catalog; or show, compare, choose or add models.",
)


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(app, name="models")


@app.callback()
def models(
    ctx: typer.Context,
    family: Annotated[str | None, typer.Option(help="Only this family: qwen3, qwen2.5-coder, ...")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the catalog; or show, compare, choose or add models."""
    if ctx.invoked_subcommand is not None:
        return
    from qwen_router.catalog import Catalog

    catalog = Catalog.load()
    rows = catalog.models
    if family is not None:
        rows = tuple(m for m in rows if m.family == family.lower())
        if not rows:
            raise UnknownName.among(family, {m.family for m in catalog.models}, kind="family")
    if as_json:
        for model in rows:
            print_json(model.model_dump(exclude={"scores"}))
    else:
        _print_models(rows)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A model, by any of its names.")],
    as_json: JsonOption = False,
) -> None:
    """Show one model whole: shapes, thinking, sampling, names elsewhere, scores, sources."""
    from qwen_router.catalog import Catalog

    catalog = Catalog.load()
    model = catalog.get(name)
    if as_json:
        print_json(model.model_dump())
        return
    import yaml

    data = model.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    scores = data.pop("scores", [])
    typer.echo(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100).rstrip())
    if model.size_class:
        typer.echo(f"size_class: {model.size_class}")
    if about := catalog.about.get(model.family):
        typer.echo(f"best_use: {about.best_use}")
    if scores:
        typer.echo("scores:")
        for score in model.scores:
            sure = "" if score.verified else "  (not verified)"
            typer.echo(f"  {score.score:>7g}  {score.benchmark} ({score.mode}){sure}")


@app.command()
def flags(name: Annotated[str, typer.Argument(help="A model, by any of its names.")], as_json: JsonOption = False) -> None:
    """Show how vLLM, SGLang and llama.cpp's server are started for one exact model: its reasoning and tool parsers."""
    from qwen_router.catalog import Catalog
    from qwen_router.engines.server_flags import NOT_VERIFIED, server_commands

    model = Catalog.load().get(name)
    commands = server_commands(model)
    if as_json:
        print_json(commands)
        return
    if not commands:
        typer.echo(f"{model.id} is not served as a chat model on a machine of one's own")
        return
    for command in commands.values():
        typer.echo(command)
    if model.family in NOT_VERIFIED and model.thinking.behaviour == "always":
        typer.echo("the reasoning parser is that of Qwen3-Thinking-2507; no source names it for this family", err=True)


@app.command()
def compare(
    names: Annotated[list[str] | None, typer.Argument(help="Two models or more.", show_default=False)] = None,
    families: Annotated[bool, typer.Option("--families", help="Compare all families instead.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare models side by side, on what they share too: scores of one benchmark version and mode."""
    from qwen_router.catalog import Catalog

    catalog = Catalog.load()
    if families:
        _compare_families(catalog, as_json=as_json)
        return
    if not names or len(names) < 2:
        raise InvalidRequest("two models or more are compared", fix="qwen-router models compare Qwen3-8B Qwen3.5-9B")
    rows = [catalog.get(name) for name in names]
    facts = _facts(rows)
    scores = _shared_scores(rows)
    if as_json:
        print_json({"models": [m.id for m in rows], "facts": facts, "scores": scores})
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=False)
    for model in rows:
        table.add_column(model.short_name, justify="right", overflow="fold")
    for fact, values in facts.items():
        table.add_row(fact, *values)
    for benchmark, numbers in scores.items():
        best = max((n for n in numbers if n is not None), default=None)
        table.add_row(benchmark, *("" if n is None else f"[bold]{n:g}[/bold]" if n == best else f"{n:g}" for n in numbers))
    console().print(table)


def _facts(rows: list[Model]) -> dict[str, list[str]]:
    def of(read: Any) -> list[str]:
        return [str(read(model)) for model in rows]

    return {
        "released": of(lambda m: m.release_date),
        "parameters": of(lambda m: _params(m.total_params)),
        "active": of(lambda m: _params(m.active_params) if m.active_params else "all" if m.total_params else "?"),
        "size": of(lambda m: m.size_class or "?"),
        "context": of(lambda m: f"{m.context.native_tokens:,}"),
        "thinking": of(lambda m: m.thinking.behaviour),
        "input": of(lambda m: "+".join(m.modalities)),
        "tools": of(lambda m: {True: "yes", False: "no", None: "?"}[m.tools]),
        "languages": of(lambda m: m.languages or "?"),
        "licence": of(lambda m: m.licence),
        "commercial use": of(lambda m: {True: "yes", False: "no", None: "?"}[m.commercial_use]),
        "Ollama": of(lambda m: m.ollama_tags[0] if m.ollama_tags else "-"),
    }


def _shared_scores(rows: list[Model]) -> dict[str, list[float | None]]:
    """Scores that at least two of the models have in the same benchmark version and the same way of thinking."""
    found: dict[str, list[float | None]] = {}
    for at, model in enumerate(rows):
        for score in model.scores:
            thinks = score.mode in ("thinking", "always-thinking")
            key = f"{score.benchmark}{', thinking' if thinks else ''}"
            found.setdefault(key, [None] * len(rows))[at] = score.score
    return {key: found[key] for key in sorted(found) if sum(value is not None for value in found[key]) > 1}


def _compare_families(catalog: Catalog, *, as_json: bool) -> None:
    rows = []
    for name in catalog.families():
        members = [m for m in catalog.models if m.family == name and not m.demo]
        if not members:
            continue
        about = catalog.about.get(name)
        sizes = sorted({m.total_params for m in members if m.total_params})
        contexts = sorted({m.context.native_tokens for m in members})
        rows.append({
            "family": name,
            "released": min(m.release_date for m in members),
            "models": len(members),
            "sizes": " to ".join(dict.fromkeys(_params(n) for n in (sizes[:1] + sizes[-1:]))) or "hosted",
            "context": f"{contexts[0] // 1024}K" + (f" to {contexts[-1] // 1024}K" if len(contexts) > 1 else ""),
            "thinking": "/".join(dict.fromkeys(m.thinking.behaviour for m in members)),
            "input": "+".join(dict.fromkeys(x for m in members for x in m.modalities)),
            "strengths": list(about.strengths) if about else [],
            "limits": list(about.limits) if about else [],
            "best_use": about.best_use if about else "",
        })  # fmt: skip
    if as_json:
        for row in rows:
            print_json(row)
        return
    for row in rows:
        typer.secho(
            f"{row['family']}  {row['sizes']}, {row['context']}, {row['input']}, thinking: {row['thinking']}", bold=True
        )
        for word, values in (("good at", row["strengths"]), ("limits", row["limits"]), ("best for", [row["best_use"]])):
            if any(values):  # type: ignore[arg-type]
                _wrapped(f"  {word:<9}", "; ".join(values))  # type: ignore[arg-type]


def _wrapped(head: str, text: str) -> None:
    import textwrap

    width = max(60, console().width)
    typer.echo(textwrap.fill(text, width=width, initial_indent=head, subsequent_indent=" " * len(head)))


@app.command()
def guide(
    use: Annotated[
        str | None, typer.Argument(help="basic, math, coding, vision, audio, enterprise, edge, agents, multilingual.")
    ] = None,
    machine: MachineOption = None,
    commercial: Annotated[bool, typer.Option("--commercial", help="Only licences that allow commercial use.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say which models to take for a use on a machine; without arguments it asks four questions."""
    from qwen_router.cli.guide import USES, advice, asked

    if use is None and not as_json and sys.stdin.isatty():
        use, machine, commercial, fast = asked(machine)
    else:
        fast = False
    if use is None:
        raise InvalidRequest("no use is named and there is nobody to ask", fix=f"one of {', '.join(USES)}")
    if use not in USES:
        raise UnknownName.among(use, USES, kind="use")
    found = advice(use, machine, commercial=commercial, fast=fast)
    if as_json:
        for line in found.lines:
            print_json(line)
    else:
        typer.echo(found.text)
    if not found.lines:
        raise typer.Exit(3)


@app.command()
def add(
    path: Annotated[Path, typer.Argument(help="A checkpoint's folder, its config.json, or a GGUF file.")],
    name: Annotated[str | None, typer.Option(help="What to call it: organisation/model.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the row, write nothing.")] = False,
) -> None:
    """Add a model of your own to the catalog from its config.json or GGUF header; nothing is loaded."""
    from qwen_router.catalog import Catalog
    from qwen_router.catalog.checkpoint import ORGANISATION, row_of_folder, row_of_gguf, yaml_of
    from qwen_router.folders import user_catalog_folder

    known = Catalog.load().models
    if path.suffix.lower() == ".gguf":
        from qwen_router.engines.gguf_file import gguf_info

        info = gguf_info(path)
        own = name or (info.name or path.stem).replace(" ", "-")
        row = row_of_gguf(info.metadata, parameters=info.parameters, template=info.chat_template, name=own, known=known)
    else:
        row = row_of_folder(path, name=name, known=known)
    if any(model.id == row.id for model in known if not model.id.startswith(f"{ORGANISATION}/")):
        raise InvalidRequest(f"{row.id!r} is in the catalog already", fix="give yours a name of its own: --name me/model")
    same = [model.id for model in known if model.short_name.lower() == row.short_name.lower() and model.id != row.id]
    if same:
        typer.echo(f"note: {same[0]} has the same short name; write {row.id} whole", err=True)
    text = yaml_of(row)
    if dry_run:
        typer.echo(text.rstrip())
        return
    folder = user_catalog_folder()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{row.id.replace('/', '--')}.yaml"
    file.write_text(text, "utf-8")
    typer.echo(f"{row.id}: written to {file}")
    typer.echo(f"  {row.sources[-1]}")
    typer.echo(f"  try: qwen-router fit {row.id}")


def _params(count: int | None) -> str:
    return "?" if count is None else f"{count / 1e9:.1f}B" if count >= 1e8 else f"{count / 1e6:.1f}M"


def _print_models(rows: tuple[Model, ...]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for header in ("model", "size", "active", "window", "think", "input", "scores"):
        numbers = header in ("size", "active", "window", "scores")
        table.add_column(header, justify="right" if numbers else "left", no_wrap=header == "model", overflow="fold")
    for m in rows:
        other = "+".join(x for x in m.modalities if x != "text") or "text"
        active = "" if m.active_params is None else _params(m.active_params)
        kind = m.thinking.behaviour if m.kind == "chat" else m.kind
        window = f"{m.context.native_tokens // 1024}K"
        size = "hosted" if m.hosted else _params(m.total_params)
        table.add_row(m.short_name, size, active, window, kind, other, str(len(m.scores)))
    console().print(table)
