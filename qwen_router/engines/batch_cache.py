"""Joins the caches of several sequences into one padded cache and takes rows out again, for `batch_loop.py`.

Shorter sequences are padded on the left, so that the next token of all stands in the same column. Knows the two kinds of
layer that Qwen's text models have: attention over everything, and linear attention (a state of fixed size). A cache with
any other layer (sliding window) is left as it is, and `joinable` says so.

    python -c "from qwen_router.engines.batch_cache import ROOM_TOKENS; print(ROOM_TOKENS)"
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

ROOM_TOKENS = 256
"""Columns that a cache grows by. transformers' own layer copies itself at every token instead."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a cache, by number, and how many tokens each of them holds."""

    cache: Any
    rows: tuple[int, ...]
    lengths: tuple[int, ...]


def new_cache(model: Any) -> Any:
    """An empty cache for one sequence; its attention layers grow in steps."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    cache = DynamicCache(config=model.config)
    cache.layers = [_roomy_layer()() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def joinable(cache: Any) -> bool:
    """Whether every layer is of a kind that `joined` knows."""
    from transformers.cache_utils import LinearAttentionLayer

    return all(type(layer) in (_roomy_layer(), LinearAttentionLayer) for layer in cache.layers)


def joined(parts: Sequence[Part], *, keep: bool = False) -> Any:
    """One cache of all these rows, in their order, as wide as the longest of them.

    The old layers are emptied one by one, so that both never stand in memory together; `keep` leaves them as they are.
    """
    cache = copy.copy(parts[0].cache)
    cache.layers = []
    for index in range(len(parts[0].cache.layers)):
        olds = [part.cache.layers[index] for part in parts]
        new = copy.copy(olds[0])
        if isinstance(new, _roomy_layer()):
            new.hold([(old, part.rows, part.lengths) for old, part in zip(olds, parts, strict=True)])
        else:
            _join_states(new, [(old, part.rows) for old, part in zip(olds, parts, strict=True)])
        cache.layers.append(new)
        if not keep:
            for part in parts:
                part.cache.layers[index] = None
    return cache


def held_bytes(cache: Any) -> int:
    """Bytes of keys and values, without the room to grow."""
    layers = [layer for layer in cache.layers if getattr(layer, "keys", None) is not None]
    return sum(t.numel() * t.element_size() for layer in layers for t in (layer.keys, layer.values))


def _join_states(new: Any, olds: Sequence[tuple[Any, tuple[int, ...]]]) -> None:
    """Linear attention: every row's state has the same size, whatever its length."""
    import torch

    for name in ("conv_states", "recurrent_states"):
        states = {
            number: state if state is None else torch.cat([getattr(old, name)[number][list(rows)] for old, rows in olds])
            for number, state in getattr(new, name).items()
        }
        setattr(new, name, states)


@lru_cache(maxsize=1)
def _roomy_layer() -> Any:
    """The layer's class, made when transformers is there."""
    from transformers.cache_utils import DynamicLayer

    class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]  # its __init_subclass__ has no types
        """`keys` and `values` are the front of larger tensors: a token more is written behind them, nothing is copied."""

        _all_keys: Any = None
        _all_values: Any = None

        def update(self, key_states: Any, value_states: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
            length = self.get_seq_length()
            end = length + key_states.shape[-2]
            if self._all_keys is None or end > self._all_keys.shape[-2]:
                self.dtype, self.device, self.is_initialized = key_states.dtype, key_states.device, True
                self._all_keys = _longer(self.keys if length else None, key_states, end + ROOM_TOKENS)
                self._all_values = _longer(self.values if length else None, value_states, end + ROOM_TOKENS)
            self._all_keys[..., length:end, :] = key_states
            self._all_values[..., length:end, :] = value_states
            self.keys, self.values = self._all_keys[..., :end, :], self._all_values[..., :end, :]
            return self.keys, self.values

        def hold(self, parts: Sequence[tuple[Any, tuple[int, ...], tuple[int, ...]]]) -> None:
            """Become these rows of other layers, pushed to the right end of as many columns as the longest needs."""
            columns = max(max(lengths) for _, _, lengths in parts)
            self._all_keys = _side_by_side([(layer.keys, rows, n) for layer, rows, n in parts], columns)
            self._all_values = _side_by_side([(layer.values, rows, n) for layer, rows, n in parts], columns)
            self.keys, self.values = self._all_keys[..., :columns, :], self._all_values[..., :columns, :]

    return RoomyLayer


def _longer(old: Any, like: Any, columns: int) -> Any:
    new = like.new_zeros((*like.shape[:2], columns, like.shape[-1]))
    if old is not None:
        new[..., : old.shape[-2], :] = old
    return new


def _side_by_side(parts: Sequence[tuple[Any, tuple[int, ...], tuple[int, ...]]], columns: int) -> Any:
    """Rows of tensors (rows, heads, columns, width) in one: zeros on the left of shorter ones, room on the right."""
    like, count = parts[0][0], sum(len(rows) for _, rows, _ in parts)
    out = like.new_zeros((count, like.shape[1], columns + ROOM_TOKENS, like.shape[-1]))
    at = 0
    for tensor, rows, lengths in parts:
        used = max(lengths)
        for row in rows:
            out[at, :, columns - used : columns] = tensor[row, :, tensor.shape[-2] - used :]
            at += 1
    return out
