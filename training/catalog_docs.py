"""The generated tables of docs/catalog.md: what each family is for, and every model with its facts.

python -m training.facts_to_catalog --docs docs/catalog.md
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qwen_router.catalog import Catalog, Model


def with_tables(page: str, catalog: Catalog) -> str:
    """`page` with the text between each pair of markers replaced by today's table."""
    for name, table in TABLES.items():
        begin, end = f"<!-- {name} table: begin (generated) -->", f"<!-- {name} table: end -->"
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        page = f"{before}{begin}\n{table(catalog)}\n{end}{after}"
    return page


def family_table(catalog: Catalog) -> str:
    lines = [_row("family", "released", "sizes", "context", "strengths", "limits", "best use"), _rule(7)]
    for name in catalog.families():
        members = [model for model in catalog.models if model.family == name]
        about = catalog.about[name]
        lines.append(
            _row(
                f"**{about.title}** (`{name}`)",
                min(model.release_date for model in members),
                _sizes(members),
                _span([model.context.native_tokens for model in members], "{:,}".format),
                "; ".join(about.strengths),
                "; ".join(about.limits),
                about.best_use,
            )
        )
    return "\n".join(lines)


def model_table(catalog: Catalog) -> str:
    columns = "model|released|parameters|active|context (extended)|thinking|input|tools|languages|trained on|licence|scores"
    head = columns.split("|")
    return "\n".join([_row(*head), _rule(len(head)), *(_model(model) for model in catalog.models)])


def _model(model: Model) -> str:
    extended = f" ({model.context.extended_tokens:,})" if model.context.extended_tokens else ""
    licence = model.licence + {True: "", False: " (not commercial)", None: " (commercial use unknown)"}[model.commercial_use]
    return _row(
        f"`{model.id}`",
        model.release_date,
        "hosted" if model.hosted else _billions(model.total_params),
        _billions(model.active_params) if model.active_params else "all" if model.total_params else "?",
        f"{model.context.native_tokens:,}{extended}",
        _thinks(model),
        ", ".join(model.modalities),
        {True: "yes", False: "no", None: "?"}[model.tools],
        str(model.languages or "?"),
        f"{model.training_tokens / 1e12:.3g}T" if model.training_tokens else "?",
        licence,
        str(len(model.scores)),
    )


def _sizes(members: Sequence[Model]) -> str:
    sizes = sorted({model.total_params for model in members if model.total_params})
    if not sizes:
        return f"{len(members)} models, not published"
    return ", ".join(dict.fromkeys(_billions(size) for size in sizes))


def _span(values: Sequence[int], told: Callable[[int], str]) -> str:
    low, high = min(values), max(values)
    return told(low) if low == high else f"{told(low)} to {told(high)}"


def _thinks(model: Model) -> str:
    if model.kind != "chat":
        return model.kind
    return model.thinking.behaviour + (" (default on)" if model.thinking.default_on else "")


def _billions(params: int | None) -> str:
    if params is None:
        return "?"
    return f"{params / 1e6:.2f}M" if params < 1e8 else f"{params / 1e9:.3g}B" if params < 1e12 else f"{params / 1e12:.3g}T"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _rule(columns: int) -> str:
    return "|" + "---|" * columns


TABLES: dict[str, Callable[[Catalog], str]] = {"family": family_table, "catalog": model_table}
"""By the name in the page's markers."""
