"""Checks of answers: what is found, and above all what is not blamed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from qwen_router import Request, Router
from qwen_router.agent.checks import units as verify_units
from qwen_router.agent.checks.asked import asked
from qwen_router.agent.checks.figures import agreement, figures_in
from qwen_router.agent.checks.maths import final_answer, of_equalities, of_question
from qwen_router.agent.checks.mathtext import NotMathematics, NoValue, read, same_function, value
from qwen_router.agent.checks.units import units
from qwen_router.agent.verify import check_of, code_in, failed, verify
from qwen_router.agent.verify import tests_in as given_tests
from qwen_router.engines.fake import FakeEngine
from qwen_router.errors import MissingExtra, RouterError
from qwen_router.policy import Policy
from tests.agent_scripts import LARGE, SMALL
from tests.worlds import machine

RIGHT, WRONG, UNKNOWN = True, False, None


def verdict(question: str, answer: str, **options: Any) -> bool | str | None:
    """What the checks say together; "nothing" where none applies."""
    found = verify(question, answer, **options)
    if not found:
        return "nothing"
    return False if failed(found) else True if any(f.ok for f in found) else None


# ── numbers and formulas ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1,234.5", [Fraction("1234.5")]),
        ("1.234,50 EUR", [Fraction("1234.5")]),
        ("194 900 €", [Fraction(194900)]),
        ("1{,}000", [Fraction(1000), Fraction(1)]),
        ("3/4", [Fraction(3, 4)]),
        (r"\frac{3}{4}", [Fraction(3, 4)]),
        ("1 3/4", [Fraction(7, 4), Fraction(3, 4)]),
        ("12 %", [Fraction(12), Fraction(12, 100)]),
        ("3.5 万", [Fraction("3.5"), Fraction(35000)]),
        ("1.2 × 10^5", [Fraction(120000)]),
        ("2.5e-3", [Fraction(25, 10000)]),
        (".75", [Fraction(3, 4)]),
        ("－5", [Fraction(5)]),
    ],
)
def test_a_numeral_is_read_in_all_its_readings(text: str, values: list[Fraction]) -> None:
    (figure,) = figures_in(text)
    assert set(values) <= set(figure.values)


@pytest.mark.parametrize(
    ("expected", "said", "verdict"),
    [
        (Fraction("24.625"), "24.63", "same"),
        (Fraction("24.625"), "24.62", "same"),
        (Fraction("24.625"), "24.7", "near"),
        (Fraction("24.625"), "25", "near"),
        (Fraction("24.625"), "26.4", "off"),
        (Fraction(5848), "5848", "same"),
        (Fraction(5848), "5847", "off"),
        (Fraction(5848), "5800", "off"),
        (Fraction(3, 20), "15%", "same"),
        (2**0.5, "1.41", "same"),
    ],
)
def test_a_rounded_number_is_told_from_a_wrong_one(expected: Any, said: str, verdict: str) -> None:
    assert agreement(expected, figures_in(said)[0]) == verdict


def test_a_number_that_says_it_is_about_may_be_coarse() -> None:
    assert agreement(Fraction(5848), figures_in("5800")[0], rounded=True) == "near"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        (r"\frac{3}{4} + 0.5", Fraction(5, 4)),
        ("15% of 80", Fraction(12)),
        ("2(3+4)", Fraction(14)),
        ("3² + 2^3", Fraction(17)),
        ("5!", Fraction(120)),
        (r"\sqrt[3]{27}", Fraction(3)),
        (r"\left(\frac{1}{2}\right)^{-2}", Fraction(4)),
        ("1,234.5 × 2", Fraction(2469)),
        ("[2 + 3] * 4", Fraction(20)),
        ("(-8)^(1/3)", Fraction(-2)),
        ("0.1 + 0.2", Fraction(3, 10)),
    ],
)
def test_arithmetic_is_exact(text: str, result: Fraction) -> None:
    assert value(read(text)) == result


@pytest.mark.parametrize(
    "text",
    [
        "1/2x",
        "(1+1/a)÷(a^2-1)/(a^2+a)",
        r"8 \div 4/2",
        "x/2(y+1)",
        "log 100",
        "7 % 3",
        "am",
        "3 cups",
        "2 3",
        "",
        "x = 3",
        r"\int x",
    ],
)
def test_what_can_be_read_in_two_ways_or_as_words_is_not_read(text: str) -> None:
    with pytest.raises(NotMathematics):
        read(text)


@pytest.mark.parametrize("text", ["9^9^9^9", "1/0", "200!", "(10^200)^(10^5)"])
def test_what_has_no_bearable_value_has_none(text: str) -> None:
    with pytest.raises(NoValue):
        value(read(text))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("(x+1)^2", "x^2+2x+1", True), ("(x+1)^2", "x^2+1", False), (r"\sqrt{x^2}", "x", True), ("ln(-x)", "x", None)],
)
def test_two_forms_of_a_function(one: str, other: str, same: bool | None) -> None:
    assert same_function(read(one), read(other)) is same


# ── what a question asks ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("What is 12 * 13?", "value"),
        ("98.5 / 4 = ?", "value"),
        ("请计算 128 * 45", "value"),
        ("计算 3 加 4 等于多少？", "value"),
        ("Berechne 12,5 + 3,2", "value"),
        ("¿Cuánto es 15% de 240?", None),
        ("Combien font 12 fois 13 ?", "value"),
        ("What is 2024 minus 1987?", "value"),
        ("Evaluate $x^2+1$ for $x = 3$.", "value"),
        ("Simplify: $-10-4(n-5)$", "form"),
        ("Solve for x: 3x + 2 = 11", "equation"),
        ("解方程 3x - 5 = 16", "equation"),
        ("If $2x+3=7$, what is the value of x?", "equation"),
        (r"Find the derivative of $f(x) = x^2 \sin x$.", "derivative"),
        (r"$\int x e^{x} dx$", "antiderivative"),
        (r"Evaluate $\int_0^1 x^2\,dx$.", "integral"),
        ("Tom has 3 apples and buys 4. How many?", None),
        ("What is the capital of France?", None),
        ("Given $x + 1/x = 3$, find $x^2 + 1/x^2$.", None),
        ("Is 2 + 2 = 5?", None),
    ],
)
def test_a_question_that_is_one_formula_is_read_and_no_other(question: str, kind: str | None) -> None:
    found = asked(question, language="de" if "Berechne" in question else "en")
    assert (found.kind if found else None) == kind


@pytest.mark.parametrize(
    ("answer", "stated", "explicit"),
    [
        (r"First 1, then $\boxed{\frac{1}{2}}$.", r"\frac{1}{2}", True),
        ("We add.\n#### 18", "18", True),
        ("So the answer is 42. I hope this helps.", "42", True),
        ("答案是 5760。", "5760", True),
        ("Das Ergebnis ist 12,5.", "12,5.", True),
        ("1 + 1\n\n= 2", "= 2", False),
    ],
)
def test_the_final_answer_is_found(answer: str, stated: str, explicit: bool) -> None:
    assert tuple(final_answer(answer)) == (stated, explicit)


# ── mathematics ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("question", "answer", "wanted"),
    [
        ("What is 12 * 13?", "It is 156.", RIGHT),
        ("What is 12 * 13?", "It is 146.", WRONG),
        ("What is 12 * 13?", "One hundred and fifty-six.", UNKNOWN),
        ("What is 98.5 / 4?", "about 25", UNKNOWN),
        ("What is 98.5 / 4?", "$\\boxed{24\\frac{5}{8}}$", RIGHT),
        ("What is 1/3 + 1/6?", "1/2", RIGHT),
        ("What is 1/3 + 1/6?", "2/9", WRONG),
        ("What is 15% of 240?", "**38**", WRONG),
        ("Compute sqrt(2).", "1.414", RIGHT),
        ("Compute sqrt(2).", r"\boxed{\sqrt{2}}", RIGHT),
        ("Compute sqrt(2).", "1.7", WRONG),
        ("Compute sqrt(2).", "1.5", UNKNOWN),
        ("请计算 128 * 45", "答案是 5660。", WRONG),
        ("Berechne 12,5 + 3,2", "15,7", RIGHT),
        ("Berechne 12,5 + 3,2", "14,7", WRONG),
        ("What is 10.0000198 * 5.9999985 to the nearest whole number?", "60", RIGHT),
        ("What is 2/3 rounded to two decimal places?", "0.67", RIGHT),
        ("What is 5/0?", "It is undefined.", UNKNOWN),
        ("¿Cuánto es 2,5 + 2,5?", "Son 5", RIGHT),
        ("Сколько будет 1,5 * 3?", "4,5", RIGHT),
    ],
)
def test_values(question: str, answer: str, wanted: bool | str | None) -> None:
    assert verdict(question, answer) == wanted


@pytest.mark.parametrize(
    ("question", "answer", "wanted"),
    [
        ("Solve for x: 3x + 2 = 11", "x = 3", RIGHT),
        ("Solve for x: 3x + 2 = 11", "x = 4", WRONG),
        ("Solve $x^2 = 5x - 6$.", "So $x = 2$ or $x = 3$.", RIGHT),
        ("Solve $x^2 = 5x - 6$.", r"$x = \frac{5 \pm 1}{2}$", RIGHT),
        ("Solve $x^2 = 5x - 6$.", "$x = 2$", WRONG),
        ("Solve $x^2 = 2$.", "x = 1.414 or x = -1.414", RIGHT),
        ("Solve $x^2 = 2$.", "x = 1.5 or x = -1.5", WRONG),
        ("Solve $x^2 = -1$.", "There is no real solution.", UNKNOWN),
        ("解方程 3x - 5 = 16", "x = 7", RIGHT),
        ("Löse die Gleichung 2x = 5", "x = 2,5", RIGHT),
        ("Simplify: $-10-4(n-5)$", "$10-4n$", RIGHT),
        ("Simplify: $-10-4(n-5)$", "$10-5n$", WRONG),
        (r"Find the derivative of $x^2 \sin x$.", r"$f'(x) = 2x\sin x + x^2\cos x$", RIGHT),
        (r"Find the derivative of $x^2 \sin x$.", r"$f'(x) = 2x\cos x$", WRONG),
        (r"Find $\int x e^{x} dx$.", "$(x-1)e^x + C$", RIGHT),
        (r"Find $\int x e^{x} dx$.", "$(x+1)e^x + C$", WRONG),
        (r"Evaluate $\int_0^1 x^2\,dx$.", "It is 1/3.", RIGHT),
        (r"Evaluate $\int_0^1 x^2\,dx$.", "It is 2.5.", WRONG),
    ],
)
def test_equations_forms_and_calculus(question: str, answer: str, wanted: bool | None) -> None:
    language = "de" if "Löse" in question else None
    assert verdict(question, answer, language=language) == wanted


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ("780 + 815 + 905.50 + 1130 = 3530.50 has come in", WRONG),
        ("So 5 x $3 = $15, and 20% * 50 = 10.", RIGHT),
        (r"\[ 4! = 4 \times 3 \times 2 \times 1 = 24 \]", RIGHT),
        ("100 / 3 = 33.3", RIGHT),
        ("- 51 ÷ 3 = 17 is a step of a list", RIGHT),
        ("The fee is $350 000 x 5/100 = $17 500.", UNKNOWN),
        ("He had 3 1/2 - 2 = 1 1/2 hours left.", UNKNOWN),
        (".5*10 = 5 hours", RIGHT),
        ("Zusammen 1.200 + 300 = 1.500", UNKNOWN),
        ("1,200 + 300 = 1,500", RIGHT),
        ("So 1,200 + 300 = 1,600", UNKNOWN),
        ("So 1,200 + 300 = 1,800", WRONG),
        ("y = 3x - 2 = 10", UNKNOWN),
        ("11 + 5 = 4 (mod 12)", UNKNOWN),
        ("on 2026-11-25 = a Wednesday", UNKNOWN),
    ],
)
def test_equalities_that_an_answer_states(answer: str, wanted: bool | None) -> None:
    found = of_equalities(answer)
    assert (found.ok if found else None) is wanted, found


def test_the_evidence_says_what_was_worked_out_and_what_was_said() -> None:
    finding = failed(verify("What is 98.5 / 4?", "Each pays 26.4."))
    assert finding is not None and finding.kind == "value"
    assert "24.625" in finding.evidence and "26.4" in finding.evidence


# ── units ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("question", "answer", "wanted"),
    [
        ("Convert 42 km to miles.", "26.1 miles", RIGHT),
        ("Convert 42 km to miles.", "67.6 miles", WRONG),
        ("Convert 42 km to miles.", "26.1 in total", RIGHT),
        ("How many litres are 5 gallons?", "22.7 litres", RIGHT),
        ("I have 5 gallons. How many litres is that?", "18.93 cubic meters", WRONG),
        ("How many feet are in 183 cm?", "6.004 calories", WRONG),
        ("What is 68 fahrenheit in celsius?", "20 degrees Celsius", RIGHT),
        ("How many bytes are in 16 KB?", "16384", UNKNOWN),
        ("把5公里换算成英里", "3.1英里", RIGHT),
        ("What is 5 in 3?", "1.67", "nothing"),
        ("How many friends are 5 people?", "2", "nothing"),
    ],
)
def test_conversions(question: str, answer: str, wanted: bool | str | None) -> None:
    found = units(question, answer)
    assert (found.ok if found else "nothing") == wanted


# ── code, JSON, SQL ─────────────────────────────────────────────────────────────────────────────────────────────────────

TESTS = "def test_twice():\n    assert twice(3) == 6"


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ("```python\ndef twice(x):\n    return 2 * x\n```", RIGHT),
        ("```\ndef twice(x):\n    return x ** 2\n```", WRONG),
        ("def twice(x):\n    return 2 * x", RIGHT),
        ("```python\ndef twice(x)\n    return 2 * x\n```", WRONG),
        ("```python\ndef twice(x):\n    return double(x)\n```", UNKNOWN),
        ("```python\ndef thrice(x):\n    return 3 * x\n```", UNKNOWN),
        ("Just multiply by two.", UNKNOWN),
        ("```js\nfunction twice(x) { return x }\n```", UNKNOWN),
    ],
)
def test_code_is_run_against_the_tests_that_are_given(answer: str, wanted: bool | None) -> None:
    assert verdict("Write twice.", answer, tests=[TESTS]) is wanted


def test_tests_are_found_in_the_question_and_not_in_the_code_of_the_answer() -> None:
    question = f"Fix it:\n\n```python\ndef twice(x):\n    return x\n```\n\n```python\n{TESTS}\n```"
    assert given_tests(question) == (TESTS,)
    answer = f"```python\ndef twice(x):\n    return 2 * x\n```\nTested with:\n```python\n{TESTS}\n```"
    assert "test_twice" not in code_in(answer) and verdict(question, answer) is RIGHT
    assert verdict(question, "```python\ndef twice(x):\n    return 3 * x\n```") is WRONG


def test_examples_in_a_docstring_are_tests_where_no_float_is_printed() -> None:
    question = '```python\ndef area(r):\n    """\n    >>> area(0)\n    0\n    >>> area(1.5)\n    7.07\n    """\n```'
    assert given_tests(question) == ("assert (area(0)) == (0)",)


def test_json_is_held_to_its_schema() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    assert verdict("Give n.", '{"n": 3}', schema=schema) is RIGHT
    assert verdict("Give n.", 'Here: ```json\n{"n": "three"}\n```', schema=schema) is WRONG
    assert verdict("Give n.", "three", schema=schema) is WRONG


def test_sql_is_run_and_only_a_query_that_fails_is_wrong() -> None:
    said = {"select 1": "", "select x": "no column x", "select ?": None}
    for query, wanted in (("select 1", RIGHT), ("select x", WRONG), ("select ?", UNKNOWN)):
        assert verdict("Which?", f"```sql\n{query};\n```", run_sql=said.__getitem__) is wanted
    assert verdict("Which?", "```sql\ndrop table t\n```", run_sql=said.__getitem__) == "nothing"


# ── as a check of the router's, and on bad input ────────────────────────────────────────────────────────────────────────


def test_a_reply_that_fails_is_asked_for_again_from_the_next_model() -> None:
    engine = FakeEngine(["It is 146.", "It is 156."], models=(SMALL, LARGE))
    hasty = Policy.from_yaml("name: hasty\nobjective: {quality_slack: 1.0, unsure_quality_slack: 1.0, patience_s: null}")
    reply = Router(engines=[engine], machine=machine(), policy=hasty).ask(
        "What is 12 * 13?", check=check_of("What is 12 * 13?")
    )
    assert reply.answer == "It is 156." and len(engine.calls) == 2
    assert "12 * 13 is 156" in reply.failed_attempts[0]


def test_a_check_takes_whatever_a_request_may_be() -> None:
    body = {"messages": [{"role": "user", "content": "What is 12 * 13?"}]}
    assert callable(check_of(body)) and callable(check_of(Request.of(body)))
    with pytest.raises(RouterError):
        check_of({"messages": []})


HOSTILE = (
    "What is " + "(" * 340 + "1" + ")" * 340,
    "Solve for x: " + "x^" * 300 + "2 = 1",
    "Evaluate " + "a = 1, " * 90 + "x",
    "Find " + r"\int " * 100 + "x dx",
    "What is 9^9^9^9^9?",
    "Convert " + "1" * 600 + " km to miles",
    "if " + "x = 1, " * 95 + "then",
    "please " * 95 + "2 + 2",
    "Simplify " + "1 + " * 170 + "x",
)


@pytest.mark.parametrize("question", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize(
    "answer",
    [
        "1 + " * 5000,
        "= " * 9000,
        r"\boxed{" * 3000,
        "1,234," * 3000,
        "the answer is " * 1500,
        "```python\n" * 2000,
        "x = " + "1/" * 4000,
        "$" * 9000,
        "１２３" * 3000,
        "",
    ],
    ids=["sum", "signs", "boxes", "commas", "answers", "fences", "slashes", "dollars", "wide", "empty"],
)
def test_hostile_questions_and_answers_end_soon_and_raise_nothing(question: str, answer: str) -> None:
    began = time.process_time()
    assert isinstance(verify(question, answer, language="en"), tuple)
    assert time.process_time() - began < 20  # quadratic at worst: seconds mean that a pattern runs away


def test_findings_are_plain_values() -> None:
    from dataclasses import asdict

    found = of_question("What is 12 * 13?", "It is 146.")
    assert found is not None and json.loads(json.dumps(asdict(found))) == asdict(found)


def test_checks_need_neither_langchain_nor_sympy_to_be_imported() -> None:
    program = (
        "import sys; import qwen_router.agent.verify as v; "
        "v.verify('What is 12 * 13?', 'It is 146.', language='en'); "
        "print(sorted({'langchain', 'langchain_core', 'langgraph', 'sympy', 'duckdb'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_code_is_not_run_where_the_system_cannot_contain_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import qwen_router.sandbox as sandbox

    bare = replace(sandbox.protects(), network=())
    monkeypatch.setattr(sandbox, "protects", lambda: bare)
    (finding,) = verify("Write twice.", "```python\ndef twice(x):\n    return 2 * x\n```", tests=[TESTS])
    assert finding.ok is None and "cannot contain" in finding.evidence


def test_without_the_extras_a_conversion_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Any:
        raise MissingExtra.of("pint", extra="tools")

    monkeypatch.setattr(verify_units, "_convert", missing)
    assert units("Convert 42 km to miles.", "67.6 miles") is None


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        pytest.param("What is 200 + 10%?", "220", id="a-tenth-more"),
        pytest.param("What is 10 - 5%?", "9.5", id="a-twentieth-less"),
        pytest.param("What is 9/11?", "An attack in 2001", id="a-day"),
    ],
)
def test_what_can_be_read_in_two_ways_is_called_neither(question: str, answer: str) -> None:
    assert all(finding.ok is not False for finding in verify(question, answer))
