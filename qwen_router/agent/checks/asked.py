r"""What a question asks for, where it asks for one thing that can be worked out: the value of an expression, another form of
it, an equation's solution, a derivative, an integral.

Only whole questions are read ("What is 12 * 13?", "Solve x^2 = 4.", "计算 128 * 45", in some languages): of a story, or of a
question with a condition, nothing is said. What comes out is worked out in `maths.py`.

    python -c "from qwen_router.agent.checks.asked import asked; print(asked('Solve for x: 3x + 2 = 11'))"
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from qwen_router.agent.checks.mathtext import NotMathematics, NoValue, Tree, names, operations, read, tidy, value

Kind = Literal["value", "form", "equation", "derivative", "antiderivative", "integral"]
MAX_CHARS = 700
DECIMAL_COMMA = frozenset("de fr es it pt ru nl pl tr id vi cs sv da fi el ro hu uk".split())
"""Languages that write 2,5 for two and a half."""

_TAIL = re.compile(
    r"(?:^|(?<=[\s.?!。？！,]))(?:please )?(?:use (?:the|your|a) (?:calculator|tools?)"
    r"|think step by step|(?:let's )?(?:reason|solve it|work) step by step|show (?:all )?your (?:work|steps|working)"
    r"|explain(?: your (?:answer|steps))?|(?:and )?put your final answer (?:with)?in \\?boxed\{\}"
    r"|(?:answer|reply) with (?:just |only )?(?:the |a )?(?:number|result)(?: only)?|(?:express|give"
    r"|write|leave) (?:your|the)"
    r" (?:final )?answer (?:as (?:a|an) (?:[a-z]+ ){0,3}(?:fraction|number|integer|decimal)"
    r"|in (?:[a-z]+ ){0,3}(?:form|terms))|in (?:simplest|exact) form|请(?:一步一步|逐步)(?:思考|推理|计算)?)[\s.!。]*",
    re.IGNORECASE,
)
_ROUNDING = re.compile(
    r",?\s*\(?(?:and )?(?:please )?(?:(?:give|express|write|round(?:ed)?(?: off)?|correct|accurate)"
    r"(?: (?:your|the) (?:final )?(?:answer|result))?\s*)?(?:rounded )?(?:to|with)\s*(?:the nearest "
    r"(?P<nearest>whole number|integer|whole|unit|tenth|hundredth|thousandth|ten|hundred|thousand|cent|percent)"
    r"|(?P<places>\d|one|two|three|four|five|no) decimal(?: places?| digits?)?s?)\)?[\s.]*",
    re.IGNORECASE,
)
_NEAREST = {"tenth": 1, "hundredth": 2, "thousandth": 3, "cent": 2, "ten": -1, "hundred": -2, "thousand": -3}
_PLACES = {"no": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5}
_SAID = (  # signs in words, between two numbers
    (r"\s*(?:plus|加上?)\s*", " + "),
    (r"\s*(?:minus|减去?|moins|menos|meno)\s*", " - "),
    (r"\s*(?:times|multiplied by|乘以?|mal|fois|por|per|x)\s*", " * "),
    (r"\s*(?:divided by|除以|geteilt durch|divisé par|dividido (?:por|entre))\s*", " / "),
)

_SOLVE = re.compile(
    r"(?:please )?(?:solve(?: the)?(?: following)?(?: (?:linear|quadratic|cubic|polynomial|rational|radical|exponential))?"
    r"(?: equation)?(?: for (?:the (?:variable|unknown) )?\$?(?P<v1>[a-z])\$?)?(?: in the equation)?"
    r"|find (?:all |the |real |possible )*(?:solutions? (?:of|to)|roots? of"
    r"|(?:values? of )?\$?(?P<v2>[a-z])\$? (?:if|in|such that|for which|given(?: that)?|when))(?: the)?(?: equation)?"
    r"|(?:what|find|determine)(?: is| the)*(?: value of)? \$?(?P<v3>[a-z])\$?(?: is)? (?:if|when|in|given(?: that)?)"
    r"|解(?:下列|这个|以下)?(?:一元[一二三]次)?方程|求解(?:方程)?"
    r"|löse(?: die)?(?: gleichung)?|résou(?:s|dre|dez)(?: l['’]équation)?"
    r"|resuelv[ea](?: la)?(?: ecuación)?|risolvi(?: l['’]equazione)?|resolva(?: a equação)?|реши(?:те)?(?: уравнение)?)"
    r"\s*[:：]?\s*(?P<rest>.+)",
    re.IGNORECASE | re.DOTALL,
)
_IF_THEN = re.compile(
    r"(?:if|given(?: that)?|suppose(?: that)?|若|如果|已知)\s+(?P<rest>.+?)[,，]\s*(?:then )?"
    r"(?:what is|find|determine|solve for|求)(?: the value of)? \$?(?P<v>[a-z])\$?(?: 的值)?",
    re.IGNORECASE,
)
_DERIVATIVE = re.compile(
    r"(?:(?:find|compute|calculate|determine|what is|give) (?:the )?(?:first )?derivative (?:of|for)|differentiate"
    r"|求(?:函数)?(?=.*的导数)|berechne die ableitung von|calcule la dérivée de|calcula la derivada de)"
    r"(?: the)?(?: following)?(?: function)?s?:?\s*(?P<rest>.+)",
    re.IGNORECASE | re.DOTALL,
)
_BY = re.compile(r"\s*(?:with respect to \$?[a-z]\$?|的导数)\s*$", re.IGNORECASE)
_BY_DX = re.compile(r"\\[dt]?frac\s*\{\s*d\s*\}\s*\{\s*d\s*[a-z]\s*\}\s*(?P<rest>.+)", re.DOTALL)
_INTEGRAL = re.compile(
    r"(?:(?:find|compute|calculate|evaluate|determine|what is|solve|work out)(?: the)?(?: following)?"
    r"(?: (?:indefinite|definite|exact))*(?: (?:integrals?|antiderivative)(?: of)?)?|integrate|求(?:不定积分|定积分)?"
    r"|计算(?:不定积分|定积分)?)?\s*:?\s*\$*\s*(?:\\displaystyle)?\s*(?:\\int|∫)\s*(?:\\limits)?\s*"
    r"(?:_\s*(?P<low>\{[^{}]*\}|-?\w|\\pi)\s*\^\s*(?P<high>\{(?:[^{}]|\{[^{}]*\})*\}|\w|\\pi))?\s*"
    r"(?P<body>.+?)\s*(?:\\[,;: ]\s*)*(?:\\mathrm\s*\{\s*d\s*\}|d)\s*(?P<v>[a-z])\s*\$*",
    re.IGNORECASE | re.DOTALL,
)
_LEAD = re.compile(
    r"(?:(?:please|can you|could you|quick|tell me|now|hi|hello|hey|i need|would you)[,:!]?\s+)*"
    r"(?:(?:what(?:'s|’s| is| are| do you get (?:for|from))|whats|compute|calculate|evaluate|work out|find|determine"
    r"|how much (?:is|are)|solve|simplify|expand|factor(?:ise|ize)?|multiply|add|subtract|divide)\b"
    r"(?: (?:the )?(?:exact |numerical )?(?:value|result|sum|product|quotient|difference) of)?"
    r"(?: the (?:following )?(?:expression|sum|product|polynomial)s?)?(?: completely| fully)?(?: and simplify)?"
    r"|请?(?:帮我)?(?:计算|化简|求值|求|算一下|算|展开|因式分解)"
    r"|was (?:ist|ergibt)|wie ?viel (?:ist|sind|ergibt)|berechne|rechne"
    r"|vereinfache|combien (?:font|fait|vaut)|que vaut|calcule[rz]?|simplifie[rz]?|¿?\s*cuánto (?:es"
    r"|son|da)|calcula|simplifica"
    r"|¿?\s*cuál es el (?:resultado|valor) de|quanto (?:fa|fanno|é|è)|calcola|сколько будет|вычисли(?:те)?|посчитай(?:те)?"
    r"|hesapla)?\s*[:：]?\s*",
    re.IGNORECASE,
)
_END = re.compile(
    r"\s*(?:等于(?:多少|几)|是多少|的值|を計算して?(?:ください)?|kaçtır|kaç eder|is what|equals what)$", re.IGNORECASE
)
_AT = re.compile(
    r"(?P<rest>.+?),?\s*\$?\s*\b(?:for|when|if|where|at|given(?: that)?|wenn|für|quand|si|当)\s*\$?\s*"
    r"(?P<at>[a-z]\s*=\s*[^=]+?(?:(?:,|\band\b|\$)+\s*\$?\s*[a-z]\s*=\s*[^=]+?)*)\s*\$?\s*时?",
    re.IGNORECASE | re.DOTALL,
)
_ASSIGNED = re.compile(r"([a-z])\s*=\s*(.+?)\s*(?:,|\band\b|$)+\s*(?=[a-z]\s*=|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
    """`text` is the mathematics as it was written and `tree` what it says (of an equation: left minus right). `variable` is
    the unknown, `at` the values that are given, `decimals` the places that are wanted (-3 for thousands), `low` and `high`
    an integral's bounds as they were written."""

    kind: Kind
    text: str
    tree: Tree
    variable: str = ""
    at: Mapping[str, Fraction] = field(default_factory=dict)
    decimals: int | None = None
    low: str = ""
    high: str = ""


def asked(question: str, *, language: str = "") -> Asked | None:
    """What the question asks for, or None where it is not plainly one of the kinds."""
    if len(question) > MAX_CHARS:
        return None
    comma = language in DECIMAL_COMMA
    text, decimals = _core(question)
    try:
        return _equation(text, comma) or _integral(text) or _derivative(text) or _expression(text, comma, decimals)
    except (NotMathematics, NoValue):
        return None


def _core(question: str) -> tuple[str, int | None]:
    """The question without what it says about the form of the answer, and the decimals that it wants."""
    text, decimals = _TAIL.sub(" ", question.strip()), None
    found = _ROUNDING.search(text)
    if found is not None:
        nearest, places = (found["nearest"] or "").lower(), (found["places"] or "").lower()
        decimals = _NEAREST.get(nearest, 0) if nearest else int(places) if places.isdigit() else _PLACES[places]
        text = f"{text[: found.start()]} {text[found.end() :]}"
    text = re.sub(r"\\[()\[\]]", "$", text)
    return re.sub(r"[\s=?？.。:：!]+$", "", text.strip().strip("*")).strip(), decimals


def _formula(text: str) -> str:
    """What stands in the dollars, or the text itself. Raises `NotMathematics` where there is more than one formula."""
    inner = text.strip()
    spans = re.findall(r"\$\$?(.+?)\$\$?", inner, re.DOTALL)
    around = re.sub(r"\$\$?.+?\$\$?", "", inner, flags=re.DOTALL).strip(" .:,;=?\n") if spans else ""
    if len(spans) > 1 or around:
        raise NotMathematics("more than one formula", fix="ask for one thing")
    inner = spans[0] if spans else inner.replace("$", "")
    return re.sub(r"[\s=?？.。,;，\\]+$", "", inner)


def _in_signs(text: str) -> str:
    """`2024 minus 1987` with a sign."""
    for words, sign in _SAID:
        text = re.sub(r"(?<=[\d)])" + words + r"(?=[\d(])", sign, text, flags=re.IGNORECASE)
    return text


def _equation(text: str, comma: bool) -> Asked | None:
    match = _SOLVE.fullmatch(text) or _IF_THEN.fullmatch(text)
    if match is None:
        return None
    inner = re.sub(r"\s+(?:for|nach|pour|para) \$?([a-z])\$?(?: auf)?$", "", match["rest"].strip())
    inner = _formula(inner)
    if inner.count("=") != 1 or re.search(r"[<>≤≥≠]|\\(?:le|ge|ne|lt|gt)", inner):
        return None
    left, right = (read(side, decimal_comma=comma) for side in inner.split("="))
    tree = ["add", left, ["neg", right]]
    named = next((name for key, name in match.groupdict().items() if key.startswith("v") and name), None)
    if len(names(tree)) != 1 or (named is not None and named not in names(tree)):
        return None
    return Asked(
        "equation",
        "=".join(tidy(side, decimal_comma=comma) for side in inner.split("=")),
        tree,
        variable=next(iter(names(tree))),
    )


def _integral(text: str) -> Asked | None:
    match = _INTEGRAL.fullmatch(text)
    if match is None:
        return None
    body = match["body"].strip().strip("$")
    tree = read(body)
    low, high = ((match[side] or "").strip("{}") for side in ("low", "high"))
    if names(tree) - {match["v"]} or any(names(read(bound)) for bound in (low, high) if bound):
        return None
    return Asked("integral" if low else "antiderivative", tidy(body), tree, variable=match["v"], low=low, high=high)


def _derivative(text: str) -> Asked | None:
    match = _DERIVATIVE.fullmatch(text)
    if match is not None:
        inner = _formula(_BY.sub("", match["rest"]))
    elif (
        re.search(r"frac\s*\{\s*d\s*\}", text)
        and (lead := _LEAD.match(text))
        and (by := _BY_DX.fullmatch(_formula(text[lead.end() :])))
    ):
        inner = by["rest"]
    else:
        return None
    inner = re.sub(r"^\s*(?:[a-zA-Z]\s*\(\s*[a-z]\s*\)|y)\s*=\s*", "", inner)
    tree = read(inner)
    return Asked("derivative", tidy(inner), tree, variable=next(iter(names(tree)))) if len(names(tree)) == 1 else None


def _expression(text: str, comma: bool, decimals: int | None) -> Asked | None:
    lead = _LEAD.match(text)
    inner, at = _END.sub("", text[lead.end() if lead else 0 :]), {}
    given = _AT.fullmatch(inner)
    if given is not None:
        inner, at = given["rest"], _assigned(given["at"])
    inner = _in_signs(_formula(inner))
    tree = read(inner, decimal_comma=comma)
    if not operations(tree) or (names(tree) != set(at) and at):
        return None
    return Asked("form" if names(tree) and not at else "value", inner, tree, at=at, decimals=decimals)


def _assigned(text: str) -> dict[str, Fraction]:
    """`x = 3 and y = -1/2`; exact values only."""
    found: dict[str, Fraction] = {}
    for name, written in _ASSIGNED.findall(text.replace("$", " ")):
        number = value(read(written))
        if not isinstance(number, Fraction):
            raise NotMathematics("a value that is not exact", fix="give a number")
        found[name] = number
    return found
