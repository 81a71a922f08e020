"""RouterMiddleware: routes every model call of a LangChain agent, and leads an agent that is stuck to a stronger model.

One session a thread (or a run, where nothing is kept), so the router keeps model and thinking mode through a tool loop. A
reason in the state's `router_escalation`, or the same call three times of the last six, moves the next call to the best
other model, and the loop stays there. Which tools are too many for a model is known only when it is chosen, so they are kept
back at the hand-over (`engines/handing_over.py`); here `tool_filter` is applied, and none that structure needs is touched.
Deciding, answering and failing over are the router's; running tools, approval and limits are other middlewares'.

    python -c "from qwen_router.langchain import RouterMiddleware; print(RouterMiddleware(policy='fast').name)"
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired

from qwen_router.errors import InvalidRequest, MissingExtra, UnknownName
from qwen_router.langchain.chat import ChatQwenRouter
from qwen_router.policy import OBJECTIVES, ObjectiveName, Policy
from qwen_router.router import Router

try:
    from langchain.agents.middleware.types import (
        AgentMiddleware,
        AgentState,
        ExtendedModelResponse,
        ModelRequest,
        ModelResponse,
        PrivateStateAttr,
    )
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.tools import BaseTool
    from langgraph.types import Command
except ModuleNotFoundError as error:
    raise MissingExtra.of("langchain", extra="langchain") from error

AnyTool = BaseTool | dict[str, Any]
ToolFilter = Callable[[ModelRequest[Any]], Sequence[AnyTool | str]]
"""Says which of `request.tools` the model is offered, as tools or by name; others that it names do not exist."""

_log = logging.getLogger(__name__)


def _latest(_: str | None, new: str | None) -> str | None:
    """Of several reasons in one step (tools that ran side by side), the last."""
    return new


class RouterState(AgentState[Any]):
    """What the middleware keeps in the agent's state: plain text, never part of the agent's input or output."""

    router_session: NotRequired[Annotated[str | None, PrivateStateAttr, _latest]]
    router_escalation: NotRequired[Annotated[str | None, PrivateStateAttr, _latest]]


class RouterMiddleware(AgentMiddleware[RouterState, Any, Any]):
    """Routes an agent's model calls. None leaves a choice to the agent's model, and that to the policy.

    An agent's own `ChatQwenRouter` is used with the options given here on top; any other model is replaced by `chat`, or by
    a `ChatQwenRouter` that uses `router`. `model`, `policy`, `objective`, `thinking` and `thinking_budget_tokens` are that
    model's options. `tool_filter(request)` says which tools are offered at a call: those called in this turn or the last
    stay whatever it says, and all stay where it fails. Each message tells in `response_metadata["router"]["middleware"]`
    what was done. Keeps nothing of its own, so that one may serve many threads and agents.

    Raises `UnknownName`, `InvalidPolicy` or `InvalidRequest` for an option that is none.
    """

    state_schema = RouterState

    def __init__(
        self,
        *,
        chat: ChatQwenRouter | None = None,
        router: Router | None = None,
        model: str | None = None,
        policy: Policy | str | None = None,
        objective: ObjectiveName | None = None,
        thinking: bool | None = None,
        thinking_budget_tokens: int | None = None,
        tool_filter: ToolFilter | None = None,
    ) -> None:
        super().__init__()
        if chat is not None and router is not None:
            raise InvalidRequest(
                "both chat and router are given", fix="give the router to the ChatQwenRouter: chat alone is enough"
            )
        if objective is not None and objective not in OBJECTIVES:
            raise UnknownName.among(str(objective), OBJECTIVES, kind="objective")
        if tool_filter is not None and not callable(tool_filter):
            raise InvalidRequest(f"tool_filter is {tool_filter!r}", fix="give a function of the request that returns tools")
        if isinstance(policy, str):
            policy = Policy.load(policy)
        self.tools = ()
        self.tool_filter = tool_filter
        self.chat = chat or ChatQwenRouter(router=router)
        given = {
            "model": model,
            "policy": policy,
            "objective": objective,
            "thinking": thinking,
            "thinking_budget_tokens": thinking_budget_tokens,
        }
        self.options = {name: value for name, value in given.items() if value is not None}

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ExtendedModelResponse[Any]:
        """Make the call through the router. Raises what the router raises (`qwen_router.errors`)."""
        routed = self._routed(request)
        return routed.told(handler(routed.request))

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ExtendedModelResponse[Any]:
        """`wrap_model_call`, asynchronous."""
        routed = self._routed(request)
        return routed.told(await handler(routed.request))

    def _routed(self, request: ModelRequest[Any]) -> _Routed:
        """The request as the router's model gets it: what another middleware set for this call stays on top."""
        state: Mapping[str, Any] = request.state
        kept = state.get("router_session")
        settings = {**self.options, **request.model_settings}
        settings.setdefault("session", kept or uuid.uuid4().hex)
        escalation = settings.get("escalation") or state.get("router_escalation")
        if escalation is not None:
            settings["escalation"] = escalation
        tools, filtered = self._offered(request)
        settings.setdefault("hideable_tools", sorted(_names(tools)))  # not those that structure adds behind us
        model = request.model if isinstance(request.model, ChatQwenRouter) else self.chat
        return _Routed(
            request.override(model=model, tools=tools, model_settings=settings),
            session=str(settings["session"]),
            new_session=kept != settings["session"],
            escalated=state.get("router_escalation") is not None,
            filtered=filtered,
            left_out=_names(request.tools) - _names(tools),
        )

    def _offered(self, request: ModelRequest[Any]) -> tuple[list[AnyTool], str | None]:
        """The tools that the filter leaves, with those in use, and what is to be said about it."""
        every = list(request.tools)
        if self.tool_filter is None or not every:
            return every, None
        try:
            wanted = {chosen if isinstance(chosen, str) else _name(chosen) for chosen in self.tool_filter(request)}
        except Exception as error:  # the filter is the user's code: whatever it raises, the agent goes on with all tools
            _log.warning("the tool filter failed with %s: all tools stay", type(error).__name__)
            return every, f"the tool filter failed ({type(error).__name__}): all {len(every)} tools stay"
        kept = [tool for tool in every if _name(tool) in wanted | _recent(request) or _name(tool) is None]
        if not kept:
            return every, f"the tool filter left none: all {len(every)} tools stay"
        return kept, None if len(kept) == len(every) else f"{len(kept)} of {len(every)} tools left by the tool filter"


@dataclass(frozen=True)
class _Routed:
    """A request on its way, and what is to be said about it on the message that comes back."""

    request: ModelRequest[Any]
    session: str
    new_session: bool
    escalated: bool
    filtered: str | None
    left_out: set[str]

    def told(self, response: ModelResponse[Any]) -> ExtendedModelResponse[Any]:
        """The response with our part of the trace on its message, and the state's keys as they are now."""
        result = [self._traced(message) if isinstance(message, AIMessage) else message for message in response.result]
        update: dict[str, str | None] = {}
        if self.new_session:
            update["router_session"] = self.session
        if self.escalated:  # answered by another now, and the session stays with that one
            update["router_escalation"] = None
        answered: ModelResponse[Any] = ModelResponse(result=result, structured_response=response.structured_response)
        return ExtendedModelResponse(answered, Command(update=update) if update else None)

    def _traced(self, message: AIMessage) -> BaseMessage:
        """A copy: the message itself may lie in a cache."""
        about = message.response_metadata.get("router") or {}
        trace = {
            "session": self.session,
            "escalation": about.get("escalation"),
            "tools_hidden": [*sorted(self.left_out), *about.get("hidden_tools", ())],
            "tool_filter": self.filtered,
        }
        metadata = {**message.response_metadata, "router": {**about, "middleware": trace}}
        return message.model_copy(update={"response_metadata": metadata})


def _recent(request: ModelRequest[Any]) -> set[str]:
    """Tools that were called since the last but one message of a person, and the one that the call must use."""
    names = {request.tool_choice} if isinstance(request.tool_choice, str) else set()
    turns = 0
    for message in reversed(request.messages):
        names |= {call["name"] for call in getattr(message, "tool_calls", ())}
        turns += message.type == "human"
        if turns == 2:
            break
    return names


def _names(tools: Sequence[AnyTool]) -> set[str]:
    return {name for tool in tools if (name := _name(tool)) is not None}


def _name(tool: AnyTool) -> str | None:
    """A tool's name; None for a server's own tool that has none."""
    if isinstance(tool, BaseTool):
        return tool.name
    name = tool.get("function", tool).get("name")
    return name if isinstance(name, str) else None
