"""The ASGI application: paths, the key, limits, and one place where errors become answers.

Which model answers is the router's decision and how a reply is written a wire's; here they are only joined.

    python -c "from qwen_router.service import create_app; print(create_app.__doc__)"
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from qwen_router import __version__
from qwen_router.decide import Decision, decision_line
from qwen_router.decide.summary import summary_data
from qwen_router.errors import InvalidRequest, RouterError, UnknownName
from qwen_router.policy import Policy
from qwen_router.profile import inspect, profile_line
from qwen_router.reply_stream import ReplyStream
from qwen_router.request import Request
from qwen_router.router import Router
from qwen_router.service import listing
from qwen_router.service.body import MAX_BODY_BYTES, encode, flag, read_object
from qwen_router.service.ollama_wire import OllamaWire, timestamp
from qwen_router.service.openai_wire import OpenAIWire, check_supported
from qwen_router.service.policies import PolicyShelf, policy_of_model
from qwen_router.service.problems import WrongKey, WrongMethod, error_response, expected_only, unknown_path
from qwen_router.service.turn import StreamedReply, Turn, WhileConnected, WholeReply, Wire

Body = Mapping[str, Any]
Handler = Callable[[HttpRequest], Awaitable[Response]]
CLIENT_GONE = 499


def create_app(
    router: Router, *, api_key: str | None = None, max_body_bytes: int = MAX_BODY_BYTES, close_router: bool = False
) -> Starlette:
    """The service in front of `router`. With `api_key`, every path but `/health` asks for it; `close_router` frees the
    engines when the application ends."""
    doors = Doors(router, max_body_bytes=max_body_bytes, open_to_all=api_key is None)
    middleware = [] if api_key is None else [Middleware(KeyGuard, api_key=api_key)]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        if close_router:
            router.close()

    return Starlette(
        routes=doors.routes(),
        middleware=middleware,
        exception_handlers={HTTPException: doors.no_such_door},
        lifespan=lifespan,
    )


class Doors:
    """The endpoints."""

    def __init__(self, router: Router, *, max_body_bytes: int, open_to_all: bool) -> None:
        self.router = router
        self.policies = PolicyShelf()
        self._max_body_bytes = max_body_bytes
        self._open_to_all = open_to_all
        self._since_s = int(time.time())
        self._since = timestamp()
        self._paths: tuple[str, ...] = ()

    def routes(self) -> list[Route]:
        doors: list[tuple[str, str, Handler]] = [
            ("POST", "/v1/chat/completions", self.openai_chat),
            ("POST", "/api/chat", self.ollama_chat),
            ("POST", "/v1/route", self.route),
            ("POST", "/v1/classify", self.classify),
            ("GET", "/v1/models", self.openai_models),
            ("GET", "/v1/models/{name:path}", self.openai_model),
            ("GET", "/api/tags", self.ollama_tags),
            ("GET", "/api/version", self.ollama_version),
            ("GET", "/health", self.health),
        ]
        self._paths = tuple(path for _, path, _ in doors if "{" not in path)
        return [Route(path, _guarded(handler), methods=[method]) for method, path, handler in doors]

    # ── replies ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def openai_chat(self, request: HttpRequest) -> Response:
        body = await self._body(request)
        started = time.perf_counter()
        check_supported(body)
        streamed = flag(body, "stream", default=False)
        return await self._answer(request, body, lambda s: OpenAIWire(s, body), streamed=streamed, started=started)

    async def ollama_chat(self, request: HttpRequest) -> Response:
        body = await self._body(request)
        started = time.perf_counter()
        streamed = flag(body, "stream", default=True)
        return await self._answer(request, body, OllamaWire, streamed=streamed, started=started)

    async def _answer(
        self, request: HttpRequest, body: Body, wire: Callable[[ReplyStream], Wire], *, streamed: bool, started: float
    ) -> Response:
        policy = self._policy(body)
        async with WhileConnected(request.receive):
            turn = await Turn.open(self.router, body, policy=policy, started=started)
            if streamed:
                return StreamedReply(turn, wire(turn.stream))
            return await WholeReply.of(turn, wire(turn.stream))
        return Response(status_code=CLIENT_GONE)  # nobody reads it

    # ── advice ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def route(self, request: HttpRequest) -> Response:
        """The line of `qwen-router route`, by the same call. `answering` asks what a chat request would get, `explain` for
        every candidate's verdict."""
        body = await self._body(request)
        policy = self._policy(body)
        decision = await self.router.aroute(body, policy=policy, answering=flag(body, "answering", default=False))
        line = {**_id_of(body), **decision_line(decision), "profile": profile_line(decision.profile)}
        if flag(body, "explain", default=False):
            line["explanation"] = summary_data(decision)
            line["verdicts"] = _verdicts(decision)
        return _json(line)

    async def classify(self, request: HttpRequest) -> Response:
        body = await self._body(request)
        return _json({**_id_of(body), **profile_line(inspect(Request.of(body)))})

    # ── what there is ───────────────────────────────────────────────────────────────────────────────────────────────

    async def openai_models(self, request: HttpRequest) -> Response:
        rows = await listing.openai_models(self.router, policies=self.policies.names(), since=self._since_s)
        return _json({"object": "list", "data": list(rows.values())})

    async def openai_model(self, request: HttpRequest) -> Response:
        rows = await listing.openai_models(self.router, policies=self.policies.names(), since=self._since_s)
        name = request.path_params["name"]
        if name not in rows:
            raise UnknownName.among(name[:200], rows, kind="model", listing="GET /v1/models lists them")
        return _json(rows[name])

    async def ollama_tags(self, request: HttpRequest) -> Response:
        return _json({"models": await listing.ollama_tags(self.router, policies=self.policies.names(), since=self._since)})

    async def ollama_version(self, request: HttpRequest) -> Response:
        return _json(listing.version_body())

    async def health(self, request: HttpRequest) -> Response:
        """That the service runs; which engines answer is told only where no key guards the rest."""
        state: dict[str, Any] = {"status": "ok", "version": __version__}
        if self._open_to_all:
            state |= {"policy": self.router.policy.name, **await listing.engines_state(self.router)}
        return _json(state)

    # ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def no_such_door(self, request: HttpRequest, error: Exception) -> Response:
        """404 and 405 in the words of the API asked."""
        path = request.url.path
        status = error.status_code if isinstance(error, HTTPException) else 500
        headers = error.headers if isinstance(error, HTTPException) else None
        if status == WrongMethod.http_status:
            allowed = (headers or {}).get("Allow", "another method")
            problem: RouterError = WrongMethod(f"{request.method} is not for {path[:200]!r}", fix=f"use {allowed}")
        else:
            problem = unknown_path(path, self._paths)
        return error_response(problem, path=path, headers=headers)

    async def _body(self, request: HttpRequest) -> dict[str, Any]:
        body = await read_object(request, max_body_bytes=self._max_body_bytes)
        model = body.get("model")
        if model is not None and not isinstance(model, str):
            raise InvalidRequest("model is no text", fix="send a name that GET /v1/models lists, or auto")
        if model == "":
            raise InvalidRequest("model is empty", fix="send a name that GET /v1/models lists, or auto")
        return body

    def _policy(self, body: Body) -> Policy | None:
        """The policy that the body names (`policy`, or a model name `auto:...`); None is the router's own."""
        named = body.get("policy")
        if named is None:
            named = policy_of_model(body.get("model") or "auto")
        if named is not None and not isinstance(named, str):
            raise InvalidRequest("policy is no text", fix="send the name of a policy, or leave it out")
        return None if named is None else self.policies.get(named)


class KeyGuard:
    """Lets through who sends `Authorization: Bearer <key>`, and everybody to `/health`."""

    def __init__(self, app: ASGIApp, api_key: str) -> None:
        self._app = app
        self._key = api_key.encode("utf-8")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == "/health" or self._knows(scope):
            await self._app(scope, receive, send)
            return
        problem = WrongKey("the API key is missing or wrong", fix="send the header Authorization: Bearer <key>")
        response = error_response(problem, path=scope["path"], headers={"www-authenticate": "Bearer"})
        await response(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        sent = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, key = sent.partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(key.strip(), self._key)


def _guarded(handler: Handler) -> Handler:
    """`handler`, with every error turned into an answer in the words of the API asked."""

    async def endpoint(request: HttpRequest) -> Response:
        try:
            return await handler(request)
        except (ClientDisconnect, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError):
                raise
            return Response(status_code=CLIENT_GONE)
        except Exception as error:  # the border: no traceback and no text of a request may leave here
            return error_response(expected_only(error), path=request.url.path)

    return endpoint


def _json(value: object) -> Response:
    return Response(encode(value), media_type="application/json")


def _id_of(body: Body) -> dict[str, Any]:
    return {"id": body["id"]} if "id" in body else {}


def _verdicts(decision: Decision) -> list[dict[str, Any]]:
    return [
        {
            "model": verdict.candidate.build.model.id,
            "candidate": verdict.candidate.label,
            "engine": verdict.candidate.build.engine,
            "fate": verdict.fate,
            "cause": verdict.cause,
            "reason": verdict.reason,
        }
        for verdict in decision.verdicts()
    ]
