"""Muon in single precision: momentum whose matrix updates are orthogonalised (Newton-Schulz).

torch.optim.Muon works in bfloat16, which a CPU without native support runs fifty times slower than float32.
The method and its three coefficients are Keller Jordan's, "Muon: an optimizer for hidden layers" (2024).

    python -c "import torch, training.nano_muon as m; print(m.orthogonalised(torch.randn(4, 8)) @ torch.eye(8))"
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalised(matrix: torch.Tensor, *, rounds: int = 5) -> torch.Tensor:
    """The nearest semi-orthogonal matrix, roughly: singular values are brought near 1."""
    first, second, third = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(rounds):
        square = x @ x.T
        x = first * x + (second * square + third * square @ square) @ x
    back: torch.Tensor = x.T if tall else x
    return back


class Muon(torch.optim.Optimizer):
    """For the matrices inside the layers; embeddings and norms belong to another optimizer."""

    def __init__(self, params: Iterable[torch.Tensor], *, lr: float, momentum: float = 0.95, decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # no closure is ever passed
        """One update, with Nesterov momentum."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                kept = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
                kept.lerp_(parameter.grad, 1 - group["momentum"])
                update = orthogonalised(parameter.grad.lerp(kept, group["momentum"]))
                scale = max(1.0, parameter.shape[0] / parameter.shape[1]) ** 0.5
                parameter.mul_(1 - group["lr"] * group["decay"])
                parameter.add_(update, alpha=-group["lr"] * scale)
