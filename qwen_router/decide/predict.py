"""What each candidate would give and cost for one request: quality, seconds, memory, energy, as columns.

Arithmetic over a `CandidateTable` and a `Profile`; nothing is chosen here. Every constant is a stated prior or has its
source.

    python -c "from qwen_router.decide.predict import thinking_need_tokens; print(thinking_need_tokens(0.5))"
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qwen_router.decide.candidates import Bools, CandidateTable, Floats, Ints
from qwen_router.profile.types import DOMAINS, Profile

# How many tokens a Qwen thinks about a request, by depth: 150 at depth 0 rising to 12,000 at depth 1. A stated prior in the
# range of the thinking-budget figure of the Qwen3 technical report (section 4.4), where olympiad maths still gains at 16K
# to 32K and simple asks end after a few hundred; replaced by measured lengths as they come in.
THINKING_TOKENS_AT_0 = 150.0
THINKING_TOKENS_AT_1 = 12_000.0
# The share of the gain from thinking that a budget buys is 1 - exp(-GAIN_RATE * budget / need): 86 % at budget = need.
GAIN_RATE = 2.0
# E[sigmoid(x)] for x ~ N(m, s^2) is close to sigmoid(m / sqrt(1 + pi s^2 / 8)): MacKay 1992, "The evidence framework applied
# to classification networks", eq. 10.
_PROBIT = np.pi / 8
SCORED_LANGUAGES = ("en", "zh", "und", "mul")
"""Languages that the scores behind the abilities are in; where none can be told nothing is taken off."""


def thinking_need_tokens(depth: float) -> float:
    """Expected length of an unlimited thought for a request of this depth (0..1), in tokens."""
    return float(THINKING_TOKENS_AT_0 * (THINKING_TOKENS_AT_1 / THINKING_TOKENS_AT_0) ** depth)


@dataclass(frozen=True, slots=True)
class Prediction:
    """Columns over the candidates. Seconds, MiB, watt-hours; `energy_wh` is NaN where the device's watts are unknown.
    `cost_usd` is tokens at their price and, on this computer, energy at the policy's; NaN where neither is known.
    `scored` says whether published scores stand behind the quality in the request's domain.

    `input_tokens` is the prompt without the tools that the candidate would not be shown. `bucket` is the context column that
    holds prompt, thinking and the longest answer allowed. Where the model's longest window is smaller, `answer_tokens` is
    what remains; `bucket` is -1 when not even the expected answer would fit (`needed_tokens`).
    """

    bucket: Ints
    input_tokens: Ints
    needed_tokens: Ints
    context_tokens: Ints
    answer_tokens: Ints
    memory_mib: Floats
    quality: Floats
    quality_sd: Floats
    load_s: Floats
    first_token_s: Floats
    total_s: Floats
    thinking_tokens: Floats
    expected_answer: int
    energy_wh: Floats
    cost_usd: Floats
    scored: Bools


def predict(
    table: CandidateTable, profile: Profile, *, budgets: Ints, max_answer_tokens: int, spared_tokens: Ints | None = None
) -> Prediction:
    """Predict every candidate for `profile` with these thinking budgets: the table's, or the caller's wish. `spared_tokens`
    [build] are those of the prompt that a build is not shown."""
    of = table.build_of
    expected_answer = min(profile.output_tokens, max_answer_tokens)
    read = np.full(len(of), profile.input_tokens)
    if spared_tokens is not None:
        read = np.maximum(1, read - spared_tokens[of])
    before_answer = read + budgets
    windows = table.context_tokens[of]
    at = np.minimum((windows < (before_answer + max_answer_tokens)[:, None]).sum(axis=1), windows.shape[1] - 1)
    window = windows[np.arange(len(of)), at]
    too_long = window < before_answer + expected_answer
    resident_window = table.resident_context_tokens[of]
    resident = resident_window >= np.minimum(window, before_answer + max_answer_tokens)
    window = np.where(resident, resident_window, window)
    load = np.where(resident, 0.0, table.load_s[of] + table.eviction_s[of] * table.evicts[of, at])
    need = thinking_need_tokens(profile.depth)
    thought = np.where(table.thinks, need * -np.expm1(-budgets / need), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        first = load + read / table.prefill_tps[of, at]
        total = first + (thought + expected_answer) / table.decode_tps[of, at]
    quality, quality_sd = _quality(table, profile, budgets, need)
    energy = table.power_w[of] * total / 3600
    return Prediction(
        bucket=np.where(too_long, -1, at),
        input_tokens=read,
        needed_tokens=before_answer + expected_answer,
        context_tokens=window,
        answer_tokens=np.clip(window - before_answer, 1, np.minimum(max_answer_tokens, table.max_answer_tokens[of])),
        memory_mib=table.total_mib[of, at],
        quality=quality,
        quality_sd=quality_sd,
        load_s=load,
        first_token_s=first,
        total_s=total,
        thinking_tokens=thought,
        expected_answer=expected_answer,
        energy_wh=energy,
        cost_usd=_cost(table, read, thought + expected_answer, energy),
        scored=table.scored[:, DOMAINS.index(profile.domain)],
    )


def _elsewhere(profile: Profile) -> bool:
    """Whether the request, or the answer that it asks for, is in a language that published scores mostly leave out."""
    return any(language not in SCORED_LANGUAGES for language in (profile.language, *profile.output_languages))


def _cost(table: CandidateTable, input_tokens: Ints, output_tokens: Floats, energy_wh: Floats) -> Floats:
    """US dollars: the endpoint's price for its tokens; what runs here takes electricity, where the policy says its price."""
    of = table.build_of
    tokens = table.input_usd[of] * input_tokens + table.output_usd[of] * output_tokens
    per_kwh = table.policy.energy_usd_per_kwh
    power = np.full(len(of), np.nan) if per_kwh is None else energy_wh / 1000 * per_kwh
    return np.where(table.remote[of] | (tokens > 0), tokens, power)


def _quality(table: CandidateTable, profile: Profile, budgets: Ints, need: float) -> tuple[Floats, Floats]:
    """P(right) per candidate and its standard deviation.

    Item-response form: sigmoid(ability - difficulty), with the difficulty placed so that a mid-size model, whose ability in
    the domain is `table.reference`, fails with the profile's probability. Averaged over the domains' probabilities. Outside
    English and Chinese a model's loss there is added: difficulty is learned from answers in English.
    """
    bought = np.where(table.thinks, -np.expm1(-GAIN_RATE * budgets / need), 1.0)
    fail = min(max(profile.difficulty, 0.01), 0.99)
    ease = np.log((1 - fail) / fail)
    if any(modality in ("image", "video") for modality in profile.modalities):
        logits = (table.vision_floor + (table.vision - table.vision_floor) * bought - table.reference_vision + ease)[:, None]
        spread, weights = table.vision_sd[:, None], np.ones(1)
    else:
        weights = np.array([profile.domains.get(domain, 0.0) for domain in DOMAINS])
        kept = weights > 0.02
        weights = weights[kept] / weights[kept].sum()
        floor = table.ability_floor[:, kept]
        logits = floor + (table.ability[:, kept] - floor) * bought[:, None] - table.reference[kept] + ease
        spread = table.ability_sd[:, kept]
        if _elsewhere(profile):
            asked = np.array([domain != "translation" for domain in DOMAINS])[kept]  # translation is elsewhere already
            logits = logits + np.where(asked, table.language[:, None], 0.0)
            spread = np.where(asked, np.hypot(spread, table.language_sd[:, None]), spread)
    right = 1 / (1 + np.exp(-logits / np.sqrt(1 + _PROBIT * spread**2)))
    return right @ weights, (right * (1 - right) * spread) @ weights
