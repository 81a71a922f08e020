"""Computes the scores of the next token with a loaded transformers model: what `token_loop.py` asks of torch.

Keeps the cache of one generation. Draws nothing, counts nothing.

    python -c "from qwen_router.engines.torch_steps import TorchSteps; print(TorchSteps.__call__.__doc__)"
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from qwen_router.engines.sampler import Scores


class TorchSteps:
    """One sequence with its cache. `cpu_threads` is None on an accelerator."""

    def __init__(self, model: Any, *, cpu_threads: int | None) -> None:
        import torch
        from transformers import DynamicCache

        self._torch, self._model, self._cpu_threads = torch, model, cpu_threads
        self._cache = DynamicCache(config=model.config)

    def __call__(self, ids: tuple[int, ...]) -> Scores:
        """Put ids into the cache and give the scores of the next token."""
        torch = self._torch
        with torch.inference_mode(), self._threads():
            tokens = torch.tensor([ids], device=self._model.device)
            out = self._model(input_ids=tokens, past_key_values=self._cache, use_cache=True, logits_to_keep=1)
            scores: Scores = out.logits[0, -1].float().cpu().numpy()
        return scores

    @contextmanager
    def _threads(self) -> Iterator[None]:
        """torch's thread count belongs to the whole process, so it is set for the one step only."""
        before = self._torch.get_num_threads()
        if self._cpu_threads in (None, before):
            yield
            return
        self._torch.set_num_threads(self._cpu_threads)
        try:
            yield
        finally:
            self._torch.set_num_threads(before)
