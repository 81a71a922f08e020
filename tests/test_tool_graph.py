"""The graph of tools: chains by cost, what is wrong with tools, and pictures that no name breaks."""

from __future__ import annotations

import random
import re
from collections import Counter
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_router.agent.chain_search import RARELY_S, STEP_S
from qwen_router.agent.chains import Chain, Given
from qwen_router.agent.graph import ToolGraph
from qwen_router.errors import InvalidRequest, InvalidTool, UnknownName
from qwen_router.tool_kinds import KINDS, WrongKind, as_kind, countless, is_a, lineage, rarely_meant, size_chars
from qwen_router.tooling import ToolSignature, load_tools
from tests.tool_worlds import a_shelf, made_up


@pytest.fixture(scope="module")
def shelf() -> ToolGraph:
    return ToolGraph.of(a_shelf())


def said(chains: tuple[Chain, ...]) -> list[str]:
    return [str(chain) for chain in chains]


# ── chains ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_image_becomes_a_plot_by_way_of_text_table_and_number(shelf: ToolGraph) -> None:
    best = shelf.chains(["image"], "plot")[0]
    assert [step.signature.output for step in best.steps] == ["text", "table", "number", "plot"]
    assert best.tools == ("read_image", "extract_table", "column_sum", "plot_number")
    assert best.time_s == pytest.approx(8.2)
    assert best.cost_s == pytest.approx(8.2 + 4 * STEP_S)


@pytest.mark.parametrize(
    ("have", "want", "first"),
    [
        pytest.param(["text"], "table", "extract_table(text) = table", id="one-step"),
        pytest.param(["text"], "text", "compare(text, text 2) = text", id="a-text-of-a-text-is-made-by-a-tool"),
        pytest.param(["number", "unit"], "number", "convert(number, unit, unit 2) = number", id="a-text-holds-two-units"),
        pytest.param(
            ["data", "audio"],
            "table",
            "read_file(data) -> extract_table(read_file) = table",
            id="a-sound-is-not-read-as-a-file-of-text",
        ),
        pytest.param(["url"], "table", "fetch(url) -> extract_table(fetch) = table", id="a-page-is-a-text"),
        pytest.param([], "date", "today() = date", id="nothing-is-needed"),
        pytest.param(["question"], "date", "today() = date", id="what-is-there-need-not-be-used"),
        pytest.param(
            ["question", "image"],
            "table",
            "read_image(image, question) -> extract_table(read_image) = table",
            id="a-picture-is-read-before-the-question-is-taken-for-its-text",
        ),
        pytest.param(
            ["image", "audio"],
            "report",
            "transcribe(audio) -> read_image(image) -> compare(transcribe, read_image) = report",
            id="two-branches",
        ),
        pytest.param(
            ["image", "image"],
            "report",
            "read_image(image) -> read_image(image 2) -> compare(read_image, read_image) = report",
            id="one-tool-twice-on-two-images",
        ),
        pytest.param(
            ["image"],
            "report",
            "read_image(image) -> describe_image(image) -> compare(read_image, describe_image) = report",
            id="one-image-is-not-compared-with-itself",
        ),
        pytest.param(
            ["image"],
            "path",
            "read_image(image) -> extract_table(read_image) -> column_sum(extract_table) -> plot_number(column_sum) = path",
            id="a-plot-is-a-path",
        ),
    ],
)
def test_the_best_chain(shelf: ToolGraph, have: list[str], want: str, first: str) -> None:
    assert said(shelf.chains(have, want))[0] == first


def test_no_chain_is_an_answer(shelf: ToolGraph) -> None:
    assert shelf.chains(["image"], "audio") == ()
    assert shelf.chains([], "table", allowed={"extract_table"}) == ()


def test_further_chains_do_without_something_and_come_by_cost(shelf: ToolGraph) -> None:
    chains = shelf.chains(["question", "image"], "table", limit=3)
    assert said(chains) == [
        "read_image(image, question) -> extract_table(read_image) = table",
        "describe_image(image) -> extract_table(describe_image) = table",
        "extract_table(question) = table",
    ]
    assert chains[0].cost_s < chains[1].cost_s < chains[2].cost_s


def test_branches_cost_the_longest_of_them_and_work_is_the_sum(shelf: ToolGraph) -> None:
    best = shelf.chains(["image", "audio"], "report")[0]
    assert (best.time_s, best.work_s) == (pytest.approx(7), pytest.approx(11))
    assert [step.after for step in best.steps] == [(), (), (0, 1)]


def test_of_two_equal_chains_the_shorter_comes_first_and_then_the_name() -> None:
    free = {"cost_s": 0.0}
    graph = ToolGraph.of(
        [
            made_up("b_direct", {"a": "table"}, "number", **free),
            made_up("a_direct", {"a": "table"}, "number", **free),
            made_up("to_data", {"a": "table"}, "data", **free),
            made_up("of_data", {"a": "data"}, "number", **free),
        ]
    )
    assert [c.tools for c in graph.chains(["table"], "number")] == [("a_direct",), ("b_direct",), ("to_data", "of_data")]


def test_a_value_that_fits_in_two_places_goes_where_the_chain_is_cheapest() -> None:
    tools = [
        made_up("paint", {"note": "table"}, "image", cost_s=29.5),
        made_up("frame", {"picture": "image", "file": "path"}, "report"),
    ]
    best = ToolGraph.of(tools).chains(["image", "table"], "report")[0]
    # The given image can be the picture at once, but any file only after a charge of 30 s: by then there is a new picture.
    assert str(best) == "paint(table) -> frame(paint, image) = report"
    assert best.cost_s == pytest.approx(30 + 0.1 + STEP_S)


def test_only_allowed_tools_are_used(shelf: ToolGraph) -> None:
    chains = shelf.chains(["image"], "table", allowed=["describe_image", "extract_table", "no_such_tool"])
    assert said(chains) == ["describe_image(image) -> extract_table(describe_image) = table"]


def test_users_own_kinds_join_too() -> None:
    graph = ToolGraph.of([made_up("draw", {"m": "molecule"}, "plot"), made_up("parse", {"t": "text"}, "molecule")])
    assert said(graph.chains(["text"], "plot")) == ["parse(text) -> draw(parse) = plot"]
    assert graph.problems == ()


def test_a_misspelt_kind_is_named_with_its_like(shelf: ToolGraph) -> None:
    with pytest.raises(UnknownName, match=r"'tabel'.*'table'"):
        shelf.chains(["image"], "tabel")
    with pytest.raises(UnknownName, match="'imge'"):
        shelf.chains(["imge"], "table")


@pytest.mark.parametrize("limit", [0, -1, 51])
def test_a_limit_that_makes_no_sense_is_refused(shelf: ToolGraph, limit: int) -> None:
    with pytest.raises(InvalidRequest, match="chains are wanted"):
        shelf.chains(["image"], "plot", limit=limit)


def test_the_shipped_tools_make_a_graph_without_errors() -> None:
    graph = ToolGraph.of(load_tools().values())
    assert [problem for problem in graph.problems if problem.severity == "error"] == []
    assert "calculator(expression) = number" in said(graph.chains(["expression"], "number"))


# ── properties ──────────────────────────────────────────────────────────────────────────────────────────────────────

SOME_KINDS = ("text", "page", "number", "unit", "table", "image", "plot", "path", "own", "other")


@st.composite
def signatures(draw: st.DrawFn, kinds: tuple[str, ...] = SOME_KINDS, *, distinct: bool = False) -> dict[str, ToolSignature]:
    found = {}
    for n in range(draw(st.integers(1, 12))):
        takes = draw(st.lists(st.sampled_from(kinds), max_size=3, unique=distinct))
        inputs = {f"a{i}": kind for i, kind in enumerate(takes)}
        optional = frozenset(arg for arg in inputs if draw(st.integers(0, 5)) == 0)
        cost_s = draw(st.sampled_from((0.0, 0.1, 1.0, 2.5)))
        found[f"t{n}"] = ToolSignature(f"t{n}", inputs, draw(st.sampled_from(kinds)), optional, cost_s=cost_s)
    return found


def graph_of(signatures: dict[str, ToolSignature]) -> ToolGraph:
    """A graph whose tools are never called."""
    return ToolGraph(dict.fromkeys(signatures), signatures, own_kinds=("own", "other"))  # type: ignore[arg-type]


some_have = st.lists(st.sampled_from(SOME_KINDS), max_size=4)
some_want = st.sampled_from(SOME_KINDS)


def check_chain(chain: Chain, have: list[str]) -> None:
    """Every input is there when its step runs, of its kind, and once; every step is used; the last gives what is wanted."""
    counts = Counter(have)
    used = {n for step in chain.steps for n in step.after}
    assert used == set(range(len(chain.steps) - 1)), "a step that nothing uses"
    assert len(set(chain.identity)) == len(chain.steps), "the same call twice"
    assert is_a(chain.steps[-1].signature.output, chain.want)
    for n, step in enumerate(chain.steps):
        signature = step.signature
        assert set(signature.inputs) - signature.optional <= set(step.inputs) <= set(signature.inputs)
        assert len(set(step.inputs.values())) == len(step.inputs), "one value for two inputs"
        for arg, source in step.inputs.items():
            if isinstance(source, Given):
                assert 1 <= source.number <= counts[source.kind] or (countless(source.kind) and counts[source.kind])
                assert is_a(source.kind, signature.inputs[arg])
            else:
                assert source < n
                assert is_a(chain.steps[source].signature.output, signature.inputs[arg])


@settings(max_examples=150)
@given(signatures(), some_have, some_want)
def test_every_chain_runs_in_its_order_and_has_no_useless_step(
    signatures: dict[str, ToolSignature], have: list[str], want: str
) -> None:
    chains = graph_of(signatures).chains(have, want)
    for chain in chains:
        check_chain(chain, have)
        done_s: list[float] = []
        for step in chain.steps:
            done_s.append(step.signature.cost_s + max((done_s[n] for n in step.after), default=0.0))
        assert chain.time_s == pytest.approx(done_s[-1])
        assert chain.cost_s >= chain.time_s
    assert list(chains) == sorted(chains, key=lambda chain: chain.key)
    assert len({chain.identity for chain in chains}) == len(chains)


@given(signatures(), some_have, some_want, st.randoms(use_true_random=False))
def test_the_order_of_tools_and_of_kinds_never_matters(
    signatures: dict[str, ToolSignature], have: list[str], want: str, rng: random.Random
) -> None:
    names, shuffled = list(signatures), list(have)
    rng.shuffle(names)
    rng.shuffle(shuffled)
    other = graph_of({name: signatures[name] for name in names}).chains(shuffled, want)
    assert said(other) == said(graph_of(signatures).chains(have, want))


@given(signatures(), signatures(), some_have, some_want)
def test_another_tool_never_makes_the_best_chain_dearer(
    signatures: dict[str, ToolSignature], more: dict[str, ToolSignature], have: list[str], want: str
) -> None:
    before = graph_of(signatures).chains(have, want, limit=1)
    after = graph_of(signatures | {f"new_{name}": s for name, s in more.items()}).chains(have, want, limit=1)
    if before:
        assert after[0].cost_s <= before[0].cost_s + 1e-9


LONELY = ("own", "other", "third", "fourth", "fifth")


@settings(max_examples=150)
@given(
    signatures(LONELY, distinct=True), st.lists(st.sampled_from(LONELY), unique=True, max_size=2), st.sampled_from(LONELY)
)
def test_the_best_chain_costs_what_trying_everything_finds(
    signatures: dict[str, ToolSignature], have: list[str], want: str
) -> None:
    graph = ToolGraph(dict.fromkeys(signatures), signatures, own_kinds=LONELY)  # type: ignore[arg-type]
    at_s = dict.fromkeys(have, 0.0)
    best_s = float("inf")
    for _ in range(len(signatures) + 1):  # as Bellman and Ford would: again and again, until nothing gets quicker
        for signature in signatures.values():
            needs = [kind for arg, kind in signature.inputs.items() if arg not in signature.optional]
            if all(kind in at_s for kind in needs):
                at_home = needs or not have or set(have) & set(signature.inputs.values())
                start_s = max((at_s[kind] for kind in needs), default=0.0 if at_home else RARELY_S)
                done_s = start_s + signature.cost_s + STEP_S
                at_s[signature.output] = min(done_s, at_s.get(signature.output, float("inf")))
                if signature.output == want:
                    best_s = min(best_s, done_s)
    chains = graph.chains(have, want)
    assert bool(chains) == (best_s < float("inf"))
    if chains:
        assert chains[0].cost_s == pytest.approx(best_s)


@given(signatures(), some_have, some_want)
def test_a_smaller_limit_gives_the_start_of_the_same_list(
    signatures: dict[str, ToolSignature], have: list[str], want: str
) -> None:
    graph = graph_of(signatures)
    costs = [round(chain.cost_s, 6) for chain in graph.chains(have, want, limit=6)]
    for limit in (1, 3):
        assert [round(chain.cost_s, 6) for chain in graph.chains(have, want, limit=limit)] == costs[:limit]


# ── problems ────────────────────────────────────────────────────────────────────────────────────────────────────────


def problems(*tools: object) -> list[str]:
    return [str(problem) for problem in ToolGraph.of(tools, strict=False).problems]  # type: ignore[arg-type]


def test_a_tool_without_types_and_two_of_one_name_are_refused_by_name() -> None:
    bare = made_up("bare", {}, "text")
    bare.metadata = None
    twins = [made_up("twin", {}, "text"), made_up("twin", {}, "number")]
    with pytest.raises(InvalidTool, match="'bare' does not say"):
        ToolGraph.of([bare])
    with pytest.raises(InvalidTool, match="2 tools are called 'twin'"):
        ToolGraph.of(twins)
    good = made_up("good", {}, "text")
    graph = ToolGraph.of([bare, *twins, good, good], strict=False)
    assert list(graph.tools) == ["good"]
    assert [(p.tool, p.kind, p.severity) for p in graph.problems] == [
        ("bare", "no types", "error"),
        ("twin", "same name", "error"),
    ]


def test_a_tool_whose_schema_cannot_be_read_is_an_invalid_tool() -> None:
    with pytest.raises(InvalidTool, match="schema cannot be read: ValueError"):
        ToolGraph.of([made_up("a\0b", {}, "text")])


def test_circles_that_something_starts_are_fine(shelf: ToolGraph) -> None:
    assert shelf.problems == ()  # summarise takes text and gives text, join takes tables and gives one


def test_tools_that_only_feed_each_other_are_named() -> None:
    found = problems(
        made_up("hen", {"egg": "egg"}, "hen"),
        made_up("egg", {"hen": "hen"}, "egg"),
        made_up("omelette", {"egg": "egg"}, "text"),
        made_up("alone", {"x": "x"}, "x"),
    )
    assert found == [
        "error: alone: only it gives the 'x' that it needs: it can never start",
        "error: egg: egg and hen only feed each other: none of them can ever start",
        "error: hen: egg and hen only feed each other: none of them can ever start",
        "error: omelette: it waits for 'egg', which comes only from egg, and that never starts",
    ]


def test_dead_ends_are_named_with_what_was_probably_meant() -> None:
    found = problems(made_up("sum_up", {"values": "nubmer"}, "number"), made_up("list_all", {"path": "data"}, "tabel"))
    assert found == [
        "warning: list_all: it gives 'tabel', which no tool takes and no request wants (did you mean 'table'?)",
        "error: sum_up: it needs 'nubmer', which no tool gives and no request has (did you mean 'number'?)",
    ]


def test_what_circles_without_a_way_out_is_told() -> None:
    found = problems(made_up("spin", {"text": "text", "state": "state"}, "state", optional=("state",)))
    assert found == ["warning: spin: it gives 'state' only to spin, and nothing comes of it that a request wants"]


def test_a_kind_that_requests_have_is_no_dead_end() -> None:
    tool = made_up("draw", {"m": "molecule"}, "crystal")
    assert len(ToolGraph.of([tool]).problems) == 1
    assert ToolGraph.of([tool], own_kinds=("molecule", "crystal")).problems == ()


def test_a_thousand_tools_that_wait_for_each_other_are_told() -> None:
    loop = {f"t{n}": ToolSignature(f"t{n}", {"a": f"k{n}"}, f"k{(n + 1) % 1000}") for n in range(1000)}
    graph = ToolGraph(dict.fromkeys(loop), loop)  # type: ignore[arg-type]
    assert len(graph.problems) == 1000
    assert graph.problems[0].kind == "cycle"
    assert "t0, t1, t10, t100, t101, t102 and 994 more only feed each other" in graph.problems[0].text


# ── pictures ────────────────────────────────────────────────────────────────────────────────────────────────────────

NASTY = 'x"]; <script>alert(1)</script> & #quot; `%%` \n end --> y \x00\x1b[31m' + "é漢" * 40
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def nasty() -> ToolGraph:
    return ToolGraph.of([made_up(NASTY.replace("\x00", ""), {"a": NASTY}, "text", dangerous=True)], own_kinds=(NASTY,))


def test_svg_is_well_formed_whatever_tools_are_called(nasty: ToolGraph) -> None:
    for text in (nasty.svg(), nasty.svg(nasty.chains([NASTY], "text")[0])):
        root = ElementTree.fromstring(text)
        assert root.tag == f"{SVG}svg"
        assert not list(root.iter(f"{SVG}script"))
        assert len(list(root.iter(f"{SVG}title"))) == 3
        assert max(len("".join(label.itertext())) for label in root.iter(f"{SVG}text")) <= 40


def test_mermaid_labels_hold_nothing_that_mermaid_reads(nasty: ToolGraph) -> None:
    rows = nasty.mermaid(nasty.chains([NASTY], "text")[0]).splitlines()
    assert rows[0] == "flowchart LR"
    box = re.compile(r'  n\d+(?:\(\["|\[")([^"]*)(?:"\]\)|"\]):::(?:kind|tool|dangerous|want)')
    line = re.compile(r'  n\d+ (?:-->|-\.->)(?:\|"([^"]*)"\|)? n\d+')
    colours = re.compile(r"  classDef \w+ fill:#\w{6},stroke:#\w{6},color:#\w{6}")
    for row in rows[1:]:
        match = box.fullmatch(row) or line.fullmatch(row) or colours.fullmatch(row)
        assert match, row
        label = (match.groups() or ("",))[0] or ""
        assert re.fullmatch(r"(?:[\w .,\-+/]|#\d+;|<br/>)*", label), label


def test_the_picture_of_a_chain_has_its_branches(shelf: ToolGraph) -> None:
    chain = shelf.chains(["image", "image"], "report")[0]
    assert shelf.mermaid(chain).splitlines()[1:12] == [
        '  n0(["image<br/>given"]):::kind',
        '  n1(["image 2<br/>given"]):::kind',
        '  n2["read_image<br/>5 s"]:::tool',
        '  n3["read_image<br/>5 s"]:::tool',
        '  n4["compare<br/>2 s"]:::tool',
        '  n5(["report<br/>wanted"]):::want',
        '  n0 -->|"path"| n2',
        '  n1 -->|"path"| n3',
        '  n2 -->|"text as one"| n4',
        '  n3 -->|"text as other"| n4',
        "  n4 --> n5",
    ]


def test_the_picture_of_the_whole_graph_has_every_tool_and_kind(shelf: ToolGraph) -> None:
    titles = ["".join(title.itertext()) for title in ElementTree.fromstring(shelf.svg()).iter(f"{SVG}title")]
    taken = {kind for s in shelf.signatures.values() for kind in s.inputs.values()}
    given = {s.output for s in shelf.signatures.values()}
    assert Counter(titles) == Counter([*shelf.tools, *taken, *given])
    assert "stroke-dasharray" in shelf.svg()  # the question to read_image may be left out


def test_boxes_of_a_picture_never_overlap(shelf: ToolGraph) -> None:
    for text in (shelf.svg(), shelf.svg(shelf.chains(["image", "audio"], "report")[0])):
        places = [tuple(float(r.get(k, "0")) for k in ("x", "y", "width", "height")) for r in boxes_of(text)]
        for n, (x, y, w, h) in enumerate(places):
            for x2, y2, w2, h2 in places[:n]:
                assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


def boxes_of(svg: str) -> list[ElementTree.Element]:
    return [group[1] for group in ElementTree.fromstring(svg).iter(f"{SVG}g")]


def test_an_empty_graph_can_be_drawn_and_asked() -> None:
    graph = ToolGraph.of([])
    assert graph.chains(["image"], "text") == ()
    assert graph.mermaid() == "flowchart LR\n"
    ElementTree.fromstring(graph.svg())


def test_the_network_is_networkx_with_kinds_and_tools(shelf: ToolGraph) -> None:
    network = shelf.network
    assert network.edges[("kind", "question"), ("tool", "read_image")] == {"optional": True}
    assert network.edges[("kind", "page"), ("kind", "text")] == {"is_a": True}
    assert network.has_edge(("tool", "fetch"), ("kind", "page"))


# ── kinds ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_table_of_kinds_has_no_circle_and_no_unknown_parent() -> None:
    assert all(parent is None or parent in KINDS for parent in KINDS.values())
    assert lineage("plot") == ("plot", "image", "path")
    assert lineage("own") == ("own",)
    assert is_a("number", "text") and not is_a("text", "number") and not is_a("table", "text")
    assert rarely_meant("number", "text") and not rarely_meant("page", "text") and not rarely_meant("number", "number")
    assert rarely_meant("audio", "path") and not rarely_meant("document", "path") and not rarely_meant("plot", "image")


@pytest.mark.parametrize(
    ("value", "kind", "as_it_is_taken"),
    [
        pytest.param(3, "text", "3", id="a-number-becomes-its-text"),
        pytest.param(0.5, "number", 0.5, id="a-number"),
        pytest.param({"a": 1}, "json", '{"a": 1}', id="values-become-json"),
        pytest.param('{"columns": ["a"], "rows": [[1]]}', "table", {"columns": ["a"], "rows": [[1]]}, id="json-of-a-table"),
        pytest.param(
            [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "text", "a\nb", id="blocks-of-a-message"
        ),
        pytest.param([1, 2], "own", [1, 2], id="own-kinds-are-not-looked-into"),
        pytest.param("a.png", "plot", "a.png", id="a-path"),
    ],
)
def test_values_are_handed_over_in_the_form_of_their_kind(value: object, kind: str, as_it_is_taken: object) -> None:
    assert as_kind(value, kind) == as_it_is_taken


@pytest.mark.parametrize(
    ("value", "kind", "told"),
    [
        pytest.param(None, "own", "got nothing", id="none"),
        pytest.param("3", "number", "got str of 1 characters", id="text-is-no-number"),
        pytest.param(True, "number", "got True", id="a-truth-is-no-number"),
        pytest.param(float("nan"), "number", "got nan", id="nan"),
        pytest.param({"secret": 1}, "text", "got dict of 1", id="values-are-not-told"),
        pytest.param({1, 2}, "json", "JSON cannot hold", id="no-json"),
        pytest.param(b"x", "text", "got bytes", id="bytes"),
        pytest.param("", "image", "an empty str", id="no-path"),
        pytest.param("a\0b", "path", "path of path", id="nul-in-a-path"),
        pytest.param("{broken", "table", "no JSON", id="broken-json"),
        pytest.param({"columns": ["a"], "rows": [[1, 2]]}, "table", "row 1", id="a-row-too-wide"),
        pytest.param({"columns": "ab", "rows": []}, "table", "not names", id="columns-as-text"),
        pytest.param(10**6000, "text", "too many digits", id="huge-integer"),
    ],
)
def test_a_value_of_another_kind_is_named(value: object, kind: str, told: str) -> None:
    with pytest.raises(WrongKind, match=told):
        as_kind(value, kind)


def test_sizes_are_counted_only_as_far_as_needed() -> None:
    assert size_chars({"a": ["bc", 1.5]}) == 1 + 2 + 2 + 8  # the list counts its items too
    loop: list[object] = ["x"]
    loop.append(loop)
    assert size_chars(loop, limit=1000) > 1000
