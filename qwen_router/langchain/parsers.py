"""Parsers of structured answers that take whole JSON only.

LangChain's own complete JSON that was cut off, so an answer that ran into the token limit passes for a shorter one; here it
is an error that says so. While a stream runs, pieces are completed as LangChain does it.

    python -c "from qwen_router.langchain.parsers import whole_json; print(whole_json().invoke('{}'))"
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from qwen_router.errors import MissingExtra

try:
    from langchain_core.exceptions import OutputParserException
    from langchain_core.output_parsers import BaseOutputParser, JsonOutputParser, PydanticOutputParser
    from langchain_core.outputs import ChatGeneration, Generation
except ModuleNotFoundError as error:
    raise MissingExtra.of("langchain-core", extra="langchain") from error


def _checked(result: list[Generation], *, partial: bool) -> list[Generation]:
    """The same. Raises `OutputParserException` for JSON that is not whole."""
    if partial:
        return result
    try:
        json.loads(result[0].text)
    except ValueError as error:
        message = result[0].message if isinstance(result[0], ChatGeneration) else None
        cut = message is not None and message.response_metadata.get("finish_reason") == "length"
        why = "it was cut off by the token limit: allow more with max_tokens" if cut else str(error)
        raise OutputParserException(f"the answer is no JSON: {why}", llm_output=result[0].text) from error
    return result


def whole_json() -> BaseOutputParser[Any]:
    """A JSON value, or an error."""
    parser: BaseOutputParser[Any] = _whole(JsonOutputParser)()
    return parser


def whole_pydantic(schema: type) -> BaseOutputParser[Any]:
    """A value of this pydantic class from whole JSON, or an error."""
    parser: BaseOutputParser[Any] = _whole(PydanticOutputParser)(pydantic_object=schema)
    return parser


@cache
def _whole(kind: Any) -> Any:
    """The parser that checks first. Made at run time: mypy's pydantic plugin fails on a subclass, for the type of its field
    is not exported."""

    def parse_result(self: Any, result: list[Generation], *, partial: bool = False) -> Any:
        return kind.parse_result(self, _checked(result, partial=partial), partial=partial)

    return type(f"Whole{kind.__name__}", (kind,), {"parse_result": parse_result, "__module__": __name__})
