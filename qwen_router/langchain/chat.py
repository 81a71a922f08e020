"""ChatQwenRouter: a LangChain chat model that is a router, so every call goes to the Qwen that suits it.

A thin door: messages and options become a `Request`, `Router.stream` decides and answers, events become message chunks.
Reasoning comes as standard content blocks (`message.content_blocks`), the decision in `message.response_metadata["router"]`,
errors are our own. Which model, whether it thinks and what is done when an engine fails are the router's business.

    python -c "from qwen_router.langchain import ChatQwenRouter; print(ChatQwenRouter().invoke('What is 12 + 30?').text)"
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from dataclasses import replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, model_validator

from qwen_router import __version__
from qwen_router.errors import InvalidRequest, MissingExtra, UnknownName
from qwen_router.langchain.messages import PROVIDER, Pieces, answered_before, body_message, last_chunk
from qwen_router.langchain.model_profile import profile_of
from qwen_router.langchain.parsers import whole_json, whole_pydantic
from qwen_router.policy import ObjectiveName, Policy
from qwen_router.profile.tokens import estimate_tokens
from qwen_router.request import Request, pin_of
from qwen_router.router import Router, shared_router
from qwen_router.settings import Settings

try:
    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.language_models import LanguageModelInput
    from langchain_core.language_models.base import LangSmithParams
    from langchain_core.language_models.chat_models import (
        BaseChatModel,
        agenerate_from_stream,
        generate_from_stream,
    )
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.output_parsers import BaseOutputParser
    from langchain_core.outputs import ChatGenerationChunk, ChatResult
    from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
    from langchain_core.tools import BaseTool
    from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
    from langchain_core.utils.pydantic import is_basemodel_subclass
except ModuleNotFoundError as error:
    raise MissingExtra.of("langchain-core", extra="langchain") from error


# Fields of the model that a single call may change, and the key of a chat body that each becomes.
_BODY_KEYS = {
    "thinking": "enable_thinking",
    "thinking_budget_tokens": "thinking_budget_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "max_tokens": "max_tokens",
    "max_latency_s": "max_latency_s",
    "seed": "seed",
}
_CALL_ONLY = ("tools", "tool_choice", "response_format", "session", "escalation", "hideable_tools")


class ChatQwenRouter(BaseChatModel):
    """A chat model that routes. Everything is optional; None leaves the choice to the policy.

    `model` pins a model by name ("auto" routes, "auto:fast" names a policy). `thinking` and `thinking_budget_tokens`
    say whether to think and for how long. `max_tokens` limits the answer, not the thinking. `max_retries` counts new
    attempts at an engine that was unreachable or busy (None: as the router's settings say); other models are tried by the
    policy's fallback in any case.
    `router` is the one to use; without it, all instances of a process share one per `timeout` and `api_key`.
    """

    model: str = "auto"
    policy: Policy | str | None = None
    objective: ObjectiveName | None = None
    thinking: bool | None = None
    thinking_budget_tokens: int | None = Field(default=None, ge=0)
    temperature: float | None = Field(default=None, ge=0)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_latency_s: float | None = Field(default=None, gt=0)
    seed: int | None = None
    stop: list[str] | None = None
    streaming: bool | None = None
    timeout: float | None = Field(default=None, gt=0)
    max_retries: int | None = Field(default=None, ge=0)
    api_key: SecretStr | None = Field(default_factory=lambda: _secret(Settings.from_environment().api_key))
    router: Router | None = Field(default=None, exclude=True, repr=False)

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    _policies: dict[tuple[Policy | str | None, str | None], Policy | None] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _leave_the_profile_open(self) -> Self:
        """What is served is asked when somebody wants to know: without a profile of its own, `__getattr__` finds it."""
        if self.profile is None:
            self.__dict__.pop("profile")
        return self

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """`profile`: what can be done with what is served now (`model_profile.py`)."""
            if name != "profile":
                return super().__getattr__(name)
            return profile_of(self._router(), self._policy({}), pin=self._pin)

    @model_validator(mode="after")
    def _set_qwen_router_version(self) -> Self:
        """Name our version in traces, as LangChain's partner packages do."""
        self._add_version("qwen-router", __version__)
        return self

    # ── answer ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, stop=stop, **kwargs))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return await agenerate_from_stream(self._astream(messages, stop=stop, **kwargs))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        request, policy = self._request(messages, stop, kwargs), self._policy(kwargs)
        stream = self._router().stream(request, policy=policy)
        pieces = Pieces()
        with closing(iter(stream)) as events:  # type: ignore[type-var]  # a generator
            for event in events:
                for chunk in pieces.of(event):
                    if run_manager:
                        run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk
        yield last_chunk(stream.reply)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        request, policy = self._request(messages, stop, kwargs), self._policy(kwargs)
        stream = await self._router().astream(request, policy=policy)
        pieces = Pieces()
        async with aclosing(aiter(stream)) as events:  # type: ignore[type-var]  # a generator
            async for event in events:
                for chunk in pieces.of(event):
                    if run_manager:
                        await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk
        yield last_chunk(stream.reply)

    # ── tools and structure ─────────────────────────────────────────────────────────────────────────────────────────

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | bool | dict[str, Any] | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Let the model call these tools: LangChain tools, functions, pydantic classes, TypedDicts, JSON Schemas.

        `tool_choice` is "auto", "none", "any" (or "required", True), or the name of the tool that must be called.
        """
        declared = [convert_to_openai_tool(tool, strict=strict) for tool in tools]
        names = [tool["function"]["name"] for tool in declared if "function" in tool]
        if tool_choice is True:
            tool_choice = "required"
        elif isinstance(tool_choice, str) and tool_choice not in ("auto", "none", "any", "required", *names):
            raise UnknownName.among(tool_choice, names, kind="tool")
        if tool_choice:
            kwargs["tool_choice"] = tool_choice
        return self.bind(tools=declared, **kwargs)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        include_raw: bool = False,
        method: Literal["json_schema", "function_calling", "json_mode"] = "json_schema",
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """Answers that are values of `schema`: by constrained decoding (the default), by a tool call, or as plain JSON."""
        if method == "function_calling":
            return super().with_structured_output(schema, include_raw=include_raw, strict=strict, **kwargs)
        if method not in ("json_schema", "json_mode"):
            raise UnknownName.among(method, ("json_schema", "function_calling", "json_mode"), kind="method")
        asked: dict[str, Any] = {"type": "json_object"}
        if method == "json_schema":
            wanted = convert_to_json_schema(schema, strict=strict)
            asked = {"type": "json_schema", "json_schema": {"name": wanted.get("title", "answer"), "schema": wanted}}
        model = self.bind(
            response_format=asked,
            ls_structured_output_format={"kwargs": {"method": method, "strict": strict}, "schema": schema},
            **kwargs,
        )
        parser: BaseOutputParser[Any] = whole_json()
        if isinstance(schema, type) and is_basemodel_subclass(schema):
            parser = whole_pydantic(schema)
        if not include_raw:
            return model | parser
        parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
        failed = RunnablePassthrough.assign(parsed=lambda _: None)
        return RunnableMap(raw=model) | parsed.with_fallbacks([failed], exception_key="parsing_error")

    # ── from LangChain's shapes to ours ─────────────────────────────────────────────────────────────────────────────

    def _request(self, messages: list[BaseMessage], stop: list[str] | None, options: Mapping[str, Any]) -> Request:
        """The request with the model's own wishes, the call's on top. Raises `InvalidRequest` for an unknown option."""
        known = {*_BODY_KEYS, *_CALL_ONLY, "model", "policy", "objective", "stream"}
        unknown = sorted(set(options) - known)
        if unknown:
            error = UnknownName.among(unknown[0], known, kind="option of ChatQwenRouter")
            raise InvalidRequest(error.problem, fix=error.fix)
        body: dict[str, Any] = {"messages": [body_message(message) for message in messages]}
        body |= {key: options[name] if name in options else getattr(self, name) for name, key in _BODY_KEYS.items()}
        body |= {name: options[name] for name in _CALL_ONLY if name in options}
        body["model"] = options.get("model") or self.model
        body["stop"] = stop or self.stop
        request = Request.of(body)
        if request.session is not None and request.in_tool_loop and (before := answered_before(messages)) is not None:
            self._router().recall(request.session, before)
        return request.with_wishes(replace(request.wishes, retries=self.max_retries))

    def _policy(self, options: Mapping[str, Any]) -> Policy | None:
        """The policy of this call, None for the router's own; files are read once an instance."""
        name, objective = options.get("policy", self.policy), options.get("objective", self.objective)
        head, _, tail = str(options.get("model") or self.model).partition(":")
        if head == "auto" and tail:
            name = tail
        if (name, objective) not in self._policies:
            policy = Policy.load(name) if isinstance(name, str) else name
            if objective is not None:
                policy = (policy or self._router().policy).with_objective(objective)
            self._policies[name, objective] = policy
        return self._policies[name, objective]

    def _router(self) -> Router:
        """The router given, or the one that this process shares."""
        if self.router is not None:
            return self.router
        settings = Settings.from_environment()
        key = self.api_key.get_secret_value() if self.api_key else None
        return shared_router(replace(settings, api_key=key, timeout_s=self.timeout or settings.timeout_s))

    @property
    def _pin(self) -> str | None:
        return pin_of(self.model)

    # ── what LangChain and LangSmith want to know ───────────────────────────────────────────────────────────────────

    @property
    def _llm_type(self) -> str:
        return PROVIDER

    @property
    def model_name(self) -> str:
        """The pin, or `auto`; which model answered is in the reply's `response_metadata`."""
        return self.model

    @property
    def _identifying_params(self) -> dict[str, Any]:
        names = ("model", "policy", "objective", *_BODY_KEYS, "stop")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        """What a cache tells models apart by: all wishes, a policy by what it says; not the session, which is a run's."""
        wishes = {**self._identifying_params, **{name: value for name, value in kwargs.items() if name != "session"}}
        if isinstance(policy := wishes.get("policy"), Policy):
            wishes["policy"] = policy.model_dump_json()
        return f"{PROVIDER} {sorted({**wishes, 'stop': stop or self.stop}.items())}"

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop or self.stop, **kwargs)
        params["ls_provider"] = PROVIDER
        return params

    def get_num_tokens(self, text: str) -> int:
        """Tokens that Qwen's tokenizer will make of it, estimated as the router does."""
        return estimate_tokens(text)

    @classmethod
    def is_lc_serializable(cls) -> bool:
        return True

    @classmethod
    def get_lc_namespace(cls) -> list[str]:
        """Where the public name is imported from, whatever file holds it."""
        return ["qwen_router", "langchain"]

    @property
    def lc_secrets(self) -> dict[str, str]:
        return {"api_key": "QWEN_ROUTER_API_KEY"}


def _secret(key: str | None) -> SecretStr | None:
    return None if key is None else SecretStr(key)
