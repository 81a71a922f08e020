"""Remembers which endpoint answered a conversation last, so that the next turn meets its cache there.

A conversation is known by a keyed hash of its messages so far, made with a secret of this process and the user's name: no
text is kept, and nobody is sent where another user's conversation lies because it begins with the same words. Which
endpoint is then taken, load considered, is `decide`'s business.

    python -c "from qwen_router.engines.holders import Holders; print(len(Holders()))"
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from hashlib import blake2b

from qwen_router.request import Message, Request

MAX_CONVERSATIONS = 10_000
"""Of more, those not seen for longest are forgotten."""
Holder = tuple[str, str, str]
"""Engine, endpoint, and the name of the model there."""


class Holders:
    """Safe to share between threads."""

    def __init__(self, *, limit: int = MAX_CONVERSATIONS) -> None:
        self._limit = limit
        self._secret = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._held: OrderedDict[bytes, Holder] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def note(self, request: Request, holder: Holder) -> None:
        """`holder` has read these messages and may still have them in its cache."""
        *_, key = self._keys(request.user, request.messages)
        with self._lock:
            self._held[key] = holder
            self._held.move_to_end(key)
            while len(self._held) > self._limit:
                self._held.popitem(last=False)

    def of(self, request: Request) -> Holder | None:
        """Who answered the longest beginning of this conversation that is known; None for a new one."""
        if not self._held:
            return None
        keys = list(self._keys(request.user, request.messages))
        with self._lock:
            return next((self._held[key] for key in reversed(keys) if key in self._held), None)

    def _keys(self, user: str | None, messages: Sequence[Message]) -> Iterator[bytes]:
        """One for each beginning of the conversation, the whole of it last."""
        state = blake2b(key=self._secret, digest_size=16)
        state.update(repr(user).encode("utf-8", "surrogatepass"))
        for message in messages:
            ends = (f"{len(a.source)} {a.source[:64]} {a.source[-64:]}" for a in message.attachments)  # payloads are big
            for part in (message.role, message.text, *ends):
                data = part.encode("utf-8", "surrogatepass")
                state.update(b"%d:" % len(data))
                state.update(data)
            yield state.copy().digest()
