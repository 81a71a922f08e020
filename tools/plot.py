"""Draws a table, or a row of numbers, into a picture below the root: lines, bars, points, shares or a histogram.

matplotlib draws with its Agg and SVG back ends on a figure of its own, without pyplot. Files are new ones in `plots/`, never
an old one. Texts are shown as they are: nothing between dollar signs is read as TeX.
Chinese, Japanese and Korean need a font of that script on this computer; without one their signs are boxes.

    python -c "from qwen_router.tooling import load_tools as t; \\
        print(t()['plot_numbers'].invoke({'numbers': [3, 1, 2], 'title': 'Three'}))"
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from functools import cache
from io import BytesIO
from os.path import lexists
from textwrap import fill
from typing import Annotated, Any, Literal

from langchain_core.tools import ToolException, tool
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from qwen_router.errors import InvalidRequest, MissingExtra
from qwen_router.tool_context import current
from qwen_router.tool_files import write_below

Kind = Literal["line", "bar", "scatter", "pie", "histogram"]
Format = Literal["png", "svg"]

MAX_ROWS = 10_000
MAX_SERIES = 12
MAX_BARS = 60
MAX_SHARES = 12
MAX_TEXT_CHARS = 120
MAX_LABEL_CHARS = 24
_CJK = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Noto Sans SC", "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei", "Microsoft YaHei", "SimHei", "PingFang SC", "Hiragino Sans GB", "Arial Unicode MS",
    "Droid Sans Fallback",
)  # fmt: skip


class PlotError(ToolException):
    """There is nothing to draw; the text says why, for the model to read."""


def _listed(value: Any) -> Any:
    """A list, also where a tool before, or a model, wrote it as a text: `[3, 1, 2]` or `3, 1, 2`."""
    if not isinstance(value, str):
        return value
    try:
        read = json.loads(value)
    except (ValueError, RecursionError):
        return [part.strip() for part in value.strip().strip("[]").split(",") if part.strip()]
    return read if isinstance(read, list) else [read]


Numbers = Annotated[list[float], BeforeValidator(_listed, json_schema_input_type=list[float] | str)]
Names = Annotated[list[str], BeforeValidator(_listed, json_schema_input_type=list[str] | str)]


class Table(BaseModel):
    """Columns and rows, as the other tools give them."""

    model_config = ConfigDict(extra="ignore")

    columns: list[str] = Field(description="Names of the columns.")
    rows: list[list[Any]] = Field(description="Rows, each with one value for every column.")


class TableInput(BaseModel):
    """What is drawn of a table."""

    table: Table = Field(description='Table, for example {"columns": ["year", "sales"], "rows": [[2025, 3], [2026, 5]]}.')
    x: str = Field(default="", description="Column along the bottom (the first).")
    y: Names = Field(default_factory=list, description="Columns to draw (all columns of numbers).")
    kind: Kind = Field(default="line", description="line, bar, scatter, pie or histogram.")
    title: str = Field(default="", description="Title above the plot.")
    format: Format = Field(default="png", description="png or svg.")


class NumbersInput(BaseModel):
    """What is drawn of numbers."""

    numbers: Numbers = Field(description="Numbers to draw, for example [3, 1, 2].")
    labels: Names = Field(default_factory=list, description="One label for each number.")
    kind: Kind = Field(default="line", description="line, bar, scatter, pie or histogram.")
    title: str = Field(default="", description="Title above the plot.")
    format: Format = Field(default="png", description="png or svg.")


# ── what is drawn ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _checked(table: Table) -> Table:
    if not table.columns or not table.rows:
        raise PlotError("the table is empty: give columns and rows")
    if len(table.rows) > MAX_ROWS:
        raise PlotError(f"the table has {len(table.rows):,} rows, more than {MAX_ROWS:,}: group or sample it first")
    for number, row in enumerate(table.rows, 1):
        if len(row) != len(table.columns):
            raise PlotError(f"row {number} has {len(row)} values for {len(table.columns)} columns")
    return table


def _column(table: Table, name: str) -> list[Any]:
    if name not in table.columns:
        raise PlotError(f"no column is called {name[:40]!r}: columns are {', '.join(table.columns[:20])}")
    place = table.columns.index(name)
    return [row[place] for row in table.rows]


def _number(value: Any) -> float | None:
    """The number, nan for what is missing, None for what is none."""
    if value is None or value == "":
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value.replace(",", "") if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else math.nan


def _numbers(name: str, values: list[Any]) -> list[float]:
    found = [_number(value) for value in values]
    for row, (number, value) in enumerate(zip(found, values, strict=True), 1):
        if number is None:
            raise PlotError(f"the column {name[:40]!r} holds {str(value)[:40]!r} in row {row}, which is no number")
    numbers = [number for number in found if number is not None]
    if all(math.isnan(number) for number in numbers):
        raise PlotError(f"the column {name[:40]!r} holds no number")
    return numbers


def _is_numeric(values: list[Any]) -> bool:
    numbers = [_number(value) for value in values]
    return None not in numbers and not all(number is not None and math.isnan(number) for number in numbers)


def _plain(text: str, limit: int = MAX_TEXT_CHARS) -> str:
    """One line without control characters."""
    line = " ".join("".join(c if unicodedata.category(c)[0] != "C" else " " for c in text).split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


# ── drawing ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def _fonts() -> tuple[str, ...]:
    """matplotlib's own font, and one with Chinese, Japanese and Korean signs where there is one."""
    from matplotlib import font_manager

    there = {font.name for font in font_manager.fontManager.ttflist}
    return ("DejaVu Sans", *[name for name in _CJK if name in there][:1])


def _written() -> dict[str, Any]:
    """How every text is drawn: literally, in fonts that know many scripts."""
    return {"parse_math": False, "usetex": False, "fontfamily": list(_fonts())}


def _drawn(x: list[Any], series: dict[str, list[float]], kind: Kind, title: str, x_name: str, format: Format) -> str:
    """Draw and save; the path below the root."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtra.of("matplotlib", extra="agent") from error
    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    if kind == "pie":
        _pie(axes, x, series)
    elif kind == "histogram":
        _histogram(axes, series)
    else:
        _lines(axes, x, series, kind)
        axes.set_xlabel(_plain(x_name), **_written())
    if len(series) == 1 and kind != "pie":
        name = _plain(next(iter(series)))
        axes.set_ylabel("count" if kind == "histogram" else name, **_written())
        if kind == "histogram":
            axes.set_xlabel(name, **_written())
    if len(series) > 1:
        for text in axes.legend().get_texts():
            text.set(**_written())
    if title:
        axes.set_title(fill(_plain(title), 70), **_written())
    return _saved(figure, title or kind, format)


def _lines(axes: Any, x: list[Any], series: dict[str, list[float]], kind: Kind) -> None:
    numeric = _is_numeric(x)
    places = _numbers("x", x) if numeric and kind != "bar" else [float(place) for place in range(len(x))]
    if kind == "bar" and len(x) > MAX_BARS:
        raise PlotError(f"{len(x)} bars are too many to read, more than {MAX_BARS}: draw a line or group the rows")
    width = 0.8 / len(series)
    for number, (name, values) in enumerate(series.items()):
        label = _legend(name)
        if kind == "bar":
            axes.bar([place + (number - (len(series) - 1) / 2) * width for place in places], values, width, label=label)
        elif kind == "scatter":
            axes.scatter(places, values, s=18, label=label)
        else:
            axes.plot(places, values, marker="o" if len(values) <= 40 else None, markersize=4, label=label)
    if not numeric or kind == "bar":
        step = max(1, math.ceil(len(x) / 20))
        texts = [_plain(_label(value), MAX_LABEL_CHARS) for value in x[::step]]
        crowded = sum(len(text) for text in texts) > 80
        turned: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
        axes.set_xticks(places[::step], texts, **turned, **_written())
    elif all(place.is_integer() for place in places if not math.isnan(place)):
        from matplotlib.ticker import MaxNLocator

        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.ticklabel_format(axis="x", useOffset=False)
    axes.grid(alpha=0.3)


def _legend(name: str) -> str:
    """matplotlib leaves what begins with _ out of a legend."""
    return "\u200a" + _plain(name)


def _label(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return "" if value is None else str(value)


def _pie(axes: Any, x: list[Any], series: dict[str, list[float]]) -> None:
    values = next(iter(series.values()))
    if len(series) > 1:
        raise PlotError(f"a pie shows one column, not {len(series)}: name it in y")
    if any(math.isnan(value) or value < 0 for value in values) or sum(values) == 0:
        raise PlotError("a pie needs numbers that are zero or more, and one above zero")
    if len(values) > MAX_SHARES:
        raise PlotError(f"{len(values)} shares are too many to read, more than {MAX_SHARES}: draw bars")
    labels = [_plain(_label(value), MAX_LABEL_CHARS) for value in x]
    axes.pie(values, labels=labels, autopct="%1.0f%%", startangle=90, counterclock=False, textprops=_written())


def _histogram(axes: Any, series: dict[str, list[float]]) -> None:
    """The same bins for every column; whole numbers that lie close have a bin each."""
    kept = {name: [value for value in values if not math.isnan(value)] for name, values in series.items()}
    together = [value for values in kept.values() for value in values]
    low, high = min(together), max(together)
    bins: Any = min(40, max(5, math.ceil(math.sqrt(len(together)))))
    if all(value.is_integer() for value in together) and high - low <= 40:
        bins = [low - 0.5 + place for place in range(int(high - low) + 2)]
    for name, values in kept.items():
        axes.hist(values, bins=bins, range=(low, high), alpha=0.7 if len(kept) > 1 else 1.0, label=_legend(name))
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)


def _saved(figure: Any, name: str, format: Format) -> str:
    """A new file in `plots/` below the root; links are never followed (`tool_files`)."""
    data = _bytes_of(figure, format)
    root = current().root
    stem = re.sub(r"[^a-z0-9]+", "-", unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower())
    stem = stem.strip("-")[:40].strip("-") or "plot"
    stem = "plot" if stem in ("con", "nul", "aux", "prn") else stem  # devices of Windows
    for number in range(1, 10_000):
        path = f"plots/{stem}{'' if number == 1 else f'-{number}'}.{format}"
        if lexists(root / path):
            continue
        try:
            return write_below(root, path, data, overwrite=False)
        except InvalidRequest as error:
            if not lexists(root / path):  # else somebody was faster
                raise PlotError(f"the plot cannot be saved: {error.problem}") from None
    raise PlotError("there are 10,000 plots of that name: give another title")


def _bytes_of(figure: Any, format: Format) -> bytes:
    import warnings

    buffer = BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # signs that no font has are drawn as boxes
            figure.savefig(buffer, format=format, metadata={"Date": None} if format == "svg" else None)
    except (ValueError, OverflowError, RuntimeError, MemoryError) as error:
        raise PlotError(f"matplotlib cannot draw that: {' '.join(str(error).split())[:160]}") from None
    return buffer.getvalue()


# ── the tools ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@tool("plot_table", args_schema=TableInput)
def plot_table(
    table: Table,
    x: str = "",
    y: list[str] | None = None,
    kind: Kind = "line",
    title: str = "",
    format: Format = "png",
) -> str:
    """Draw columns of a table as a picture and give its path, for example sales by year as bars."""
    table = _checked(table)
    x = x or ("" if kind == "histogram" else table.columns[0])
    along = _column(table, x) if x else list(range(1, len(table.rows) + 1))
    named = list(dict.fromkeys(y or ()))
    if not named:
        named = [name for name in table.columns if name != x and _is_numeric(_column(table, name))]
    if not named:
        raise PlotError(f"no column of numbers stands beside {x!r}: columns are {', '.join(table.columns[:20])}")
    if len(named) > MAX_SERIES:
        raise PlotError(f"{len(named)} columns are too many to read, more than {MAX_SERIES}: name some in y")
    series = {name: _numbers(name, _column(table, name)) for name in named}
    return _drawn(along, series, kind, title, x, format)


@tool("plot_numbers", args_schema=NumbersInput)
def plot_numbers(
    numbers: list[float], labels: list[str] | None = None, kind: Kind = "line", title: str = "", format: Format = "png"
) -> str:
    """Draw a row of numbers as a picture and give its path, for example [3, 1, 2] as bars."""
    if not numbers or len(numbers) > MAX_ROWS:
        raise PlotError(f"there are {len(numbers):,} numbers: give 1 to {MAX_ROWS:,}")
    if labels and len(labels) != len(numbers):
        raise PlotError(f"there are {len(labels)} labels for {len(numbers)} numbers: give one for each")
    along = list(labels) if labels else list(range(1, len(numbers) + 1))
    return _drawn(along, {"value": _numbers("numbers", list(numbers))}, kind, title, "", format)


def _explain_table(error: object) -> str:
    """What a model reads that called with the wrong arguments."""
    return (
        'plot_table takes table ({"columns": ["year", "sales"], "rows": [[2025, 3]]}), x (a column), y (a list of columns), '
        "kind (line, bar, scatter, pie or histogram), title, format (png or svg)"
    )


def _explain_numbers(error: object) -> str:
    return (
        "plot_numbers takes numbers (a list), labels (a list of texts), kind (line, bar, scatter, pie or histogram), title"
    )


plot_table.handle_tool_error = plot_numbers.handle_tool_error = True
plot_table.handle_validation_error = _explain_table
plot_numbers.handle_validation_error = _explain_numbers
_COMMON = {"output": "plot", "cost_s": 0.5, "timeout_s": 60.0, "writes": True}
plot_table.metadata = {
    "inputs": {"table": "table", "x": "text", "y": "json", "kind": "choice", "title": "text", "format": "choice"},
    **_COMMON,
}
plot_numbers.metadata = {
    "inputs": {"numbers": "json", "labels": "json", "kind": "choice", "title": "text", "format": "choice"},
    **_COMMON,
}
