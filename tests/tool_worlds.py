"""Made-up tools that tests plan over and run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from langchain_core.tools import StructuredTool
from pydantic import create_model


def made_up(
    name: str,
    inputs: Mapping[str, str],
    output: str,
    work: Callable[..., Any] | None = None,
    *,
    coroutine: Callable[..., Any] | None = None,
    optional: Collection[str] = (),
    schema: Mapping[str, Any] | None = None,
    **rights: Any,
) -> StructuredTool:
    """A tool that does `work` (nothing, unless said), whose arguments may be anything unless `schema` names their types."""
    types = schema or {}
    fields: dict[str, Any] = {arg: (types.get(arg, Any), None if arg in optional else ...) for arg in inputs}
    if work is None and coroutine is None:
        work = _nothing
    return StructuredTool.from_function(
        func=work,
        coroutine=coroutine,
        name=name,
        description="Made up.",
        args_schema=create_model("Arguments", **fields),
        metadata={"inputs": dict(inputs), "output": output, **rights},
    )


def _nothing(**values: Any) -> None:
    return None


def a_shelf() -> list[StructuredTool]:
    """Some tools as there might be, the costs in seconds."""
    return [
        made_up("read_image", {"path": "image", "ask": "question"}, "text", optional=("ask",), cost_s=5),
        made_up("describe_image", {"path": "image"}, "text", cost_s=6),
        made_up("transcribe", {"path": "audio"}, "text", cost_s=4),
        made_up("extract_table", {"text": "text"}, "table", cost_s=3),
        made_up("column_sum", {"table": "table"}, "number"),
        made_up("plot_number", {"value": "number"}, "plot"),
        made_up("join", {"left": "table", "right": "table"}, "table"),
        made_up("summarise", {"text": "text"}, "text", cost_s=3),
        made_up("compare", {"one": "text", "other": "text"}, "report", cost_s=2),
        made_up("convert", {"value": "number", "from_unit": "unit", "to_unit": "unit"}, "number"),
        made_up("fetch", {"url": "url"}, "page", cost_s=1, untrusted=True),
        made_up("read_file", {"path": "path"}, "text", untrusted=True),
        made_up("today", {}, "date", cost_s=0.01),
    ]
