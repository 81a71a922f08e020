"""RouterMiddleware in `create_agent`: what is routed, kept, filtered and escalated, alone and beside other middlewares."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware, SummarizationMiddleware, ToolCallLimitMiddleware
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool, InjectedToolCallId, StructuredTool, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command
from pydantic import BaseModel

from qwen_router import Policy
from qwen_router.engines.fake import FakeEngine
from qwen_router.errors import EngineUnreachable, InvalidRequest, NoModelFits
from qwen_router.langchain import ChatQwenRouter, RouterMiddleware
from qwen_router.request import ToolCall
from tests.test_langchain import DOWN, LARGE, SMALL, fake, router_on

FAST = Policy.from_yaml("name: hasty\nobjective: {quality_slack: 1.0, patience_s: null}")
TINY = "qwen3:1.7b"
BIG = "qwen3:8b"


@tool
def add(left: int, right: int) -> int:
    """Add two numbers."""
    return left + right


@tool
def wipe(disk: str) -> str:
    """Wipe a disk."""
    return f"{disk} is empty"


def many_tools(count: int = 12) -> list[BaseTool]:
    return [
        StructuredTool.from_function(lambda x: x, name=f"thing_{n}", description=f"Does thing number {n}.", args_schema=One)
        for n in range(count)
    ]


class One(BaseModel):
    x: int


class Sum(BaseModel):
    """The sum."""

    total: int


def calling(*arguments: dict[str, Any], name: str = "add") -> list[list[ToolCall]]:
    """One call a turn."""
    return [[ToolCall(f"c{n}", name, given)] for n, given in enumerate(arguments)]


SUM = calling({"left": 2, "right": 3})


def talking(*answers: str, calls: Sequence[Sequence[ToolCall]] = (), **options: Any) -> FakeEngine:
    """Calls first, then answers; small and large are served, and the hasty policy takes the small one."""
    return fake(*[""] * len(calls), *answers, tool_calls=calls, **{"models": (SMALL, LARGE), **options})


def agent_on(engine: FakeEngine, tools: Sequence[Any] = (add,), *, beside: Sequence[Any] = (), **options: Any) -> Any:
    ours = {key: options.pop(key) for key in ("tool_filter", "thinking", "policy") if key in options}
    chat = ChatQwenRouter(router=router_on(engine), policy=FAST)
    return create_agent(chat, list(tools), middleware=[*beside, RouterMiddleware(**ours)], **options)


def ask(agent: Any, text: str = "What is 2 + 3?", thread: str | None = None) -> list[Any]:
    config = None if thread is None else {"configurable": {"thread_id": thread}}
    messages: list[Any] = agent.invoke({"messages": [HumanMessage(text)]}, config)["messages"]
    return messages


def traces(messages: Sequence[Any]) -> list[dict[str, Any]]:
    return [m.response_metadata["router"]["middleware"] for m in messages if isinstance(m, AIMessage)]


def models_in(engine: FakeEngine) -> list[str]:
    return [call.model for call in engine.calls]


# ── routing ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_call_of_a_run_is_routed_in_one_session_and_says_so() -> None:
    engine = talking("It is 5.", calls=SUM)
    messages = ask(agent_on(engine))
    assert messages[-1].text == "It is 5." and models_in(engine) == [TINY, TINY]
    first, last = traces(messages)
    assert first["session"] == last["session"]
    assert first | {"session": None} == {"session": None, "escalation": None, "tools_hidden": [], "tool_filter": None}
    assert "within a tool loop model and mode do not change" in messages[-1].response_metadata["router"]["reason"]
    json.dumps(messages[-1].response_metadata)


async def test_the_asynchronous_twin_does_the_same() -> None:
    engine = talking("It is 5.", calls=SUM)
    result = await agent_on(engine).ainvoke({"messages": [HumanMessage("What is 2 + 3?")]})
    assert result["messages"][-1].text == "It is 5."
    assert len({trace["session"] for trace in traces(result["messages"])}) == 1


def test_any_other_model_is_replaced() -> None:
    engine = talking("From the router.")
    other = FakeListChatModel(responses=["from elsewhere"])
    agent = create_agent(other, [], middleware=[RouterMiddleware(router=router_on(engine), policy="fast")])
    message = ask(agent)[-1]
    assert message.text == "From the router." and message.response_metadata["router"]["policy"] == "fast"


def test_options_go_on_top_of_the_agents_model_and_a_calls_own_on_top_of_them() -> None:
    engine = talking("ok", reasoning=["hm"])
    chat = ChatQwenRouter(router=router_on(engine), policy=FAST, thinking=False, max_tokens=77)
    agent = create_agent(chat, [], middleware=[RouterMiddleware(thinking=True, thinking_budget_tokens=256, model=BIG)])
    ask(agent)
    call = engine.calls[0]
    assert (call.model, call.thinking.enabled, call.thinking.budget_tokens, call.max_answer_tokens) == (BIG, True, 256, 77)


def test_a_chat_and_a_router_at_once_are_one_too_many() -> None:
    with pytest.raises(InvalidRequest, match="both chat and router"):
        RouterMiddleware(chat=ChatQwenRouter(), router=router_on(fake()))


def test_an_error_of_the_router_reaches_the_caller() -> None:
    with pytest.raises(NoModelFits):
        ask(agent_on(talking("ok"), policy=Policy.from_yaml("name: x\nlimits: {max_total_s: 0.0001}")))


def test_what_was_thought_goes_back_within_the_loop() -> None:
    engine = talking("It is 5.", calls=SUM, reasoning=["I should add.", "Done."])
    messages = ask(agent_on(engine, thinking=True))
    assert [message.reasoning for message in engine.calls[1].messages] == [None, "I should add.", None]
    assert messages[-1].content_blocks[0] == {"type": "reasoning", "reasoning": "Done."}


def test_streams_and_events_come_through() -> None:
    agent = agent_on(talking("It is 5.", calls=SUM))
    asked = {"messages": [HumanMessage("What is 2 + 3?")]}
    chunks = [chunk for chunk, _ in agent.stream(asked, stream_mode="messages")]
    assert "".join(chunk.text for chunk in chunks if isinstance(chunk, AIMessageChunk)) == "It is 5."
    updates = list(agent_on(talking("It is 5.", calls=SUM)).stream(asked, stream_mode="updates"))
    assert [next(iter(update)) for update in updates] == ["model", "tools", "model"]


# ── sessions ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_thread_is_a_session_and_another_thread_is_another() -> None:
    agent = agent_on(talking("ok"), checkpointer=InMemorySaver())
    one, again, two = (traces(ask(agent, thread=name))[-1]["session"] for name in ("one", "one", "two"))
    assert one == again != two


def test_without_a_thread_every_run_is_a_session() -> None:
    agent = agent_on(talking("ok"))
    assert traces(ask(agent))[0]["session"] != traces(ask(agent))[0]["session"]


def test_many_threads_at_once_keep_their_sessions_apart() -> None:
    agent = agent_on(talking("ok"), checkpointer=InMemorySaver())
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(lambda n: {t["session"] for _ in range(3) for t in traces(ask(agent, thread=f"t{n}"))}, range(8))
        )
    assert [len(sessions) for sessions in found] == [1] * 8 and len(set.union(*found)) == 8


def test_a_sub_agent_has_a_session_of_its_own() -> None:
    inner = agent_on(talking("seven"), tools=[])
    seen: list[dict[str, Any]] = []

    @tool
    def expert(question: str) -> str:
        """Ask the expert."""
        messages = ask(inner, question)
        seen.extend(traces(messages))
        return str(messages[-1].text)

    outer = agent_on(talking("It is 7.", calls=calling({"question": "3 + 4?"}, name="expert")), tools=[expert])
    messages = outer.invoke({"messages": [HumanMessage("ask")]}, {"configurable": {"thread_id": "outer"}})["messages"]
    assert messages[-2].content == "seven" and messages[-1].text == "It is 7."
    assert seen[0]["session"] != traces(messages)[0]["session"]


def test_the_state_is_plain_text_and_no_part_of_input_or_output(tmp_path: Path) -> None:
    with SqliteSaver.from_conn_string(str(tmp_path / "state.sqlite")) as saver:
        agent = agent_on(talking("ok"), checkpointer=saver)
        config = {"configurable": {"thread_id": "t"}}
        out = agent.invoke({"messages": [HumanMessage("hi")], "router_session": "forged"}, config)
        kept = agent.get_state(config).values
    assert set(out) == {"messages"}
    assert kept["router_session"] == traces(out["messages"])[0]["session"] != "forged"


# ── escalation ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def judged(reason: str) -> BaseTool:
    """A tool that puts the reason into the agent's state."""

    @tool
    def judge(verdict: str, tool_call_id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
        """Judge the work."""
        update = {"router_escalation": reason, "messages": [ToolMessage(verdict, tool_call_id=tool_call_id)]}
        return Command(update=update)

    return judge


def test_a_reason_in_the_state_moves_the_next_call_to_a_stronger_model_and_the_loop_stays_there() -> None:
    calls = [*calling({"verdict": "bad"}, name="judge"), *calling({"left": 2, "right": 3}, {"left": 4, "right": 5})]
    engine = talking("It is 9.", calls=calls)
    agent = agent_on(engine, tools=[judged("the check failed: 6 is not 5"), add], checkpointer=InMemorySaver())
    messages = ask(agent, thread="t")
    assert models_in(engine) == [TINY, BIG, BIG, BIG]
    assert [trace["escalation"] for trace in traces(messages)] == [None, "the check failed: 6 is not 5", None, None]
    moved, stays = [m.response_metadata["router"]["reason"] for m in messages if isinstance(m, AIMessage)][1:3]
    assert "the check failed: 6 is not 5" in moved and "within a tool loop model and mode do not change" in stays
    assert agent.get_state({"configurable": {"thread_id": "t"}}).values["router_escalation"] is None


def test_a_reason_may_come_from_outside_and_is_used_once() -> None:
    engine = talking("ok")
    agent = agent_on(engine, checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "t"}}
    ask(agent, "Hi.", thread="t")
    agent.update_state(config, {"router_escalation": "a person was not content"})
    messages = ask(agent, "Again, please.", thread="t")
    assert models_in(engine) == [TINY, BIG]
    assert traces(messages)[-1]["escalation"] == "a person was not content"


def test_a_reason_stays_when_the_call_fails() -> None:
    saver, config = InMemorySaver(), {"configurable": {"thread_id": "t"}}
    agent = agent_on(talking("ok"), checkpointer=saver)
    ask(agent, thread="t")
    agent.update_state(config, {"router_escalation": "wrong"})
    with pytest.raises(EngineUnreachable):
        ask(agent_on(talking(fail=DOWN), checkpointer=saver), thread="t")
    assert agent.get_state(config).values["router_escalation"] == "wrong"


def test_several_reasons_in_one_step_are_no_error() -> None:
    both = [[ToolCall("a", "judge", {"verdict": "bad"}), ToolCall("b", "judge", {"verdict": "worse"})]]
    engine = talking("ok", calls=both)
    messages = ask(agent_on(engine, tools=[judged("wrong")]))
    assert traces(messages)[-1]["escalation"] == "wrong" and models_in(engine) == [TINY, BIG]


def test_an_agent_that_makes_the_same_call_again_and_again_is_led_out_by_a_stronger_model() -> None:
    same = {"left": 2, "right": 3}
    engine = talking("It is 5.", calls=calling(same, same, same, {"left": 1, "right": 1}))
    messages = ask(agent_on(engine))
    assert models_in(engine) == [TINY, TINY, TINY, BIG, BIG]  # and stays there once it does something else
    said = "the same tool call came three times of the last six"
    assert [trace["escalation"] for trace in traces(messages)] == [None, None, None, said, None]
    assert said in messages[7].response_metadata["router"]["reason"]


# ── tools ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_small_model_is_shown_few_tools_and_the_trace_names_the_others() -> None:
    engine = talking("It is 5.", calls=SUM)
    messages = ask(agent_on(engine, tools=[*many_tools(), add]), "Add 2 and 3, two numbers.")
    shown = [[tool.name for tool in call.tools] for call in engine.calls]
    assert all(len(names) == 6 and "add" in names for names in shown)
    hidden = traces(messages)[0]["tools_hidden"]
    assert len(hidden) == 7 and not set(hidden) & set(shown[0])


def test_tools_for_structure_are_never_hidden() -> None:
    engine = talking("", calls=calling({"total": 5}, name="Sum"))
    agent = agent_on(engine, tools=[*many_tools(), add], response_format=ToolStrategy(Sum))
    result = agent.invoke({"messages": [HumanMessage("Add 2 and 3, two numbers.")]})
    assert result["structured_response"] == Sum(total=5)
    names = [tool.name for tool in engine.calls[0].tools]
    assert len(names) == 6 and "Sum" in names and engine.calls[0].tool_choice == "required"


def test_a_filter_of_ones_own_chooses_and_what_was_called_stays() -> None:
    engine = talking("ok", calls=SUM)
    names = iter([["add"], ["wipe", "no such tool"]])
    agent = agent_on(engine, tools=[add, wipe, *many_tools(1)], tool_filter=lambda request: next(names))
    messages = ask(agent)
    assert [[tool.name for tool in call.tools] for call in engine.calls] == [["add"], ["add", "wipe"]]
    assert [trace["tool_filter"] for trace in traces(messages)] == [
        "1 of 3 tools left by the tool filter",
        "2 of 3 tools left by the tool filter",
    ]
    assert traces(messages)[0]["tools_hidden"] == ["thing_0", "wipe"]


@pytest.mark.parametrize(
    ("filter_", "said"),
    [
        pytest.param(lambda request: 1 / 0, "failed (ZeroDivisionError)", id="raises"),
        pytest.param(lambda request: None, "failed (TypeError)", id="no-list"),
        pytest.param(lambda request: [3], "failed (AttributeError)", id="no-tools"),
        pytest.param(lambda request: [], "left none", id="empty"),
    ],
)
def test_a_filter_that_fails_keeps_all_and_the_trace_says_so(filter_: Any, said: str, caplog: Any) -> None:
    engine = talking("ok")
    with caplog.at_level(logging.WARNING, logger="qwen_router"):
        messages = ask(agent_on(engine, tools=[add, wipe], tool_filter=filter_))
    assert [tool.name for tool in engine.calls[0].tools] == ["add", "wipe"]
    assert said in traces(messages)[0]["tool_filter"] and "all 2 tools stay" in traces(messages)[0]["tool_filter"]
    assert len(caplog.messages) == (1 if "failed" in said else 0)


# ── beside other middlewares ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_person_may_approve_between_two_calls() -> None:
    engine = talking("Done.", calls=calling({"disk": "C"}, name="wipe"))
    approval = HumanInTheLoopMiddleware(interrupt_on={"wipe": True})
    agent = agent_on(engine, tools=[wipe], beside=[approval], checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "t"}}
    asked = agent.invoke({"messages": [HumanMessage("Wipe C.")]}, config)
    assert asked["__interrupt__"][0].value["action_requests"][0]["name"] == "wipe"
    done = agent.invoke(Command(resume={"decisions": [{"type": "approve"}]}), config)
    assert [m.text for m in done["messages"]][-2:] == ["C is empty", "Done."]
    assert len({trace["session"] for trace in traces(done["messages"])}) == 1


def test_a_limit_of_tool_calls_ends_a_loop() -> None:
    engine = talking("never", calls=calling(*({"left": n, "right": n} for n in range(9))))
    agent = agent_on(engine, beside=[ToolCallLimitMiddleware(run_limit=2, exit_behavior="end")])
    messages = ask(agent)
    assert len(engine.calls) == 3 and "limit" in messages[-1].text.lower()


def test_a_summary_in_between_leaves_session_and_answer() -> None:
    engine = talking("An answer that is long enough to be summed up.")
    summary = SummarizationMiddleware(
        ChatQwenRouter(router=router_on(fake("They talked."))), trigger=("messages", 4), keep=("messages", 2)
    )
    agent = agent_on(engine, tools=[], beside=[summary], checkpointer=InMemorySaver())
    found = [traces(ask(agent, f"Question {n}?", thread="t"))[-1]["session"] for n in range(4)]
    assert len(set(found)) == 1
    assert any("They talked." in message.text for message in engine.calls[-1].messages)


@pytest.mark.parametrize("tools", [[], [add]], ids=["alone", "beside-tools"])
def test_structure_by_the_providers_own_way(tools: list[Any]) -> None:
    calls = SUM if tools else []
    engine = talking('{"total": 5}', calls=calls)
    agent = agent_on(engine, tools=tools, response_format=ProviderStrategy(Sum))
    result = agent.invoke({"messages": [HumanMessage("What is 2 + 3?")]})
    assert result["structured_response"] == Sum(total=5)
    assert engine.calls[-1].response_format is not None


def test_the_package_loads_without_langgraph_until_the_middleware_is_asked_for() -> None:
    code = "import sys, qwen_router.langchain as l; print('langgraph' in sys.modules, l.RouterMiddleware.__name__)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert run.stdout == "False RouterMiddleware\n", run.stderr
