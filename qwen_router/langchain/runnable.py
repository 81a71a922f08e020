"""RouterRunnable: the decision as a step of a chain. A request goes in, a `Decision` comes out, nothing is answered.

For chains that branch on which model would answer, on its cost or on the kind of request; what answers is `ChatQwenRouter`.

    python -c "from qwen_router.langchain import RouterRunnable; print(RouterRunnable().invoke('What is 12 + 30?').reason)"
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import ConfigDict, Field, PrivateAttr

from qwen_router.decide import Decision
from qwen_router.errors import MissingExtra
from qwen_router.policy import ObjectiveName, Policy
from qwen_router.request import Request, RequestLike, pin_of
from qwen_router.router import Router, shared_router

try:
    from langchain_core.runnables import RunnableConfig, RunnableSerializable
except ModuleNotFoundError as error:
    raise MissingExtra.of("langchain-core", extra="langchain") from error


class RouterRunnable(RunnableSerializable[RequestLike, Decision]):
    """Decides. Takes text, messages (LangChain's, OpenAI's), chat bodies, prompt values and `Request`s.

    `model` pins a model by name ("auto" routes, "auto:fast" names a policy); a pin in the request itself is kept. `policy`
    is a policy's name or a `Policy`, `objective` is put into it; None leaves both to the router. `answering`: only what an
    engine serves now is considered. All may be set with `configurable_fields`. That nothing fits is a decision without
    `chosen`; `InvalidRequest`, `InvalidPolicy` and `UnknownName` are raised. LangChain has a class of the same name for
    another thing: it picks one of several runnables by a key.
    """

    model: str = "auto"
    policy: Policy | str | None = None
    objective: ObjectiveName | None = None
    answering: bool = False
    router: Router | None = Field(default=None, exclude=True, repr=False)

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    _policies: dict[str, Policy | None] = PrivateAttr(default_factory=dict)

    def invoke(self, input: RequestLike, config: RunnableConfig | None = None, **kwargs: Any) -> Decision:
        return self._call_with_config(self._route, input, config, run_type="chain", **kwargs)

    async def ainvoke(self, input: RequestLike, config: RunnableConfig | None = None, **kwargs: Any) -> Decision:
        return await self._acall_with_config(self._aroute, input, config, run_type="chain", **kwargs)

    def _route(self, request: RequestLike) -> Decision:
        router = self._router()
        return router.route(self._request(request), policy=self._policy(router), answering=self.answering)

    async def _aroute(self, request: RequestLike) -> Decision:
        router = self._router()
        return await router.aroute(self._request(request), policy=self._policy(router), answering=self.answering)

    def _request(self, request: RequestLike) -> Request:
        parsed = Request.of(request)
        pin = pin_of(self.model)
        if parsed.wishes.model is not None or pin is None:
            return parsed
        return parsed.with_wishes(replace(parsed.wishes, model=pin))

    def _policy(self, router: Router) -> Policy | None:
        """The policy, read once an instance; None for the router's own."""
        head, _, tail = self.model.partition(":")
        named = tail if head == "auto" and tail else self.policy
        key = f"{named!r} {self.objective}"
        if key not in self._policies:
            policy = Policy.load(named) if isinstance(named, str) else named
            if self.objective is not None:
                policy = (policy or router.policy).with_objective(self.objective)
            self._policies[key] = policy
        return self._policies[key]

    def _router(self) -> Router:
        return self.router or shared_router()

    @property
    def InputType(self) -> Any:  # LangChain's name
        return Any

    @property
    def OutputType(self) -> type[Decision]:  # LangChain's name
        return Decision

    @classmethod
    def is_lc_serializable(cls) -> bool:
        return True

    @classmethod
    def get_lc_namespace(cls) -> list[str]:
        """Where the public name is imported from, whatever file holds it."""
        return ["qwen_router", "langchain"]
