"""Conversions between units of measure: a value, its unit, the wanted unit, and a number comes back.

pint knows the units, their prefixes and the offsets of temperatures; here is what people and models write around them
(°C, sq ft, miles per hour, 公里), a guard on what pint may be asked to parse, and errors that name close matches.
Currencies are refused: their rates change. Gallons and the like are American, as in pint.

    python -c "from qwen_router.tooling import load_tools; t = load_tools()['convert_units']; \\
        print(t.invoke({'value': 20, 'from_unit': 'celsius', 'to_unit': 'fahrenheit'}))"
"""

from __future__ import annotations

import math
import re
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import Any

from langchain_core.tools import ToolException, tool
from pydantic import BaseModel, Field

MAX_UNIT_CHARS = 60
SIGNIFICANT_DIGITS = 12
"""Of a result: conversions multiply a few doubles, and more digits would show their rounding."""

_ALIASES = {
    "℃": "degC", "°c": "degC", "degree celsius": "degC", "degrees celsius": "degC", "centigrade": "degC",
    "摄氏度": "degC", "℉": "degF", "°f": "degF", "degree fahrenheit": "degF", "degrees fahrenheit": "degF",
    "华氏度": "degF", "开尔文": "kelvin", "°k": "kelvin", "degrees kelvin": "kelvin", "mpg": "mile/gallon",
    "公里": "km", "千米": "km", "米": "m", "分米": "dm", "厘米": "cm", "毫米": "mm", "微米": "um", "英里": "mile",
    "英尺": "foot", "英寸": "inch", "码": "yard", "海里": "nautical_mile", "吨": "metric_ton", "公斤": "kg",
    "千克": "kg", "克": "g", "毫克": "mg", "磅": "pound", "盎司": "ounce", "升": "liter", "毫升": "mL",
    "加仑": "gallon", "平方米": "m**2", "平方公里": "km**2", "公顷": "hectare", "英亩": "acre", "立方米": "m**3",
    "秒": "second", "分钟": "minute", "小时": "hour", "天": "day", "周": "week", "年": "year", "焦耳": "joule",
    "千瓦时": "kWh",
}  # fmt: skip
_BYTES = {"KB": "kB", "kb": "kB", "mb": "MB", "gb": "GB", "tb": "TB"}  # to pint, a small b is a barn
_TEMPERATURES = {"c": "degC", "f": "degF", "k": "kelvin"}
_CURRENCIES = frozenset("usd eur gbp jpy cny rmb inr krw chf dollar dollars euro euros yen yuan 元 人民币 $ € £ ¥".split())
_NOT_A_UNIT = re.compile(
    r"[^\w\s*/^()°%µμΩÅ·²³-]"  # a sign that no unit has
    r"|(?<![\w^*-])\d|(?<!\*)\*\s*\d"  # a bare number
    r"|(?:\^|\*\*)(?!\s*-?\d(?!\d))"  # a power of something else than one digit
    r"|(?:\^|\*\*)\s*-?\d\s*(?:\^|\*\*)"  # a tower of powers
)


class ConversionInput(BaseModel):
    """What the conversion takes."""

    value: float = Field(description="The number to convert.", allow_inf_nan=False)
    from_unit: str = Field(description="The unit to convert from, such as km.")
    to_unit: str = Field(description="The unit to convert to, such as miles.")


class ConversionError(ToolException):
    """There is no such conversion; the text says why, for the model to read."""


@cache
def _registry() -> Any:
    """pint's registry, made at the first conversion: it reads a thousand definitions."""
    from pint import UnitRegistry

    return UnitRegistry(autoconvert_offset_to_baseunit=False)


@lru_cache(maxsize=1024)
def _unit(text: str) -> Any:
    """pint's unit for what was written. Raises `ConversionError`, with close matches where there are some."""
    written = " ".join(text.split())
    if not written or len(written) > MAX_UNIT_CHARS:
        raise ConversionError("a unit is a short text such as km, pounds or degC")
    if written.lower() in _CURRENCIES:
        raise ConversionError(f"{written!r} is a currency: exchange rates change and are not known here")
    plain = _spelled(written)
    if _NOT_A_UNIT.search(plain):
        raise ConversionError(f"{written!r} is no unit: write a name or a symbol such as km, m/s or m^2")
    joined = plain.replace(" ", "_")
    for attempt in dict.fromkeys((plain, joined, plain.lower(), joined.lower(), plain.rstrip("s"))):
        unit = _parsed(attempt)
        if unit is not None:
            return unit
    close = get_close_matches(plain.lower().replace(" ", "_"), _names(), n=3, cutoff=0.6)
    hint = f"did you mean {', '.join(close)}?" if close else "write a name or a symbol such as km, pounds or degC"
    raise ConversionError(f"no unit is called {written!r}: {hint}")


def _spelled(written: str) -> str:
    """Words that pint does not read, in the form that it does."""
    alias = _BYTES.get(written) or _ALIASES.get(written.lower())
    if alias is not None:
        return alias
    plain = re.sub(r"\s+per\s+", "/", written, flags=re.IGNORECASE)
    plain = re.sub(r"\b(square|sq\.?|cubic|cu\.?)[\s_]+([^\W\d_]+)", _power_of_word, plain, flags=re.IGNORECASE)
    return re.sub(r"\b([a-zA-Zµμ]{1,3})([23])\b", r"\1**\2", plain)


def _power_of_word(match: re.Match[str]) -> str:
    return f"{match[2]}**{2 if match[1].lower().startswith('s') else 3}"


def _parsed(text: str) -> Any:
    """The unit, or None where pint knows none of that name."""
    try:
        return _registry().parse_units(text)
    except Exception:  # Python's tokeniser and pint's evaluator raise whatever they meet (TokenError, AssertionError, ...)
        return None


@cache
def _names() -> tuple[str, ...]:
    return tuple(sorted(name for name in dir(_registry()) if name.islower() and len(name) > 1 and name[0] != "_"))


def _pair(from_unit: str, to_unit: str) -> tuple[Any, Any]:
    """Both units; a bare C or F beside a temperature is a temperature, not a coulomb or a farad."""
    texts = (from_unit.strip(), to_unit.strip())
    letters = [_TEMPERATURES.get(text.lower()) for text in texts]
    if letters[0] and letters[1]:
        return _unit(letters[0]), _unit(letters[1])
    for here, there in ((0, 1), (1, 0)):
        letter = letters[here]
        if letter and _unit(texts[there]).dimensionality == _registry().kelvin.dimensionality:
            pair = (_unit(letter), _unit(texts[there]))
            return pair if here == 0 else (pair[1], pair[0])
    return _unit(texts[0]), _unit(texts[1])


def convert(value: float, from_unit: str, to_unit: str) -> int | float:
    """`value` in the other unit. Raises `ConversionError` for units that are unknown or measure different things."""
    from pint.errors import DimensionalityError, PintError

    source, target = _pair(from_unit, to_unit)
    registry = _registry()
    try:
        quantity = registry.Quantity(value, source)
        if source.dimensionality == registry.kelvin.dimensionality and quantity.to("kelvin").magnitude < -1e-9:
            raise ConversionError(f"{value:g} {from_unit} is below absolute zero")
        result = float(quantity.to(target).magnitude)
    except DimensionalityError:
        raise ConversionError(
            f"{from_unit!r} measures {_measured(source)} and {to_unit!r} measures {_measured(target)}: no conversion exists"
        ) from None
    except PintError as error:
        raise ConversionError(f"cannot convert {from_unit!r} to {to_unit!r}: {str(error).splitlines()[0]}") from None
    except (OverflowError, ZeroDivisionError):
        raise ConversionError(f"{value:g} {from_unit} is out of range in {to_unit}") from None
    if not math.isfinite(result):
        raise ConversionError(f"{value:g} {from_unit} is too large in {to_unit}")
    near = float(f"{result:.{SIGNIFICANT_DIGITS}g}")
    return int(near) if near.is_integer() and abs(near) < 1e15 else near


def _measured(unit: Any) -> str:
    """`length / time` and the like."""
    return str(unit.dimensionality).replace("[", "").replace("]", "") if unit.dimensionality else "a plain number"


@tool("convert_units", args_schema=ConversionInput)
def convert_units(value: float, from_unit: str, to_unit: str) -> int | float:
    """Convert a value from one unit to another, for example 5 km to miles or 20 celsius to fahrenheit."""
    return convert(value, from_unit, to_unit)


def _explain(error: object) -> str:
    """What a model reads that called with the wrong arguments."""
    return "convert_units takes three arguments: value (a number), from_unit and to_unit (texts such as km)"


convert_units.handle_tool_error = True
convert_units.handle_validation_error = _explain
convert_units.metadata = {"inputs": {"value": "number", "from_unit": "unit", "to_unit": "unit"}, "output": "number"}
