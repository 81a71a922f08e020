"""Made-up models, machines, abilities and profiles that tests decide over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from qwen_router.catalog import Architecture, Context, Model, Sampling, SamplingSets, Thinking
from qwen_router.decide import Build
from qwen_router.hardware.machine import Device, EngineName, Machine
from qwen_router.profile.types import DOMAINS, Profile

ARCHITECTURE = Architecture(
    layers=28, hidden=1024, heads=16, kv_heads=8, head_dim=128, vocab=151936, ffn=3072, tied_embeddings=True, qk_norm=True
)


def model(name: str, *, width: int = 1, behaviour: str = "toggle", **fields: Any) -> Model:
    """A model `made-up/NAME` of `width` times the layers of a 0.6B."""
    architecture = ARCHITECTURE.model_copy(update={"layers": 28 * width})
    return Model(
        id=f"made-up/{name}",
        family="made-up",
        release_date="2026-01-01",
        licence=fields.pop("licence", "apache-2.0"),
        commercial_use=fields.pop("commercial_use", True),
        modalities=fields.pop("modalities", ("text",)),
        architecture=architecture,
        context=fields.pop("context", Context(native_tokens=32768)),
        thinking=Thinking(behaviour=behaviour, default_on=behaviour in ("toggle", "always")),
        sampling=SamplingSets(thinking=Sampling(temperature=0.6), non_thinking=Sampling(temperature=0.7)),
        tools=fields.pop("tools", True),
        sources=("made up",),
        checked_on="2026-01-01",
        **fields,
    )


def build(
    of: Model,
    *,
    quant: str = "q4_K_M",
    engine: EngineName = "llamacpp",
    endpoint: str = "",
    resident_context_tokens: int | None = None,
) -> Build:
    return Build(
        of,
        quant,
        engine,
        endpoint,
        of.id.rpartition("/")[2],
        installed=True,
        resident=resident_context_tokens is not None,
        resident_context_tokens=resident_context_tokens,
    )


def machine(free_gib: float = 16.0, *, gpu_gib: float | None = None) -> Machine:
    devices = [Device("cpu", "cpu", "made-up CPU", 32 * 1024, free_gib * 1024, bandwidth_gib_s=40, compute_tflops=0.5)]
    if gpu_gib is not None:
        devices.insert(
            0,
            Device(
                "cuda:0",
                "cuda",
                "made-up GPU",
                gpu_gib * 1024,
                gpu_gib * 1024,
                bandwidth_gib_s=900,
                compute_tflops=150,
                power_w=300,
            ),
        )
    return Machine(name="made-up", devices=tuple(devices), cores=8, system="Linux", disk_read_mib_s=1000)


class Abilities:
    """Abilities in logits by (model id, thinks): the same in every domain unless said otherwise."""

    def __init__(self, means: dict[tuple[str, bool], float], *, sd: float = 0.1) -> None:
        self.means = {(f"made-up/{name}", on): mean for (name, on), mean in means.items()}
        self.sd = sd
        self.reference = np.zeros(len(DOMAINS))
        self.reference_vision = 0.0

    def arrays(self, keys: Sequence[tuple[str, bool]]) -> tuple[np.ndarray, np.ndarray]:
        means = np.array([[self.means[key]] * len(DOMAINS) for key in keys]).reshape(-1, len(DOMAINS))
        return means, np.full_like(means, self.sd)

    def vision(self, keys: Sequence[tuple[str, bool]]) -> tuple[np.ndarray, np.ndarray]:
        means = np.array([self.means[key] for key in keys])
        return means, np.full_like(means, self.sd)

    def is_scored(self, keys: Sequence[tuple[str, bool]]) -> np.ndarray:
        return np.ones((len(keys), len(DOMAINS)), dtype=np.bool_)

    def languages(self, keys: Sequence[tuple[str, bool]]) -> tuple[np.ndarray, np.ndarray]:
        return np.full(len(keys), -0.5), np.full(len(keys), 0.1)

    def quant_penalty(self, quant: str, params: float | None = None) -> float:
        return {"q4_K_M": 0.1}.get(quant, 0.0)


def profile(**changes: Any) -> Profile:
    plain = Profile(
        domain="math",
        domains={domain: float(domain == "math") for domain in DOMAINS},
        depth=0.5,
        difficulty=0.4,
        language="en",
        output_languages=("en",),
        modalities=("text",),
        confidence=0.9,
        abstained=False,
        reason=None,
        input_tokens=100,
        output_tokens=200,
        elapsed_us=0.0,
    )
    return replace(plain, **changes)
