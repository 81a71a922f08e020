"""The errors a caller may catch, each with one thing to try.

Every room raises these and only these across its border; what a foreign library raises is wrapped where it enters.
The command line turns them into one line on stderr and an exit code, the service into a status, in one place each.

    RouterError                 exit  HTTP
      InvalidRequest               2   400  the caller's input is wrong: a message, a file, a line of JSON
      InvalidPolicy                2   400  a policy file is wrong (tell its author: file, line, key)
      InvalidMachine               2   400  a machine file or preset name is wrong
      InvalidTool                  2   400  a tool file is wrong (tell its author: file, and what it raised or lacks)
      InvalidTemplate              2   400  a prompt template's file is wrong (tell its author: file, line, key)
      UnknownName                  2   404  no model, policy, engine, quantisation of that name (close matches named)
      CatalogError                 1   500  a catalog row is wrong (tell the maintainers)
      MissingExtra                 1   501  an optional package is not installed
      NoModelFits                  3   422  nothing can serve the request here
      NotEnoughDisk                3   507  what is to be downloaded has no room
      EngineError                  1   502  the engine failed after a sound decision
        EngineUnreachable          4   503  nobody answers there; worth a retry
          EngineBusy               4   503  it takes no more now; `retry_after_s` says when to come again, where it is known
        EngineTimeout              4   504  it answers, but not in time; worth a retry
        EngineRefused              1   502  it understood and said no (unknown model, bad parameter)
        EngineNonsense             1   502  it answered what its protocol does not allow
        ContextTruncated           1   502  it cut the prompt without saying so

    python -c "from qwen_router.errors import UnknownName; print(UnknownName.among('qwen3:8', ['qwen3:8b'], kind='model'))"
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import ClassVar, Self


class RouterError(Exception):
    """The base of everything raised on purpose. `fix` is one thing that the reader can do now."""

    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(self, problem: str, *, fix: str) -> None:
        super().__init__(f"{problem} (try: {fix})")
        self.problem = problem
        self.fix = fix


class InvalidRequest(RouterError):
    exit_code = 2
    http_status = 400


class InvalidPolicy(RouterError):
    exit_code = 2
    http_status = 400


class InvalidMachine(RouterError):
    exit_code = 2
    http_status = 400


class InvalidTool(RouterError):
    exit_code = 2
    http_status = 400


class InvalidTemplate(RouterError):
    exit_code = 2
    http_status = 400


class UnknownName(RouterError):
    """`name` is not one of the known names; `close` holds up to three that look like it."""

    exit_code = 2
    http_status = 404

    def __init__(self, problem: str, *, fix: str, name: str = "", close: tuple[str, ...] = ()) -> None:
        super().__init__(problem, fix=fix)
        self.name = name
        self.close = close

    @classmethod
    def among(cls, name: str, known: Iterable[str], *, kind: str, listing: str | None = None) -> Self:
        """Build the error for `name`, naming close matches, else the command or set that lists what is known."""
        by_lower = {candidate.lower(): candidate for candidate in known}
        starts = sorted(other for other in by_lower if len(name) > 2 and other.startswith(name.lower()))
        hits = [*starts, *get_close_matches(name.lower(), by_lower, n=3, cutoff=0.5)]
        close = tuple(by_lower[hit] for hit in dict.fromkeys(hits))[:3]
        if close:
            fix = "did you mean " + ", ".join(repr(c) for c in close) + "?"
        else:
            fix = listing or "one of " + ", ".join(sorted(by_lower.values())[:12])
        return cls(f"no {kind} is called {name!r}", fix=fix, name=name, close=close)


class CatalogError(RouterError):
    pass


class MissingExtra(RouterError):
    http_status = 501

    @classmethod
    def of(cls, package: str, *, extra: str) -> Self:
        return cls(f"{package!r} is not installed", fix=f'pip install "qwen-router[{extra}]"')


class NoModelFits(RouterError):
    exit_code = 3
    http_status = 422


class NotEnoughDisk(RouterError):
    exit_code = 3
    http_status = 507


@dataclass(frozen=True, slots=True)
class Partial:
    """What a reply had given before it broke."""

    answer: str = ""
    reasoning: str = ""


class EngineError(RouterError):
    """`engine` and `endpoint` say which; the decision that led there stays valid.

    `again` says that the same endpoint may be asked once more as long as it has answered nothing; `retry_after_s` is how
    long the server wants to be left alone first. `partial` is what the caller had got already, None when it was nothing.
    """

    http_status = 502
    again: bool = False

    def __init__(
        self,
        problem: str,
        *,
        fix: str,
        engine: str = "",
        endpoint: str = "",
        again: bool | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(problem, fix=fix)
        self.engine = engine
        self.endpoint = endpoint
        self.retry_after_s = retry_after_s
        self.partial: Partial | None = None
        if again is not None:
            self.again = again


class EngineUnreachable(EngineError):
    exit_code = 4
    http_status = 503
    again = True


class EngineBusy(EngineUnreachable):
    pass


class EngineTimeout(EngineError):
    exit_code = 4
    http_status = 504


class EngineRefused(EngineError):
    pass


class EngineNonsense(EngineError):
    pass


class ContextTruncated(EngineError):
    pass
