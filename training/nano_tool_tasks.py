"""Tool conversations for qwen3-nano: calls to `calculator` and `convert_units`, and reading their results.

The listing, the wording of the descriptions and the shape of the results are varied, so that the model looks
at the tool's name and at the number in the response, not at one fixed text. Other tasks are in nano_tasks.py.

    python -c "import random, training.nano_tool_tasks as t; print(t.tool_conversation(random.Random(1)))"
"""

from __future__ import annotations

import json
import random
from typing import Any

from training.nano_tasks import (
    ANSWER,
    SUM_OF_EXPRESSION,
    SUM_OF_LIST,
    Conversation,
    Message,
    any_sum,
    greeting,
    in_training,
    listed,
    refusal,
)

CALCULATOR_WORDS = (
    "Evaluate an arithmetic expression.", "Calculate.", "A calculator.", "Work out an arithmetic expression exactly.",
    "Evaluates a mathematical expression and returns the result.", "Do arithmetic: + - * / and brackets.",
    "Compute the value of an arithmetic expression such as 2 + 3 * 4.", "Exact arithmetic on numbers.",
    "Work out an arithmetic expression exactly, for example 12 * (3 + 4) or sqrt(2) / 3.",
)  # fmt: skip
CONVERT_WORDS = (
    "Convert a value from one unit to another.", "Convert units.", "Unit conversion.", "Convert between units of measure.",
    "Converts a quantity to another unit, such as km to m.", "Convert lengths, weights, times and temperatures.",
    "Convert a value from one unit to another, for example 5 km to miles or 20 celsius to fahrenheit.",
)  # fmt: skip
ARGUMENT_WORDS = (
    "The expression, for example 12 * (3 + 4).", "What to work out.", "expression", "The number to convert.", "Unit",
    "Arithmetic expression.", "The unit to convert from.", "The unit to convert to.", "A unit such as km.", "The value.",
    "Arithmetic expression, for example 12 * (3 + 4).", "The unit to convert from, such as km.",
    "The unit to convert to, such as miles.",
)  # fmt: skip
MORE_WORDS = (
    "Use it whenever a question needs it.", "Numbers, brackets, + - * / and ** are understood; anything else is an error.",
    "Returns the result as a number.", "Both units must be of the same kind.", "Example: 3 km in m is 3000 m.",
    "Never guess a result that this tool can give.", "The answer is exact.", "Fails with an error that says what was wrong.",
)  # fmt: skip
OTHER_TOOLS = (
    ("get_weather", "Get the weather of a city.", {"city": "string"}),
    ("web_search", "Search the web.", {"query": "string"}),
    ("read_file", "Read a file.", {"path": "string"}),
    ("get_time", "Get the current time.", {"timezone": "string"}),
)


def described_tool(rng: random.Random, name: str, words: str, arguments: dict[str, str]) -> dict[str, Any]:
    """One tool in the OpenAI form, with the optional parts of its schema present or not."""
    properties: dict[str, Any] = {}
    titled, described, sort_of_order = rng.random() < 0.25, rng.random() < 0.5, rng.random()
    for argument, kind in arguments.items():
        field: dict[str, Any] = {"description": rng.choice(ARGUMENT_WORDS)} if described else {}
        field["type"] = kind
        if titled:
            field["title"] = argument.replace("_", " ").title()
        properties[argument] = dict(sorted(field.items())) if rng.random() < 0.3 else field
    parameters: dict[str, Any] = {"type": "object", "properties": properties, "required": list(arguments)}
    if sort_of_order < 0.5:
        parameters = {"properties": properties, "required": list(arguments), "type": "object"}
    if rng.random() < 0.2:
        words = " ".join([words, *rng.sample(MORE_WORDS, rng.randint(1, 3))])
    function = {"name": name, "description": words, "parameters": parameters}
    if sort_of_order > 0.85:
        function = dict(sorted(function.items()))
    return {"type": "function", "function": function}


def listing(rng: random.Random, wanted: str | None) -> tuple[dict[str, Any], ...]:
    """The tools of one prompt: the wanted one, often both of ours, now and then a strange one."""
    ours = {
        "calculator": (rng.choice(CALCULATOR_WORDS), {"expression": "string"}),
        "convert_units": (rng.choice(CONVERT_WORDS), {"value": "number", "from_unit": "string", "to_unit": "string"}),
    }
    names = [name for name in ours if name == wanted or rng.random() < 0.3]
    tools = [described_tool(rng, name, *ours[name]) for name in names]
    if not tools or rng.random() < 0.08:
        tools.append(described_tool(rng, *rng.choice(OTHER_TOOLS)))
    rng.shuffle(tools)
    return tuple(tools)


def number(rng: random.Random) -> str:
    """A number as people type it, of one to five digits, at times with decimals."""
    digits = rng.choice((1, 2, 2, 2, 3, 3, 4, 5))
    whole = str(rng.randint(10 ** (digits - 1), 10**digits - 1))
    return f"{whole}.{rng.randint(1, 99)}" if rng.random() < 0.1 else whole


def expression(rng: random.Random) -> tuple[list[str], list[str]]:
    """Numbers and the signs between them."""
    while True:
        count = rng.choice((2, 2, 2, 3, 3, 4, 5, 6))
        numbers = [number(rng) for _ in range(count)]
        only = rng.choice(("+", "+", "*", "*", "-", "/", ""))
        signs = [only or rng.choice("+-*") for _ in numbers[1:]]
        plain_sum = set(signs) == {"+"} and all(n.isdigit() for n in numbers)
        if not plain_sum or in_training([int(n) for n in numbers]):
            return numbers, signs


SAID = {
    "+": (" + ", "+", " plus "),
    "-": (" - ", "-", " minus "),
    "*": (" * ", "*", " x ", " times "),
    "/": (" / ", "/", " divided by "),
}


def written_out(rng: random.Random) -> tuple[str, dict[str, Any], str, str]:
    """As `calculation`, for what is copied as it stands: brackets, percentages, roots and powers."""
    first, second, third = number(rng), number(rng), number(rng)
    sign, other = rng.choice("+-*/"), rng.choice("+-*/")
    asked = rng.choice((
        f"({first} {sign} {second}) {other} {third}", f"{first} {other} ({second} {sign} {third})",
        f"{first}% of {second}", f"sqrt({first})", f"{first} ** {second}", f"({first} {sign} {second})", f"{first}^2",
    ))  # fmt: skip
    shown = asked.replace(" ", "") if "of" not in asked and rng.random() < 0.4 else asked
    result = short_number(float(number(rng)) * rng.choice((1.0, 1.0, 0.01, 1.7320508, 100.0)))
    return rng.choice(SUM_OF_EXPRESSION[:-5]).format(shown), {"expression": asked}, result, ANSWER.format(result)


def calculation(rng: random.Random) -> tuple[str, dict[str, Any], str, str]:
    """A question, the arguments of its call, the result, and the answer."""
    if rng.random() < 0.2:
        return written_out(rng)
    numbers, signs = expression(rng)
    asked = numbers[0] + "".join(f" {sign} {n}" for sign, n in zip(signs, numbers[1:], strict=True))
    if set(signs) == {"+"} and rng.random() < 0.35:
        question = rng.choice(SUM_OF_LIST).format(listed(numbers))
    else:
        style = rng.choice((0, 0, 0, 1, 2))
        shown = numbers[0]
        for sign, n in zip(signs, numbers[1:], strict=True):
            said = SAID[sign]
            shown += said[min(style, len(said) - 1)] + n
        question = rng.choice(SUM_OF_EXPRESSION).replace("add ", "compute ").format(shown)
        if rng.random() < 0.12:
            question += rng.choice((" Use the calculator.", " Use your tool."))
    result = short_number(eval_left_to_right(numbers, signs))
    return question, {"expression": asked}, result, ANSWER.format(result)


def eval_left_to_right(numbers: list[str], signs: list[str]) -> float:
    """The value of the expression, products before sums."""
    terms = [float(numbers[0])]
    for sign, n in zip(signs, numbers[1:], strict=True):
        if sign == "*":
            terms[-1] *= float(n)
        elif sign == "/":
            terms[-1] /= float(n)
        else:
            terms.append(float(n) if sign == "+" else -float(n))
    return sum(terms)


def short_number(value: float) -> str:
    """A number as tools print it."""
    return str(round(value)) if abs(value - round(value)) < 1e-9 else f"{value:.10g}"


UNIT_KINDS = (
    ("km", "m", "miles", "feet", "inches", "cm", "mm", "kilometers", "kilometres", "meters", "metres", "centimetres",
     "yards", "mile", "foot", "inch", "centimeters", "nautical miles", "light years"),
    ("kg", "pounds", "g", "grams", "ounces", "tonnes", "kilograms", "lb", "mg", "stone"),
    ("celsius", "fahrenheit", "kelvin", "C", "F", "degC", "degF"),
    ("liters", "gallons", "litres", "millilitres", "ml", "cups", "pints", "cubic meters"),
    ("hours", "minutes", "seconds", "days", "weeks", "years", "milliseconds"),
    ("km/h", "m/s", "mph", "knots"),
    ("acres", "hectares", "square meters"), ("GB", "MB", "KB", "bytes"), ("joules", "calories", "kWh"),
)  # fmt: skip
CONVERT_ASKS = (
    "Convert {n} {a} to {b}.", "convert {n} {a} to {b}", "How many {b} are {n} {a}?", "What is {n} {a} in {b}?",
    "How many {b} are in {n} {a}?", "{n} {a} in {b}", "{n} {a} to {b}", "Express {n} {a} in {b}.",
    "How much is {n} {a} in {b}?",
    "Please convert {n} {a} into {b}.", "I have {n} {a}. How many {b} is that?", "how many {b} in {n} {a}",
)  # fmt: skip


def conversion(rng: random.Random) -> tuple[str, dict[str, Any], str, str]:
    """As `calculation`, for units. The made-up result is only there to be read back."""
    source, target = rng.sample(rng.choice((*UNIT_KINDS[:3], *UNIT_KINDS)), 2)
    shown = number(rng)
    value: float | int = float(shown) if "." in shown else int(shown)
    question = rng.choice(CONVERT_ASKS).format(n=shown, a=source, b=target)
    result = short_number(float(number(rng)) * rng.choice((1.0, 1.0, 10.0, 0.1, 1.60934, 0.3048)))
    answer = f"{shown} {source} is {result} {target}."
    return question, {"value": value, "from_unit": source, "to_unit": target}, result, answer


def response(rng: random.Random, arguments: dict[str, Any], result: str) -> str:
    """What a tool may send back: the bare number or a small JSON object."""
    form = rng.random()
    unit = arguments.get("to_unit")
    if form < 0.3:
        return f"{result} {unit}" if unit and rng.random() < 0.6 else result
    typed: Any = result if rng.random() < 0.4 else json.loads(result)
    answer: dict[str, Any] = {rng.choice(("result", "value", "result", "value", "answer", "output")): typed}
    if unit and rng.random() < 0.7:
        answer["unit"] = unit
    if form < 0.65:
        echoed = {k: v for k, v in arguments.items() if k not in answer}
        answer = echoed | answer if rng.random() < 0.6 else answer | echoed
    return json.dumps(answer, ensure_ascii=False)


def tool_conversation(rng: random.Random) -> Conversation:
    """Question, call, result, answer; at times only up to the call, or with the error of a tool."""
    name = rng.choice(("calculator", "convert_units"))
    question, arguments, result, answer = (calculation if name == "calculator" else conversion)(rng)
    call: Message = {
        "role": "assistant",
        "reasoning_content": f"I call {name}.",
        "content": "",
        "tool_calls": [{"type": "function", "function": {"name": name, "arguments": arguments}}],
    }
    messages: tuple[Message, ...] = ({"role": "user", "content": question}, call)
    if rng.random() < 0.75:
        thought = f"The result is {result}."
        reply = {"role": "assistant", "reasoning_content": thought, "content": answer}
        if rng.random() < 0.05:
            told = rng.choice(("Error: invalid input", "error", '{"error": "bad request"}', "The tool failed.", "Timeout"))
            reply |= {"reasoning_content": "The tool failed.", "content": "The tool failed, so I have no answer."}
        else:
            told = response(rng, arguments, result)
        messages = (*messages, {"role": "tool", "content": told}, reply)
    return Conversation("tool", messages, listing(rng, name))


def tools_not_needed(rng: random.Random, requests: tuple[str, ...]) -> Conversation:
    """Tools are listed, and the request is for none of them."""
    plain = rng.random()
    if plain < 0.3:
        chosen = greeting(rng)
    elif plain < 0.45:
        other = described_tool(rng, *rng.choice(OTHER_TOOLS))
        chosen = any_sum(rng)
        return Conversation(chosen.kind, chosen.messages, (other,), chosen.cuttable)
    else:
        chosen = refusal(rng, requests)
        while any(word in chosen.messages[0]["content"] for word in ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")):
            chosen = refusal(rng, requests)
    return Conversation(chosen.kind, chosen.messages, listing(rng, None))
