"""VerificationMiddleware: checks an agent's final answer, sends a wrong one back with the evidence, then to a stronger model.

The first answer that fails a check goes back once; the second goes to a stronger model (`router_escalation`, which
RouterMiddleware obeys); the third ends the run with the named stop `verification`, the answer kept. The evidence may quote
what a model or a file says, so it is handed over as data between marks. What is checked, and how well: docs/verification.md.

    python -c "from qwen_router.agent.verification import VerificationMiddleware; print(VerificationMiddleware().name)"
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, NotRequired

from langchain.agents.middleware import AgentMiddleware, hook_config
from langchain.agents.middleware.types import PrivateStateAttr
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.tools import BaseTool, ToolException
from langgraph.runtime import Runtime

from qwen_router.agent.events import AgentEvent, Noted
from qwen_router.agent.tool_result import as_data
from qwen_router.agent.verify import Finding, RunSql, failed, verify
from qwen_router.errors import RouterError
from qwen_router.langchain.middleware import RouterState
from qwen_router.tool_context import ToolContext, current, using
from qwen_router.tooling import signature_of

FAILURES = 3
"""So many wrong answers end a run."""
_NAME = "verification"
"""The name of the messages that send an answer back; they are counted by it."""
_TEST_FILE = re.compile(r"(?<![\w/.])(?:[\w-]+/){0,4}(?:test_[\w-]+|[\w-]+_test)\.py\b")
_MOST_TEST_BYTES = 40_000

_log = logging.getLogger(__name__)


class VerificationState(RouterState):
    """`stopped` is the named stop, `verified` what the checks of the last answer found, one line each."""

    stopped: NotRequired[Annotated[str, PrivateStateAttr]]
    verified: NotRequired[Annotated[list[str], PrivateStateAttr]]


class VerificationMiddleware(AgentMiddleware[VerificationState, Any, Any]):
    """Checks every answer that holds no tool calls. Keeps nothing of its own, so that one may serve many threads.

    `tests` are Python tests for code in answers, beside those in the task, in files that it names (`test_x.py`, below the
    root of `context`) and in calls of a tool that runs tests. `schema` is the format that answers are held to. `run_sql`
    runs queries that answers propose (`sql_runner`). `tell` hears of each answer that is sent back.
    """

    state_schema = VerificationState

    def __init__(
        self,
        *,
        tests: Sequence[str] = (),
        schema: Mapping[str, Any] | None = None,
        run_sql: RunSql | None = None,
        context: ToolContext | None = None,
        tell: Callable[[AgentEvent], None] | None = None,
    ) -> None:
        super().__init__()
        self.tools = ()
        self._tests, self._schema, self._run_sql, self._context = tuple(tests), schema, run_sql, context
        self._tell = tell or (lambda event: None)

    @hook_config(can_jump_to=["model", "end"])
    def after_model(self, state: VerificationState, runtime: Runtime[Any]) -> dict[str, Any] | None:
        """Check the answer; send it back, escalate, or end the run where a check says that it is wrong."""
        messages = state["messages"]
        answer = messages[-1] if messages else None
        if not isinstance(answer, AIMessage) or answer.tool_calls or not answer.text.strip() or state.get("stopped"):
            return None
        place = _asked_at(messages)
        if place is None:
            return None
        findings = self._findings(messages[place:], answer.text)
        found = {"verified": [_line(finding) for finding in findings]}
        fault = failed(findings)
        if fault is None:
            return found
        failures = 1 + sum(message.type == "human" and message.name == _NAME for message in messages[place:])
        if failures >= FAILURES:
            self._tell(Noted(f"the answer failed a check for the {failures}rd time: {fault.evidence}"))
            return {**found, "stopped": f"verification: {fault.evidence}", "jump_to": "end"}
        update: dict[str, Any] = {**found, "jump_to": "model", "messages": [_sent_back(fault)]}
        if failures == FAILURES - 1:
            update["router_escalation"] = f"two answers failed a check ({fault.kind})"
        then = "a stronger model is asked" if "router_escalation" in update else "it goes back with the evidence"
        self._tell(Noted(f"the answer failed a check: {fault.evidence}; {then}"))
        return update

    def _findings(self, messages: Sequence[AnyMessage], answer: str) -> tuple[Finding, ...]:
        question = messages[0].text
        context = self._context or current()
        try:
            tests = [*self._tests, *_called_tests(messages), *_named_tests(question, context)]
            with using(context):
                return verify(question, answer, tests=list(dict.fromkeys(tests)), schema=self._schema, run_sql=self._run_sql)
        except Exception as error:  # a check that breaks says nothing about the answer
            _log.warning("a check of an answer failed with %s", type(error).__name__)
            return (Finding("check", None, f"the check itself failed with {type(error).__name__}"),)


def sql_runner(tools: Sequence[BaseTool]) -> RunSql | None:
    """Runs a query with the first of the tools that takes SQL and is not dangerous; None where there is none."""
    for tool in tools:
        signature = signature_of(tool)
        names = [name for name, kind in signature.inputs.items() if kind == "sql"]
        if len(names) == 1 and not signature.dangerous and set(signature.inputs) - signature.optional == set(names):
            return lambda query, tool=tool, name=names[0]: _problem(tool, {name: query})  # type: ignore[misc]
    return None


def _problem(tool: BaseTool, arguments: dict[str, Any]) -> str:
    try:
        message = tool.invoke({"type": "tool_call", "name": tool.name, "id": "check", "args": arguments})
    except (ToolException, RouterError) as error:
        return str(error)
    return str(message.content) if getattr(message, "status", "success") == "error" else ""


def _asked_at(messages: Sequence[AnyMessage]) -> int | None:
    """Where the last message stands that a person wrote; ours are in an envelope."""
    for place in range(len(messages) - 1, -1, -1):
        message = messages[place]
        if message.type == "human" and not message.text.lstrip().startswith("<system-reminder>"):
            return place
    return None


def _called_tests(messages: Sequence[AnyMessage]) -> list[str]:
    """The tests that the model wrote itself: the last ones that it ran."""
    ran = [
        call["args"]["tests"]
        for message in messages
        if isinstance(message, AIMessage)
        for call in message.tool_calls
        if isinstance(call["args"].get("tests"), str)
    ]
    return ran[-1:]


def _named_tests(question: str, context: ToolContext) -> list[str]:
    """The texts of test files that the task names, as far as they lie below the root."""
    from qwen_router.tool_files import read_below

    found: list[str] = []
    for name in dict.fromkeys(_TEST_FILE.findall(question)):
        try:
            found.append(read_below(context.root, name, most_bytes=_MOST_TEST_BYTES).decode())
        except (RouterError, ToolException, OSError, ValueError):
            continue  # no such file: the task speaks of something else
    return found


def _line(finding: Finding) -> str:
    said = {True: "right", False: "wrong", None: "not checked"}[finding.ok]
    return f"{finding.kind}: {said}: {finding.evidence}"


def _sent_back(fault: Finding) -> HumanMessage:
    """A message of ours, in the envelope that the classifier leaves out, the evidence between marks."""
    evidence = as_data(re.sub(r"</?system-reminder", "", fault.evidence), source="a check of your answer")
    text = f"A check says that your last answer is wrong.\n{evidence}\nAnswer the task again, completely and corrected."
    return HumanMessage(f"<system-reminder>{text}</system-reminder>", name=_NAME)
