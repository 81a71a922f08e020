"""Caches that several sequences of different lengths share, for `batch_loop.py`: rows are put in, stepped and taken out.

Every row starts in the first column, so joining moves nothing, and a row's token is written behind its own last one. What
attention sees is always a multiple of 64 columns wide, the rest of it masked, with one row as with many: kernels then add up
the same numbers in the same order, whoever else is in the batch. Knows the two kinds of layer that Qwen's text models have:
attention over everything, and linear attention (a state of fixed size). `joinable` says whether a cache has no other
(sliding windows), and an attention that takes a mask for each row.

    python -c "from qwen_router.engines.batch_cache import COLUMNS; print(COLUMNS)"
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

COLUMNS = 64
"""What the width that attention sees is a multiple of: more than any vector unit, so that no sum is split elsewhere."""
ROOM_TOKENS = 256
"""Columns that a cache grows by. transformers' own layer copies itself at every token instead."""
_MASKED = ("sdpa", "eager")
"""Attentions that take a mask for each row; with another one, calls take turns."""


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

    cache: Any = DynamicCache(config=model.config)
    cache.layers = [_row_layer()() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    cache.masked = model.config.get_text_config()._attn_implementation in _MASKED
    return cache


def joinable(cache: Any) -> bool:
    """Whether every layer is of a kind that `joined` knows, and attention can tell the rows' lengths apart."""
    from transformers.cache_utils import LinearAttentionLayer

    return bool(cache.masked) and all(type(layer) in (_row_layer(), LinearAttentionLayer) for layer in cache.layers)


def step_inputs(cache: Any, lengths: Sequence[int], *, device: Any, dtype: Any) -> dict[str, Any]:
    """What the model is told for one more token in each row, and the layers where to write it."""
    import torch

    width = _rounded(max(lengths) + 1)
    ends = torch.tensor(lengths, device=device)
    visible = torch.arange(width, device=device) <= ends[:, None]
    hidden = torch.zeros((len(lengths), 1, 1, width), dtype=dtype, device=device)
    mask: Any = hidden.masked_fill(~visible[:, None, None], torch.finfo(dtype).min)
    if any(type(layer) is not _row_layer() for layer in cache.layers):
        mask = {"full_attention": mask, "linear_attention": None}
    for layer in cache.layers:
        if isinstance(layer, _row_layer()):
            layer.next = _Next(tuple(lengths), ends, width)
    return {"position_ids": ends[:, None], "attention_mask": mask}


@dataclass(frozen=True, slots=True)
class _Next:
    """Where the next token of each row goes (`lengths`, and as a tensor), and how many columns attention sees."""

    lengths: tuple[int, ...]
    ends: Any
    width: int


def joined(parts: Sequence[Part], *, keep: bool = False) -> Any:
    """One cache of all these rows, in their order.

    The old layers are emptied one by one, so that both never stand in memory together; `keep` leaves them as they are.
    """
    cache = copy.copy(parts[0].cache)
    cache.layers = []
    for index in range(len(parts[0].cache.layers)):
        olds = [part.cache.layers[index] for part in parts]
        new = copy.copy(olds[0])
        if isinstance(new, _row_layer()):
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
def _row_layer() -> Any:
    """The layer's class, made when transformers is there."""
    from transformers.cache_utils import DynamicLayer

    class RowLayer(DynamicLayer):  # type: ignore[no-untyped-call]  # its __init_subclass__ has no types
        """`keys` and `values` are the front of larger tensors: tokens are written behind them, nothing is copied.

        With `next` set, one token is written to each row and `next.width` columns are given to attention; without it, any
        number of tokens to the one row that there is, and attention gets what is filled.
        """

        next: _Next | None = None
        _all_keys: Any = None
        _all_values: Any = None

        def update(self, key_states: Any, value_states: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
            step, self.next = self.next, None
            end = max(step.lengths) + 1 if step else self.get_seq_length() + key_states.shape[-2]
            if self._all_keys is None or end > self._all_keys.shape[-2]:
                self.dtype, self.device, self.is_initialized = key_states.dtype, key_states.device, True
                self._all_keys = _longer(self._all_keys, key_states, _rounded(end + ROOM_TOKENS))
                self._all_values = _longer(self._all_values, value_states, _rounded(end + ROOM_TOKENS))
            if step:
                rows = range(len(step.lengths))
                self._all_keys[rows, :, step.ends] = key_states[:, :, 0]
                self._all_values[rows, :, step.ends] = value_states[:, :, 0]
            else:
                start = end - key_states.shape[-2]
                self._all_keys[..., start:end, :] = key_states
                self._all_values[..., start:end, :] = value_states
            self.keys, self.values = self._all_keys[..., :end, :], self._all_values[..., :end, :]
            if step is None:
                return self.keys, self.values
            return self._all_keys[..., : step.width, :], self._all_values[..., : step.width, :]

        def hold(self, parts: Sequence[tuple[Any, tuple[int, ...], tuple[int, ...]]]) -> None:
            """Become these rows of other layers."""
            end = max(max(lengths) for _, _, lengths in parts)
            self._all_keys = _stacked([(layer.keys, rows, n) for layer, rows, n in parts], _rounded(end + ROOM_TOKENS))
            self._all_values = _stacked([(layer.values, rows, n) for layer, rows, n in parts], _rounded(end + ROOM_TOKENS))
            self.keys, self.values = self._all_keys[..., :end, :], self._all_values[..., :end, :]

    return RowLayer


def _rounded(columns: int) -> int:
    return -(-columns // COLUMNS) * COLUMNS


def _longer(old: Any, like: Any, columns: int) -> Any:
    new = like.new_zeros((*like.shape[:2], columns, like.shape[-1]))
    if old is not None:
        new[..., : old.shape[-2], :] = old
    return new


def _stacked(parts: Sequence[tuple[Any, tuple[int, ...], tuple[int, ...]]], columns: int) -> Any:
    """Rows of tensors (rows, heads, columns, width) in one, each with as many of its columns as it has tokens."""
    like, count = parts[0][0], sum(len(rows) for _, rows, _ in parts)
    out = like.new_zeros((count, like.shape[1], columns, like.shape[-1]))
    at = 0
    for tensor, rows, lengths in parts:
        for row, length in zip(rows, lengths, strict=True):
            out[at, :, :length] = tensor[row, :, :length]
            at += 1
    return out
