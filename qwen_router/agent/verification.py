"""VerificationMiddleware: checks an agent's final answer, sends a wrong one back with the evidence, then to another model.

The first answer that fails a check goes back once; the second goes to a stronger model (`router_escalation`, which
RouterMiddleware obeys); the third ends the run with the named stop `verification`, the answer kept. The evidence may quote
what a model or a file says, so it is handed over as data between marks. What is checked, and how well: docs/verification.md.

    python -c "from qwen_router.agent.verification import VerificationMiddleware; print(VerificationMiddleware().name)"
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NotRequired

from langchain.agents.middleware import AgentMiddleware, hook_config
from langchain.agents.middleware.types import OmitFromInput
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langgraph.runtime import Runtime

from qwen_router.agent.events import AgentEvent, Noted
from qwen_router.agent.plan import MOST_CHARS, brought_by
from qwen_router.agent.tool_result import as_data, in_envelope
from qwen_router.agent.verify import Finding, RunSql, failed, fences, verify
from qwen_router.errors import MissingExtra, RouterError
from qwen_router.langchain.middleware import RouterState
from qwen_router.tool_context import ToolContext, current, using

FAILURES = 3
"""So many wrong answers end a run."""
_NAME = "verification"
"""The name of the messages that send an answer back; they are counted by it."""
_TEST_FILE = re.compile(r"(?:[\w-]{1,100}/){0,4}(?:test_[\w-]{1,100}|[\w-]{1,100}_test)\.py")
_MOST_WORD_CHARS = 300
_MOST_TEST_BYTES = 40_000

_DATA = (".csv", ".tsv", ".parquet", ".json", ".jsonl", ".ndjson", ".sqlite", ".sqlite3", ".db", ".csv.gz")
_UNKNOWN_TABLE = re.compile(
    r"no (?:such )?table|table .{0,80}(?:does not exist|not found)|time|memory|SELECT", re.IGNORECASE
)

_log = logging.getLogger(__name__)


class VerificationState(RouterState):
    """`stopped` is the named stop, `verified` what the checks of the last answer found, one line each."""

    stopped: NotRequired[Annotated[str, OmitFromInput]]
    verified: NotRequired[Annotated[list[str], OmitFromInput]]


class VerificationMiddleware(AgentMiddleware[VerificationState, Any, Any]):
    """Checks every answer that holds no tool calls. Keeps nothing of its own, so that one may serve many threads.

    `tests` are Python tests for code in answers, beside those in the task, in files that it names (`test_x.py`, below the
    root of `context`) and in calls of a tool that runs tests. `schema` is the format that answers are held to. Queries that
    answers propose are run over the data files that the task names. With `looks_up`, an answer to a task that names files
    is wrong when no tool was called to look into them. `tell` hears of each answer that is sent back.
    """

    state_schema = VerificationState

    def __init__(
        self,
        *,
        tests: Sequence[str] = (),
        schema: Mapping[str, Any] | None = None,
        looks_up: bool = False,
        context: ToolContext | None = None,
        tell: Callable[[AgentEvent], None] | None = None,
    ) -> None:
        super().__init__()
        self.tools = ()
        self._tests, self._schema, self._looks_up, self._context = tuple(tests), schema, looks_up, context
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
            _, files = brought_by(question, root=context.root)
            run_sql = run_sql_over(context.root, [name for name in files if name.lower().endswith(_DATA)])
            with using(context):
                found = verify(question, answer, tests=list(dict.fromkeys(tests)), schema=self._schema, run_sql=run_sql)
            unseen = self._looks_up and bool(files) and not _tried(messages) and not fences(answer)
            return (*found, _unseen(files)) if unseen else found
        except Exception as error:  # a check that breaks says nothing about the answer
            _log.warning("a check of an answer failed with %s", type(error).__name__)
            return (Finding("check", None, f"the check itself failed with {type(error).__name__}"),)


def run_sql_over(root: Path, files: Sequence[str]) -> RunSql | None:
    """Runs queries over these data files, reading only; None where there are none. Unknown tables are not blamed."""
    if not files:
        return None

    def run(query: str) -> str | None:
        from qwen_router.tool_tables import query_files, table_name

        for name in files:  # FROM 'sales.csv', as DuckDB has it
            query = re.sub(rf"""(['"]){re.escape(name)}\1""", table_name(name), query)
        try:
            query_files(root, query, tuple(files))
        except MissingExtra:
            return None
        except RouterError as error:
            return None if _UNKNOWN_TABLE.search(error.problem) else error.problem
        return ""

    return run


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
    words = (word for word in re.findall(r"[\w./-]+", question[:MOST_CHARS]) if len(word) <= _MOST_WORD_CHARS)
    for name in dict.fromkeys(word.rstrip(".") for word in words if _TEST_FILE.fullmatch(word.rstrip("."))):
        try:
            found.append(read_below(context.root, name, most_bytes=_MOST_TEST_BYTES).decode())
        except (RouterError, OSError, ValueError):
            continue  # no such file: the task speaks of something else
    return found


def _tried(messages: Sequence[AnyMessage]) -> bool:
    """Whether a tool has given something since the task was set, or a person has said no to one."""
    answers = [message for message in messages if isinstance(message, ToolMessage)]
    return any(message.status == "success" or message.text.startswith("User rejected the tool call") for message in answers)


def _unseen(files: Sequence[str]) -> Finding:
    return Finding("looked up", False, f"the task is about {', '.join(files)}, and no tool has looked into it")


def _line(finding: Finding) -> str:
    said = {True: "right", False: "wrong", None: "not checked"}[finding.ok]
    return f"{finding.kind}: {said}: {finding.evidence}"


def _sent_back(fault: Finding) -> HumanMessage:
    """A message of ours, in the envelope that the classifier leaves out, the evidence between marks."""
    evidence = as_data(fault.evidence, source="a check of your answer")
    text = f"A check says that your last answer is wrong.\n{evidence}\nAnswer the task again, completely and corrected."
    return HumanMessage(in_envelope(text), name=_NAME)
