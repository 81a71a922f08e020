"""Checks what can be checked about an answer: mathematics, units, code by its tests, JSON by its schema, SQL by running it.

Every check says right, wrong, or nothing (`Finding.ok`); it says wrong only where it can show it. Facts, opinions and prose
are not checked, and an answer without a finding is not thereby right (docs/verification.md has the figures).

    python -c "from qwen_router.agent.verify import verify; print(verify('What is 12 * 13?', 'It is 146.'))"
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from qwen_router.agent.checks.finding import Finding
from qwen_router.agent.checks.maths import maths
from qwen_router.agent.checks.units import units
from qwen_router.errors import RouterError
from qwen_router.faults import Check
from qwen_router.reply import Reply
from qwen_router.request import Request, RequestLike

__all__ = ["Finding", "check_of", "failed", "tests_in", "verify"]

RunSql = Callable[[str], str | None]
"""Runs one query; returns what is wrong with it, an empty text where nothing is, None where that cannot be told."""

_FENCE = re.compile(
    r"(?:^|:)[ \t]*```[ \t]*(?P<language>[\w+#.-]*)[^\n]*\n(?P<code>.*?)(?:\n[ \t]*```|\Z)", re.DOTALL | re.MULTILINE
)
_PYTHON = ("python", "py", "python3", "")
_MOST_EVIDENCE_CHARS = 600
_UNFINISHED = re.compile(
    r"\b(?:NameError|ImportError|ModuleNotFoundError)\b|AttributeError: module|there are no fixtures here"
)


def verify(
    question: str,
    answer: str,
    *,
    tests: Sequence[str] = (),
    schema: Mapping[str, Any] | None = None,
    run_sql: RunSql | None = None,
    language: str | None = None,
) -> tuple[Finding, ...]:
    """Everything that can be found out about the answer, in the order of the checks.

    `tests` are Python tests for code in the answer, beside those in the question itself (fenced, or as `>>>` examples).
    `schema` is the JSON Schema of the format that was asked for. `run_sql` runs a query that the answer proposes.
    `language` is the question's, found out when left out; it decides what a decimal comma is.
    """
    if schema is not None:
        return (_json(answer, schema),)
    found = [*_code(answer, [*tests_in(question), *tests])]
    if run_sql is not None:
        found += _sql(answer, run_sql)
    if not found and not fences(answer):
        converted = units(question, answer)
        found += [converted] if converted is not None else maths(question, answer, language=language or _language(question))
    return tuple(found)


def failed(findings: Sequence[Finding]) -> Finding | None:
    """The first that is wrong."""
    return next((finding for finding in findings if finding.ok is False), None)


def check_of(request: RequestLike, *, tests: Sequence[str] = (), run_sql: RunSql | None = None) -> Check:
    """A check of replies to the request, for `Router.ask(request, check=check_of(request))`: a reply that fails it is asked
    for again from a stronger model, the evidence in `Reply.failed_attempts`."""
    parsed = Request.of(request)
    question = next((message.text for message in reversed(parsed.messages) if message.role == "user"), "")
    schema = parsed.response_format

    def check(reply: Reply) -> str | None:
        if reply.tool_calls:
            return None
        fault = failed(verify(question, reply.answer, tests=tests, schema=schema, run_sql=run_sql))
        return None if fault is None else fault.evidence

    return check


_FIRST_WORDS = {
    "de": r"berechne|was (?:ist|ergibt)|wie ?viel|löse|rechne",
    "fr": r"combien|calcule[rz]|résou|que vaut",
    "es": r"¿?cuánto|calcula\b|resuelve|¿?cuál",
    "it": r"quanto fa|calcola|risolvi",
    "ru": r"сколько|вычисли|реши|посчитай",
    "tr": r"hesapla",
}


def _language(text: str) -> str:
    """The question's language; of a short one, what its first words say, which is too little for the detector."""
    for language, words in _FIRST_WORDS.items():
        if re.match(rf"\s*(?:{words})", text, re.IGNORECASE):
            return language
    from qwen_router.profile.language import language_of

    return language_of(text)


# ── code ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def tests_in(question: str) -> tuple[str, ...]:
    """Tests that the question brings along: fenced Python with asserts or `test_` functions, and `>>>` examples."""
    found = [code for language, code in fences(question) if language in _PYTHON and _is_tests(code)]
    examples = _examples(question)
    return (*found, *((examples,) if examples else ()))


def fences(text: str) -> tuple[tuple[str, str], ...]:
    """(language, code) of every fenced block; the last one may be open."""
    return tuple((match["language"].lower(), match["code"]) for match in _FENCE.finditer(text))


def _is_tests(code: str) -> bool:
    tree = _parsed(code)
    if tree is None:
        return False
    named = any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name.lower().startswith("test")
        for node in ast.walk(tree)
    )
    return named or any(isinstance(node, ast.Assert) for node in tree.body)


def _examples(question: str) -> str:
    """`>>> f(1)` and what stands below it, as a docstring that the test runner finds; one line each, no dots."""
    pairs = re.findall(r"^[ \t]*>>> ([^\n]+)\n[ \t]*([^\s>][^\n]*)$", question, re.MULTILINE)
    kept = [(call, result) for call, result in pairs if _is_plain(call) and _is_plain(result) and '"""' not in call + result]
    if not kept:
        return ""
    return "\n".join(f"assert ({call.strip()}) == ({result.strip()})" for call, result in kept)


def _is_plain(text: str) -> bool:
    """One expression without floats: how these are printed and rounded is no one's contract."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError):
        return False
    return not any(isinstance(node, ast.Constant) and isinstance(node.value, float) for node in ast.walk(tree))


def _parsed(code: str) -> ast.Module | None:
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def code_in(answer: str) -> str:
    """The Python that the answer gives: its fenced blocks that define something, later ones over earlier ones; no tests."""
    blocks = [code for language, code in fences(answer) if language in _PYTHON]
    defining = [
        code
        for code in blocks
        if (tree := _parsed(code)) is not None
        and any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for node in tree.body)
        and not _is_tests(code)
    ]
    if not blocks and "def " in answer and _parsed(answer) is not None:
        return answer
    return "\n\n".join(defining)


def _code(answer: str, tests: Sequence[str]) -> list[Finding]:
    if not tests:
        return []
    code = code_in(answer)
    if not code:
        broken = next(
            (c for lang, c in fences(answer) if lang in ("python", "py", "python3") and "def " in c and _parsed(c) is None),
            None,
        )
        if broken is not None:
            return [Finding("tests", False, f"the code cannot be read: {_syntax_error(broken)}")]
        return [Finding("tests", None, "the answer holds no code to test")]
    return [_tested(code, "\n\n".join(tests))]


def _syntax_error(code: str) -> str:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError) as error:
        return str(error)
    return "unknown"


def _tested(code: str, tests: str) -> Finding:
    """The outcome of the tests; code that lacks what they import may be a part of something, and is not blamed."""
    from qwen_router.sandbox import protects, run_tests

    try:
        if not protects().contained:  # nobody was asked whether this code may run
            return Finding("tests", None, "this system cannot contain code, so the tests are not run")
        outcome = run_tests(code, tests)
    except RouterError as error:
        return Finding("tests", None, f"the tests could not be run: {error.problem}")
    if outcome.ok:
        return Finding("tests", True, f"{len(outcome.passed)} tests pass")
    wrong = [*outcome.failed, *outcome.errors]
    if not outcome.failed and all(_UNFINISHED.search(failure.message) for failure in outcome.errors):
        return Finding("tests", None, f"the tests need more than the answer's code: {wrong[0].message.splitlines()[-1]}")
    if not outcome.failed and any("no test was found" in failure.message for failure in outcome.errors):
        return Finding("tests", None, "there were no tests in what was given")
    told = "; ".join(f"{failure.name}: {_last_lines(failure.message)}" for failure in wrong[:3])
    return Finding(
        "tests", False, f"{len(wrong)} of {len(wrong) + len(outcome.passed)} tests fail: {told}"[:_MOST_EVIDENCE_CHARS]
    )


def _last_lines(message: str) -> str:
    return " ".join(" ".join(message.strip().splitlines()[-2:]).split())


# ── JSON and SQL ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _json(answer: str, schema: Mapping[str, Any]) -> Finding:
    from qwen_router.engines.structured import json_in, json_problem

    value = json_in(answer, schema)
    if value is None:
        return Finding("json", False, "the answer holds no JSON")
    problem = json_problem(value, schema)
    return Finding("json", not problem, problem or "the answer fits its schema")


def _sql(answer: str, run_sql: RunSql) -> list[Finding]:
    """The last query that the answer proposes, run."""
    queries = [code for language, code in fences(answer) if language in ("sql", "duckdb", "sqlite", "postgresql", "mysql")]
    queries = [
        query for query in queries if re.match(r"\s*(?:--[^\n]*\n\s*)*(?:select|with|from|values)\b", query, re.IGNORECASE)
    ]
    if not queries:
        return []
    problem = run_sql(queries[-1].strip().rstrip(";"))
    if problem is None:
        return [Finding("sql", None, "the query could not be tried")]
    if not problem:
        return [Finding("sql", True, "the query runs")]
    return [Finding("sql", False, f"the query fails: {' '.join(problem.split())}"[:_MOST_EVIDENCE_CHARS])]
