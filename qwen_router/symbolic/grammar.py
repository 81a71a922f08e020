"""Reads mathematics as people and models write it, in plain text or LaTeX, into a tree of lists; no text is ever evaluated.

A text is cut into numbers, known names and signs, anything else is refused, and a parser of its own builds the tree that
the worker turns into sympy's objects. `2xy` is a product, `sin 2x` the sine of 2x, `x1` and `speed` are one name each.
Decimals stay exact. `e` and `i` are Euler's number and the imaginary unit, except where they are named as variables.
Matrices, intervals, sums with limits and functions to be found (`f(x)`) are not read.

    python -c "from qwen_router.symbolic.grammar import parse; print(parse('2x^2 = 8'))"
"""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import get_close_matches
from typing import Any

from qwen_router.symbolic.plain import GREEK, plain, start
from qwen_router.symbolic.plain import NotMathematics as NotMathematics

Tree = list[Any]
"""["num", "2.5"], ["sym", "x"], ["const", "pi"], [operator, tree, ...]: JSON that a worker can be sent."""

MAX_DEPTH = 40
MAX_TOKENS = 1000
MAX_NUMBER_CHARS = 400
MAX_EXPONENT = 400
"""Of a number such as 1e400."""

FUNCTIONS = {
    "sqrt": (1, 1), "cbrt": (1, 1), "root": (2, 2), "exp": (1, 1), "ln": (1, 1), "log": (1, 2), "log2": (1, 1),
    "log10": (1, 1),
    "abs": (1, 1), "sign": (1, 1), "floor": (1, 1), "ceil": (1, 1), "min": (1, 9), "max": (1, 9), "gcd": (2, 9),
    "lcm": (2, 9),
    "sin": (1, 1), "cos": (1, 1), "tan": (1, 1), "cot": (1, 1), "sec": (1, 1), "csc": (1, 1),
    "asin": (1, 1), "acos": (1, 1), "atan": (1, 1), "atan2": (2, 2), "sinh": (1, 1), "cosh": (1, 1), "tanh": (1, 1),
    "asinh": (1, 1), "acosh": (1, 1), "atanh": (1, 1), "factorial": (1, 1), "binomial": (2, 2), "gamma": (1, 1),
    "erf": (1, 1),
    "re": (1, 1), "im": (1, 1), "conjugate": (1, 1),
}  # fmt: skip
"""Name to the least and the most arguments."""
_SPELLINGS = {
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "ceiling": "ceil", "comb": "binomial", "lg": "log10", "Abs": "abs",
    "tg": "tan", "ctg": "cot", "cosec": "csc", "mod": "mod", "Sqrt": "sqrt", "Log": "log", "Sin": "sin", "Cos": "cos",
    "Tan": "tan", "Exp": "exp", "Min": "min", "Max": "max",
}  # fmt: skip
CONSTANTS = {"pi": "pi", "e": "E", "i": "I", "oo": "oo", "inf": "oo", "infinity": "oo", "tau": "tau"}
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+(?![A-Za-z]))?)|(?P<name>[A-Za-z]+_?[0-9]*(?:_[A-Za-z0-9]+)?)"
    r"|(?P<sign>\*\*|<=|>=|!=|==|[-+*/^!(),=<>|%±;{}\[\]]))"
)
_UNITS = frozenset("mm cm dm km mg kg ml cl dl hr hrs ft lb lbs oz mph kph kmh ms sec usd eur gbp rmb".split())
"""Short words that are never a product of letters behind a number: units are not read here."""


def parse(text: str, *, variables: Collection[str] = ()) -> Tree:
    """The tree of one expression, relation (`a = b`, `a < b`), list (`1, 2`), tuple or set.

    `variables` are names that stand for themselves even where they are constants or would be read as products. Raises
    `NotMathematics`, quickly, with what does not belong.
    """
    tokens = _tokens(plain(text))
    return _Parser(tokens, frozenset(variables)).whole()


def _tokens(text: str) -> list[tuple[str, str]]:
    """(kind, text) of each token."""
    tokens: list[tuple[str, str]] = []
    place = depth = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            rest = text[place:].strip()
            if not rest:
                break
            raise NotMathematics(f"{rest[0]!r} does not belong in mathematics: {start(rest)}", fix="write 2*x^2 + sqrt(3)")
        kind = str(match.lastgroup)
        token = match[kind]
        _check_number(token) if kind == "number" else None
        depth += (token in "({[") - (token in ")}]") if kind == "sign" else 0
        if depth > MAX_DEPTH or len(tokens) >= MAX_TOKENS:
            raise NotMathematics(
                "the expression is too long or nested too deep", fix=f"at most {MAX_DEPTH} brackets in brackets"
            )
        tokens.append((kind, token))
        place = match.end()
    if not tokens:
        raise NotMathematics("the expression is empty", fix="give one, for example 2*x^2 = 8")
    return tokens


def _check_number(text: str) -> None:
    _, _, exponent = text.lower().partition("e")
    if len(text) > MAX_NUMBER_CHARS or (exponent and abs(int(exponent)) > MAX_EXPONENT):
        raise NotMathematics(f"the number {start(text)} is too long", fix=f"at most {MAX_NUMBER_CHARS} digits")


class _Parser:
    """Recursive descent over the tokens, in the order of mathematics' ranks."""

    def __init__(self, tokens: list[tuple[str, str]], variables: frozenset[str]) -> None:
        self.variables = variables
        self.tokens = [
            part
            for here, token in enumerate(tokens)
            for part in self._split(*token, called=tokens[here + 1 : here + 2] == [("sign", "(")])
        ]
        self.place = 0
        self.depth = 0
        self.bars = 0

    # ── tokens ──

    def _split(self, kind: str, text: str, *, called: bool = False) -> list[tuple[str, str]]:
        """A name as it is meant: a function, a constant, a variable, or letters that are multiplied."""
        if kind != "name" or text in self.variables:
            return [(kind, text)]
        text = text.removesuffix("_")
        known = _SPELLINGS.get(text, text)
        if known in FUNCTIONS or known in ("mod", "deg", "or", "and"):
            return [("function" if known in FUNCTIONS else "word", known)]
        if text.lower() in ("or", "and"):
            return [("word", text.lower())]
        if text in CONSTANTS:
            return [("const", CONSTANTS[text])]
        if called and text.isalpha() and len(text) > 2:
            return [("name", text)]  # no function of that name: said where it is called
        if "_" in text or text[-1].isdigit() or len(text) == 1 or text in GREEK.values():
            return self._glued_function(text) or [("name", text)]
        if text.isalpha() and len(text) <= 3:
            if text in _UNITS:
                raise NotMathematics(f"{text!r} looks like a unit", fix="leave units away")
            return [part for letter in text for part in self._split("name", letter)]
        return self._glued_function(text) or [("name", text)]

    def _glued_function(self, text: str) -> list[tuple[str, str]] | None:
        """`sinx` and `sqrt2`: a function with its argument glued to it."""
        for name in ("sqrt", "sin", "cos", "tan", "ln", "log", "exp"):
            rest = text.removeprefix(name)
            if rest != text and (rest.isdecimal() or (rest.isalpha() and len(rest) == 1)) and text not in FUNCTIONS:
                return [("function", name), ("number" if rest.isdecimal() else "name", rest)]
        return None

    def _next(self) -> tuple[str, str]:
        return self.tokens[self.place] if self.place < len(self.tokens) else ("end", "")

    def _take(self, *texts: str) -> str | None:
        kind, text = self._next()
        if text in texts and kind in ("sign", "word"):
            self.place += 1
            return text
        return None

    def _need(self, text: str) -> None:
        if not self._take(text):
            found = self._next()[1] or "the end"
            raise NotMathematics(f"{text!r} is missing before {found!r}", fix="check the brackets and the signs")

    # ── ranks ──

    def whole(self) -> Tree:
        parts = [self.relation()]
        separators = set()
        while separator := self._take(",", ";", "or", "and"):
            separators.add(separator)
            if self._next()[0] == "end":
                break
            self._take("or", "and")  # "1, 2, and 3"
            parts.append(self.relation())
        if self._next()[0] != "end":
            text = self._next()[1]
            raise NotMathematics(f"{text!r} stands where a sign is expected", fix="write one expression, such as 2*x + 1")
        return parts[0] if len(parts) == 1 else ["list", *parts]

    def relation(self) -> Tree:
        left = self.sum()
        chain = [left]
        signs: list[str] = []
        while sign := self._take("=", "==", "<", ">", "<=", ">=", "!="):
            signs.append("=" if sign == "==" else sign)
            chain.append(self.sum())
        if not signs:
            return left
        pairs: list[Tree] = [["rel", sign, a, b] for sign, a, b in zip(signs, chain, chain[1:], strict=False)]
        return pairs[0] if len(pairs) == 1 else ["list", *pairs]

    def sum(self) -> Tree:
        self.depth += 1
        if self.depth > 3 * MAX_DEPTH:
            raise NotMathematics("the expression is nested too deep", fix=f"at most {MAX_DEPTH} brackets in brackets")
        if self._take("±"):
            value: Tree = ["pm", ["num", "0"], self.product()]
        else:
            value = self.product()
        terms = [value]
        while sign := self._take("+", "-", "±"):
            term = self.product()
            if sign == "±":
                terms = [["pm", terms[0] if len(terms) == 1 else ["add", *terms], term]]
            else:
                terms.append(term if sign == "+" else ["neg", term])
        self.depth -= 1
        return terms[0] if len(terms) == 1 else ["add", *terms]

    def product(self) -> Tree:
        factors = [self.unary()]
        while True:
            if self._take("*"):
                factors.append(self.unary())
            elif self._take("/"):
                factors.append(["inv", self.unary()])
            elif self._take("mod") or (self._next() == ("sign", "%") and self._remainder_follows() and self._take("%")):
                factors = [["mod", factors[0] if len(factors) == 1 else ["mul", *factors], self.unary()]]
            elif self._starts_value():
                if self._next()[0] == "number" and self.tokens[self.place - 1][0] == "number":
                    raise NotMathematics(
                        f"there is no sign before {self._next()[1]!r}", fix="write the sign between numbers"
                    )
                factors.append(self.power())
            else:
                return factors[0] if len(factors) == 1 else ["mul", *factors]

    def _remainder_follows(self) -> bool:
        kind, text = self.tokens[self.place + 1] if self.place + 1 < len(self.tokens) else ("end", "")
        return kind in ("number", "name", "function", "const") or text == "("

    def _starts_value(self) -> bool:
        kind, text = self._next()
        return (
            kind in ("number", "name", "function", "const")
            or text == "("
            or text == "deg"
            or (text == "|" and not self.bars)
        )

    def unary(self) -> Tree:
        negative = False
        while sign := self._take("-", "+"):
            negative ^= sign == "-"
        value = self.power()
        return ["neg", value] if negative else value

    def power(self) -> Tree:
        base = self.postfix()
        if self._take("^", "**"):
            self.depth += 1
            if self.depth > 3 * MAX_DEPTH:
                raise NotMathematics("the tower of powers is too high", fix="split it")
            exponent = self.unary()
            self.depth -= 1
            return ["pow", base, exponent]
        return base

    def postfix(self) -> Tree:
        value = self.atom()
        while True:
            if self._take("!"):
                value = ["call", "factorial", value]
            elif self._next() == ("sign", "%") and not self._remainder_follows():
                self.place += 1
                value = ["mul", value, ["inv", ["num", "100"]]]
            else:
                return value

    def atom(self) -> Tree:
        kind, text = self._next()
        self.place += 1
        if kind == "number":
            return ["num", text]
        if kind == "name":
            return self._variable(text)
        if kind == "const":
            return ["const", text]
        if kind == "function":
            return self._call(text)
        if text == "deg":
            return ["mul", ["const", "pi"], ["inv", ["num", "180"]]]
        if text in ("(", "{", "["):
            return self._bracketed(text)
        if text == "|":
            self.bars += 1
            value = self.sum()
            self._need("|")
            self.bars -= 1
            return ["call", "abs", value]
        found = repr(text) if text else "the end"
        raise NotMathematics(f"a number or a name is missing before {found}", fix="check the brackets and the signs")

    def _variable(self, text: str) -> Tree:
        if self._next()[1] == "(" and len(text) > 1 and text not in self.variables and text.isalpha():
            close = get_close_matches(text.lower(), FUNCTIONS, n=3, cutoff=0.6)
            known = "did you mean " + ", ".join(close) + "?" if close else "functions are " + ", ".join(sorted(FUNCTIONS))
            raise NotMathematics(f"no function is called {text!r}", fix=known)
        return ["sym", text]

    def _bracketed(self, opening: str) -> Tree:
        closing = {"(": ")", "{": "}", "[": "]"}[opening]
        if self._take(closing):
            return ["set"] if opening == "{" else self._nothing(opening)
        bars, self.bars = self.bars, 0
        parts = [self.relation()]
        while self._take(",", ";"):
            parts.append(self.relation())
        self._need(closing)
        self.bars = bars
        if opening == "{":
            return ["set", *parts]
        return parts[0] if len(parts) == 1 and opening == "(" else ["tuple", *parts]

    def _nothing(self, opening: str) -> Tree:
        raise NotMathematics(f"{opening!r} holds nothing", fix="write what stands in the brackets")

    def _call(self, name: str) -> Tree:
        power = self.postfix() if self._take("^", "**") else None
        if self._take("("):
            bars, self.bars = self.bars, 0
            arguments = [self.sum()]
            while self._take(","):
                arguments.append(self.sum())
            self._need(")")
            self.bars = bars
        else:
            arguments = [self._bare_argument(name)]
        least, most = FUNCTIONS[name]
        if not least <= len(arguments) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise NotMathematics(f"{name} takes {wanted} argument(s), not {len(arguments)}", fix=f"write {name}(x)")
        if power in (["neg", ["num", "1"]], ["num", "-1"]) and "a" + name in FUNCTIONS:  # sin^(-1) is how arcsin is written
            return ["call", "a" + name, *arguments]
        value: Tree = ["call", name, *arguments]
        return ["pow", value, power] if power is not None else value

    def _bare_argument(self, name: str) -> Tree:
        """`sin 2x`, `ln 2`, `sqrt 3`: numbers and names in a row; a root takes the next one only."""
        self.depth += 1
        if self.depth > 3 * MAX_DEPTH:
            raise NotMathematics("functions are nested too deep", fix="write brackets and split it")
        factors = [self.power()]
        while name not in ("sqrt", "cbrt") and (self._next()[0] in ("number", "name", "const") or self._next()[1] == "deg"):
            factors.append(self.power())
        self.depth -= 1
        return factors[0] if len(factors) == 1 else ["mul", *factors]
