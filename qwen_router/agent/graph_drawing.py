"""Pictures of the tool graph and of chains: Mermaid text and SVG, left to right, with no library and no network.

A picture is boxes in columns and lines between them. The whole graph has three columns: the kinds that tools take, the
tools, the kinds that they give. A chain has one column for what is given and one for each step on the longest way. Names are
data: they are escaped in both forms.

    qwen-router tools graph --format svg -o tools.svg
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal

from qwen_router.agent.chains import Chain, Given

if TYPE_CHECKING:
    from qwen_router.agent.graph import ToolGraph
    from qwen_router.tooling import ToolSignature

Look = Literal["kind", "tool", "dangerous", "want", "way"]


@dataclass(frozen=True, slots=True)
class Box:
    """A tool or a kind, in a column; a `way` is room for a line. `note` is a second, smaller line."""

    column: int
    label: str
    look: Look
    note: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """From one box to another, by their numbers. `label` says what is handed over; dashed ones may be left out."""

    start: int
    end: int
    label: str = ""
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def picture_of_graph(graph: ToolGraph) -> Picture:
    """Kinds that are taken, tools, kinds that are given."""
    signatures = graph.signatures
    taken = sorted({kind for s in signatures.values() for kind in s.inputs.values()})
    given = sorted({s.output for s in signatures.values()})
    names = list(signatures)
    for _ in range(4):  # tools beside the kinds that they join, kinds beside their tools: fewer lines cross
        names.sort(key=lambda name: (_middle_of(signatures[name], taken, given), name))
        at = {name: n for n, name in enumerate(names)}
        taken.sort(key=lambda k: (_mean(at[n] for n, s in signatures.items() if k in s.inputs.values()), k))
        given.sort(key=lambda k: (_mean(at[n] for n, s in signatures.items() if k == s.output), k))
    boxes = [Box(0, kind, "kind") for kind in taken]
    boxes += [Box(1, name, _look(signatures[name]), _note(signatures[name])) for name in names]
    boxes += [Box(2, kind, "kind") for kind in given]
    lines = []
    for t, name in enumerate(names, len(taken)):
        s = signatures[name]
        for kind in dict.fromkeys(s.inputs.values()):
            needed = any(k == kind and arg not in s.optional for arg, k in s.inputs.items())
            lines.append(Line(taken.index(kind), t, dashed=not needed))
        lines.append(Line(t, len(taken) + len(names) + given.index(s.output)))
    return Picture(tuple(boxes), tuple(lines))


def picture_of_chain(chain: Chain) -> Picture:
    """What is given, the steps, what comes out."""
    given = chain.needs
    boxes = [Box(0, one.name, "kind", "given") for one in given]
    columns: list[int] = []
    lines = []
    for n, step in enumerate(chain.steps):
        columns.append(1 + max((columns[before] for before in step.after), default=0))
        boxes.append(Box(columns[n], step.tool, _look(step.signature), _note(step.signature)))
        by_source: dict[Given | int, list[str]] = {}
        for arg, source in step.inputs.items():
            by_source.setdefault(source, []).append(arg)
        for source, args in by_source.items():
            start = given.index(source) if isinstance(source, Given) else len(given) + source
            kind = "" if isinstance(source, Given) else chain.steps[source].signature.output
            label = ", ".join(args) if kind in ("", *args) else f"{kind} as {', '.join(args)}"
            lines.append(Line(start, len(given) + n, label))
    boxes.append(Box(max(columns) + 1, chain.steps[-1].signature.output, "want", "wanted"))
    lines.append(Line(len(boxes) - 2, len(boxes) - 1))
    return Picture(tuple(boxes), tuple(lines))


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers) if numbers else 0.0


def _middle_of(signature: ToolSignature, taken: Sequence[str], given: Sequence[str]) -> float:
    """Where between its kinds a tool stands, 0 (top) to 1."""
    left = _mean(taken.index(kind) / len(taken) for kind in set(signature.inputs.values()))
    return left + given.index(signature.output) / len(given)


def _look(signature: ToolSignature) -> Look:
    return "dangerous" if signature.dangerous else "tool"


def _note(signature: ToolSignature) -> str:
    rights = [word for word in ("dangerous", "untrusted") if getattr(signature, word)]
    return ", ".join([f"{signature.cost_s:g} s", *rights])


# ── Mermaid ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_SHAPES = {"kind": ('(["', '"])'), "want": ('(["', '"])'), "tool": ('["', '"]'), "dangerous": ('["', '"]')}


def as_mermaid(picture: Picture) -> str:
    """A Mermaid flowchart. Names stand in quoted labels, with every sign that Mermaid or HTML reads as its entity."""
    rows = ["flowchart LR"]
    for n, box in enumerate(picture.boxes):
        opening, closing = _SHAPES[box.look]
        note = f"<br/>{_mermaid(box.note)}" if box.note else ""
        rows.append(f"  n{n}{opening}{_mermaid(box.label)}{note}{closing}:::{box.look}")
    for line in picture.lines:
        arrow = "-.->" if line.dashed else "-->"
        label = f'|"{_mermaid(line.label)}"|' if line.label else ""
        rows.append(f"  n{line.start} {arrow}{label} n{line.end}")
    for look in dict.fromkeys(box.look for box in picture.boxes):
        fill, edge = _COLOURS[look]
        rows.append(f"  classDef {look} fill:{fill},stroke:{edge},color:{_INK}")
    return "\n".join(rows) + "\n"


def _mermaid(text: str) -> str:
    """Letters, digits and a few harmless signs as they are, everything else as `#code;`."""
    flat = " ".join(text.split())
    return "".join(char if char.isalnum() or char in " _.,-+/" else f"#{ord(char)};" for char in flat)


# ── SVG ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

_INK, _GREY = "#1f2328", "#8a929b"
_COLOURS = {
    "kind": ("#eaf2ff", "#5b8def"),
    "want": ("#e6f6ea", "#3a9b57"),
    "tool": ("#ffffff", _GREY),
    "dangerous": ("#fdecea", "#cf4b3f"),
}
_CHAR_PX, _NOTE_CHAR_PX, _PAD_PX, _MARGIN_PX, _ROW_PX, _GAP_PX = 7.9, 6.3, 14.0, 20.0, 58.0, 70.0
_HEIGHT_PX = {True: 42.0, False: 28.0}
MAX_LABEL_CHARS = 40


def as_svg(picture: Picture) -> str:
    """An SVG picture on white, for light and dark pages alike. Long names are cut; the whole stands in the title."""
    picture = _routed(picture)
    boxes = picture.boxes
    columns = range(max((box.column for box in boxes), default=-1) + 1)
    widths = [max((_width(b) for b in boxes if b.column == c), default=0.0) for c in columns]
    gaps = [_gap(picture, c) for c in columns]
    lefts = [_MARGIN_PX + sum(widths[:c]) + sum(gaps[:c]) for c in columns]
    middles = _rows(picture)
    height = max((y + 40 for y in middles), default=0.0) + _MARGIN_PX - 14
    width = max((left + w for left, w in zip(lefts, widths, strict=True)), default=0.0) + _MARGIN_PX
    shown = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="ui-monospace, DejaVu Sans Mono, Menlo, monospace">',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
    ]
    labels = []
    for line in picture.lines:
        start, end = boxes[line.start], boxes[line.end]
        x1 = lefts[start.column] + (widths[start.column] + _width(start)) / 2
        x2 = lefts[end.column] + (widths[end.column] - _width(end)) / 2
        shown += _curve(line, x1, middles[line.start], x2, middles[line.end], arrow=end.look != "way")
        if line.label:
            labels += _label(line.label, (x1 + x2 - 7) / 2, (middles[line.start] + middles[line.end]) / 2)
    shown += labels
    for n, box in enumerate(boxes):
        left = lefts[box.column] + (widths[box.column] - _width(box)) / 2
        shown += _drawn(box, left, middles[n]) if box.look != "way" else []
    return "\n".join([*shown, "</svg>"]) + "\n"


def _routed(picture: Picture) -> Picture:
    """The same, with a way kept free in every column that a line crosses, so that none runs behind a box."""
    boxes, lines = list(picture.boxes), []
    for line in picture.lines:
        at = line.start
        for column in range(boxes[line.start].column + 1, boxes[line.end].column):
            boxes.append(Box(column, "", "way"))
            label = line.label if at == line.start else ""
            lines.append(Line(at, len(boxes) - 1, label, line.dashed))
            at = len(boxes) - 1
        lines.append(Line(at, line.end, line.label if at == line.start else "", line.dashed))
    return Picture(tuple(boxes), tuple(lines))


def _rows(picture: Picture) -> list[float]:
    """The middle of each box, in pixels from the top: the longest column evenly, the others beside what they join."""
    columns: dict[int, list[int]] = {}
    for n, box in enumerate(picture.boxes):
        columns.setdefault(box.column, []).append(n)
    if not columns:
        return []
    longest = max(columns, key=lambda c: (len(columns[c]), -c))
    bottom = _MARGIN_PX + 22 + (len(columns[longest]) - 1) * _ROW_PX
    middles = [0.0] * len(picture.boxes)
    for row, n in enumerate(columns[longest]):
        middles[n] = _MARGIN_PX + 22 + row * _ROW_PX
    near: dict[int, list[int]] = {}
    for line in picture.lines:
        near.setdefault(line.start, []).append(line.end)
        near.setdefault(line.end, []).append(line.start)
    for column, placed in [*((c, c + 1) for c in range(longest - 1, -1, -1)), *((c, c - 1) for c in columns if c > longest)]:
        wanted = {
            n: _mean(middles[m] for m in near.get(n, ()) if picture.boxes[m].column == placed)
            or (_MARGIN_PX + 22 + bottom) / 2
            for n in columns[column]
        }
        order = sorted(wanted, key=lambda n: (wanted[n], n))
        for n, middle in zip(order, _apart([wanted[n] for n in order], bottom), strict=True):
            middles[n] = middle
    return middles


def _apart(wanted: Sequence[float], bottom: float) -> list[float]:
    """Places as near as easily had to those that are wanted (in their order), a row apart and not below `bottom`."""
    places: list[float] = []
    for want in wanted:
        places.append(max(want, places[-1] + _ROW_PX) if places else want)
    limit = bottom
    for n in range(len(places) - 1, -1, -1):
        places[n] = min(places[n], limit)
        limit = places[n] - _ROW_PX
    return places


def _gap(picture: Picture, column: int) -> float:
    """Room to the right of a column: for the labels of the lines that start in it."""
    labels = [len(_cut(line.label)) for line in picture.lines if picture.boxes[line.start].column == column]
    return max(_GAP_PX, max(labels, default=0) * _NOTE_CHAR_PX + 36)


def _width(box: Box) -> float:
    if box.look == "way":
        return 0.0
    return max(len(_cut(box.label)) * _CHAR_PX, len(_cut(box.note)) * _NOTE_CHAR_PX) + 2 * _PAD_PX


def _cut(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= MAX_LABEL_CHARS else flat[: MAX_LABEL_CHARS - 1] + "…"


def _drawn(box: Box, left: float, middle: float) -> list[str]:
    fill, edge = _COLOURS[box.look]
    width, height = _width(box), _HEIGHT_PX[bool(box.note)]
    radius = height / 2 if box.look in ("kind", "want") else 6
    x = left + width / 2
    label_y = middle - 3 if box.note else middle + 4.5
    shown = [
        f"<g><title>{_xml(box.label)}</title>",
        f'<rect x="{left:.1f}" y="{middle - height / 2:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{radius:.0f}" '
        f'fill="{fill}" stroke="{edge}" stroke-width="1.4"/>',
        f'<text x="{x:.1f}" y="{label_y:.1f}" font-size="13" fill="{_INK}" text-anchor="middle">'
        f"{_xml(_cut(box.label))}</text>",
    ]
    if box.note:
        shown.append(
            f'<text x="{x:.1f}" y="{middle + 13:.1f}" font-size="10.5" fill="#59636e" text-anchor="middle">'
            f"{_xml(_cut(box.note))}</text>"
        )
    return [*shown, "</g>"]


def _curve(line: Line, x1: float, y1: float, x2: float, y2: float, *, arrow: bool) -> list[str]:
    tip = x2 - 7 if arrow else x2
    bend = min(max((tip - x1) / 2, 20), 120)
    dash = ' stroke-dasharray="4 4"' if line.dashed else ""
    path = f"M{x1:.1f} {y1:.1f} C{x1 + bend:.1f} {y1:.1f} {tip - bend:.1f} {y2:.1f} {tip:.1f} {y2:.1f}"
    shown = [f'<path d="{path}" fill="none" stroke="{_GREY}" stroke-width="1.2"{dash}/>']
    if arrow:
        shown.append(f'<path d="M{x2:.1f} {y2:.1f} l-8 -3.5 v7 z" fill="{_GREY}"/>')
    return shown


def _label(text: str, x: float, y: float) -> list[str]:
    shown = _cut(text)
    width = len(shown) * _NOTE_CHAR_PX + 6
    return [
        f'<rect x="{x - width / 2:.1f}" y="{y - 8:.1f}" width="{width:.1f}" height="16" fill="#ffffff"/>',
        f'<text x="{x:.1f}" y="{y + 3.5:.1f}" font-size="10.5" fill="#59636e" text-anchor="middle">{_xml(shown)}</text>',
    ]


def _xml(text: str) -> str:
    """Text for XML: escaped, and without the control characters that XML cannot hold."""
    return escape("".join(char if char.isprintable() else "�" for char in text))
