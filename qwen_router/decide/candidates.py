"""Every way to answer on one machine, as columns: builds crossed with thinking modes, budgets and context sizes.

A table is made once for a catalog, a machine and a policy, and read for every request: what depends on the request is left
to `decide.py`. Memory and speed come from `hardware/`, abilities from `ability.py`.

    python -c "from qwen_router import Router; print(len(Router().table('balanced')))"
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from qwen_router.catalog import Catalog, Context, Model, Thinking
from qwen_router.catalog.getting import how_to_get
from qwen_router.catalog.quants import ENGINE_QUANTS, quant, quant_of_tag
from qwen_router.catalog.types import ModelKind
from qwen_router.decide.ability import AbilityTable
from qwen_router.errors import CatalogError
from qwen_router.hardware.calibration import Calibration
from qwen_router.hardware.machine import EngineName, Machine, ServedBuild
from qwen_router.hardware.memory import memory_line
from qwen_router.hardware.speed import DEFAULT_DISK_READ_MIB_S, placed_speed
from qwen_router.policy import Builds, Policy
from qwen_router.request import MODALITIES

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Build:
    """A model at one quantisation behind one engine endpoint.

    `name` is what the engine calls it (or would). `installed` is False in advice; then `how_to_get` is the command.
    """

    model: Model
    quant: str
    engine: EngineName
    endpoint: str
    name: str
    installed: bool
    resident: bool = False
    resident_context_tokens: int | None = None
    resident_mib: float | None = None
    how_to_get: str | None = None

    def answers_to(self, name: str) -> bool:
        """Whether a person who writes `name` means this build."""
        wanted = name.lower()
        return wanted in (self.name.lower(), self.model.id.lower(), self.model.short_name.lower())


@dataclass(frozen=True, slots=True)
class CandidateTable:
    """Builds (rows b), context buckets (columns k) and candidates (rows n), each column by its name.

    `context_tokens`, `total_mib`, `decode_tps`, `prefill_tps` are [b, k]; where a build does not fit, `fits` is False and
    the speeds are 0; where nothing is known of it
    (`known`), they are not numbers. `evicts` [b, k]: it fits only when its engine unloads what it has loaded, whose loading
    anew, `eviction_s` [b], is then charged. `ability` (budget without end) and `ability_floor` (no thought) are means in
    logits [n, domain], `ability_sd` and `scored` likewise;
    `vision_*` are [n], and so are `language` and its sd: what to add outside English and Chinese. `rule_refuses` and
    `rule_bonus` are [rule, b]; `input_usd` and `output_usd` are the prices of a
    token, 0 for a build on this computer and not a number where an endpoint elsewhere has none. `twin_of` [b] is the same
    number for builds that differ in nothing but their endpoint, -1 for one that has no twin.
    """

    machine: Machine
    policy: Policy
    builds: tuple[Build, ...]
    context_tokens: Ints
    total_mib: Floats
    fits: Bools
    free_mib: Floats
    decode_tps: Floats
    prefill_tps: Floats
    load_s: Floats
    evicts: Bools
    eviction_s: Floats
    power_w: Floats
    kept_away: Bools
    can_stay_off: Bools
    resident_context_tokens: Ints
    twin_of: Ints
    takes: Bools
    has_tools: Bools
    commercial: Bools
    known: Bools
    max_answer_tokens: Ints
    remote: Bools
    rule_refuses: Bools
    rule_bonus: Floats
    input_usd: Floats
    output_usd: Floats
    tie_rank: Ints
    build_of: Ints
    scored: Bools
    thinks: Bools
    budget_tokens: Ints
    ability: Floats
    ability_floor: Floats
    ability_sd: Floats
    vision: Floats
    vision_floor: Floats
    vision_sd: Floats
    language: Floats
    language_sd: Floats
    reference: Floats
    reference_vision: float

    def without_loading(self) -> CandidateTable:
        """The same candidates with every model as good as loaded: where many requests share the loading."""
        return replace(self, load_s=np.zeros_like(self.load_s), eviction_s=np.zeros_like(self.eviction_s))

    def __len__(self) -> int:
        return len(self.build_of)


NO_LIMIT = np.iinfo(np.int64).max
LOCAL_HOSTS = ("", "localhost", "127.0.0.1", "::1")
# An always-thinking model cut before its first thought: nobody has published such a score. A stated prior, in logits,
# about what toggling models lose on average between their two modes.
CUT_THOUGHT_LOGITS = 1.5


def advised_builds(catalog: Catalog, policy: Policy) -> tuple[Build, ...]:
    """Every chat model of the catalog at every quantisation that the policy considers, whether installed or not. A model of
    the user's own, of whose abilities nothing is known, is no advice; it is served when an engine has it."""
    builds, abilities = [], AbilityTable.load()
    for model in catalog.models:
        if model.kind != "chat" or model.demo or model.hosted or not abilities.knows(model.id):
            continue
        for name in policy.quants:
            builds.append(_advised(model, quant(name).name))
    return tuple(builds)


def _advised(model: Model, quant_name: str) -> Build:
    """The engine that a newcomer would use for it: Ollama where a tag is known, transformers unquantised, else llama.cpp."""
    tag = next((tag for tag in model.ollama_tags if quant_of_tag(tag) == quant_name), None)
    engine: EngineName = "ollama" if tag else "transformers" if quant_name in ("bf16", "f16") else "llamacpp"
    how = how_to_get(model, quant_name)
    return Build(model, quant_name, engine, "", tag or model.short_name, installed=False, how_to_get=how)


def served_builds(catalog: Catalog, served: Sequence[ServedBuild]) -> tuple[Build, ...]:
    """The builds that engines report and that chat, joined with the catalog; a stranger to it serves only who asks for it by
    name."""
    builds = []
    for item in served:
        if kind_of(catalog, item) != "chat":
            continue
        builds.append(
            Build(
                model=_stranger(item) if item.model_id is None else catalog.get(item.model_id),
                quant=item.quant or _usual_quant(item.engine),
                engine=item.engine,
                endpoint=item.endpoint,
                name=item.name,
                installed=True,
                resident=item.resident,
                resident_context_tokens=(item.open_tokens or item.context_tokens) if item.resident else None,
                resident_mib=item.memory_mib if item.resident else None,
            )
        )
    return tuple(builds)


def kind_of(catalog: Catalog, item: ServedBuild) -> ModelKind:
    """What a served build is for: as the catalog says, else as its own files do; what nobody knows is taken to chat."""
    known = None if item.model_id is None else catalog.resolve(item.model_id)
    return known.kind if known is not None else item.kind or "chat"


def _usual_quant(engine: str) -> str:
    """What a build is taken for whose quantisation nobody knows."""
    return "q4_K_M" if "q4_K_M" in ENGINE_QUANTS[engine] else "bf16"


def _stranger(item: ServedBuild) -> Model:
    """A row for a model that is not in the catalog: everything about it is unknown, so nothing is predicted for it."""
    return Model(
        id="unknown/" + re.sub(r"[^\w.-]", "-", item.name),
        family="unknown",
        release_date="1970-01-01",
        licence="unknown",
        modalities=MODALITIES,
        context=Context(native_tokens=item.context_tokens or 32_768, note="unknown: as the engine reports it, or 32,768"),
        thinking=Thinking(behaviour="none", default_on=False),
        sources=(f"reported by {item.engine}",),
        checked_on="1970-01-01",
    )


def candidate_table(
    builds: Sequence[Build],
    machine: Machine,
    policy: Policy,
    *,
    abilities: AbilityTable | None = None,
    calibration: Calibration | None = None,
) -> CandidateTable:
    """Cross `builds` with thinking modes, budgets and the policy's context buckets on `machine`; `calibration` holds what
    real replies taught about its speed."""
    builds = tuple(builds)
    abilities = abilities or AbilityTable.load()
    modes = [(b, thinks, budget) for b, build in enumerate(builds) for thinks, budget in _modes(build.model, policy)]
    build_of = np.array([mode[0] for mode in modes], dtype=np.int64)
    thinks = np.array([mode[1] for mode in modes], dtype=np.bool_)
    keys = [(builds[b].model.id, on) for b, on, _ in modes]
    losses = [abilities.quant_penalty(build.quant, build.model.total_params) for build in builds]
    penalty = np.array([losses[b] for b, _, _ in modes])[:, None]
    ability, ability_sd = abilities.arrays(keys)
    vision, vision_sd = abilities.vision(keys)
    language, language_sd = abilities.languages(keys)
    floor_keys = [(builds[b].model.id, on and builds[b].model.thinking.behaviour == "always") for b, on, _ in modes]
    floor, _ = abilities.arrays(floor_keys)
    vision_floor, _ = abilities.vision(floor_keys)
    cut = np.array([on and builds[b].model.thinking.behaviour == "always" for b, on, _ in modes]) * CUT_THOUGHT_LOGITS
    columns = _physical(builds, machine, policy, calibration)
    order = sorted(range(len(modes)), key=lambda i: (builds[modes[i][0]].model.id, builds[modes[i][0]].quant, modes[i][2]))
    tie_rank = np.empty(len(modes), dtype=np.int64)
    tie_rank[order] = np.arange(len(modes))
    return CandidateTable(
        machine=machine,
        policy=policy,
        builds=builds,
        context_tokens=columns.context_tokens,
        total_mib=columns.total_mib,
        fits=columns.fits,
        known=columns.known,
        free_mib=columns.free_mib,
        decode_tps=columns.decode_tps,
        prefill_tps=columns.prefill_tps,
        load_s=columns.load_s,
        evicts=columns.evicts,
        eviction_s=columns.eviction_s,
        power_w=columns.power_w,
        kept_away=np.array([kept_away(b, policy) for b in builds], dtype=np.bool_),
        can_stay_off=np.array([b.model.thinking.behaviour == "toggle" for b in builds], dtype=np.bool_),
        resident_context_tokens=np.array([b.resident_context_tokens or 0 for b in builds], dtype=np.int64),
        twin_of=_twins(builds, policy),
        takes=np.array([[m in b.model.modalities for m in MODALITIES] for b in builds], dtype=np.bool_).reshape(
            -1, len(MODALITIES)
        ),
        has_tools=np.array([b.model.tools is not False for b in builds], dtype=np.bool_),
        commercial=np.array([b.model.commercial_use is True for b in builds], dtype=np.bool_),
        max_answer_tokens=np.array([b.model.max_answer_tokens or NO_LIMIT for b in builds], dtype=np.int64),
        remote=np.array([is_remote(b) for b in builds], dtype=np.bool_),
        rule_refuses=_rule_refusals(builds, policy),
        rule_bonus=_rule_bonuses(builds, policy),
        input_usd=np.array([_usd_per_token(b, policy, "input") for b in builds], dtype=np.float64),
        output_usd=np.array([_usd_per_token(b, policy, "output") for b in builds], dtype=np.float64),
        tie_rank=tie_rank,
        build_of=build_of,
        scored=abilities.is_scored(keys),
        thinks=thinks,
        budget_tokens=np.array([mode[2] for mode in modes], dtype=np.int64),
        ability=ability - penalty,
        ability_floor=np.minimum(floor - penalty - cut[:, None], ability - penalty),
        ability_sd=ability_sd,
        vision=vision - penalty[:, 0],
        vision_floor=np.minimum(vision_floor - penalty[:, 0] - cut, vision - penalty[:, 0]),
        vision_sd=vision_sd,
        language=language,
        language_sd=language_sd,
        reference=abilities.reference,
        reference_vision=abilities.reference_vision,
    )


def _modes(model: Model, policy: Policy) -> list[tuple[bool, int]]:
    """(thinks, budget) for each mode that this build can be in; a budget of 0 means off."""
    on = [(True, budget) for budget in policy.thinking.budgets_tokens]
    match model.thinking.behaviour:
        case "always":
            return on
        case "toggle":
            return [(False, 0), *on]
        case _:
            return [(False, 0)]


@dataclass(frozen=True, slots=True)
class _Physical:
    """The columns of `CandidateTable` that memory and speed fill."""

    context_tokens: Ints
    total_mib: Floats
    fits: Bools
    known: Bools
    free_mib: Floats
    decode_tps: Floats
    prefill_tps: Floats
    load_s: Floats
    evicts: Bools
    eviction_s: Floats
    power_w: Floats


SWAPPING = ("ollama", "llamacpp", "transformers", "onnx")
"""Engines that unload a model by themselves when another one is asked for and there is no room for both."""


def _physical(builds: tuple[Build, ...], machine: Machine, policy: Policy, calibration: Calibration | None) -> _Physical:
    """Memory and speed of every build at every context bucket, cut at what the model was trained for."""
    shape = (len(builds), len(policy.context.buckets_tokens))
    native = np.array([b.model.context.native_tokens for b in builds], dtype=np.int64).reshape(-1, 1)
    context = np.minimum(np.array(policy.context.buckets_tokens, dtype=np.int64), native).reshape(shape)
    total, decode, prefill = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan)
    fits, known = np.zeros(shape, dtype=np.bool_), np.zeros(len(builds), dtype=np.bool_)
    free, load, power = np.zeros(len(builds)), np.zeros(len(builds)), np.full(len(builds), np.nan)
    evicts, eviction = np.zeros(shape, dtype=np.bool_), np.zeros(len(builds))
    held = _held(builds)
    roomy = replace(machine, devices=tuple(replace(d, memory_free_mib=d.memory_total_mib) for d in machine.devices))
    for i, build in enumerate(builds):
        here = roomy if build.resident else machine  # what is loaded holds its memory already
        try:
            line = memory_line(build.model, quant=build.quant, engine=build.engine)
        except CatalogError:  # its architecture is not, or not wholly, in the catalog: refused as unknown
            continue
        known[i] = True
        total[i] = [line.total_mib(int(tokens)) for tokens in context[i]]
        speed = placed_speed(
            build.model,
            line,
            quant=build.quant,
            engine=build.engine,
            machine=here,
            context_tokens=context[i],
            calibration=calibration,
        )
        others_mib, others_s = held.get((build.engine, build.endpoint), (0.0, 0.0))
        if not build.resident and others_mib and not speed.fits.all():
            alone = placed_speed(
                build.model,
                line,
                quant=build.quant,
                engine=build.engine,
                machine=_freed(machine, others_mib),
                context_tokens=context[i],
                calibration=calibration,
            )
            evicts[i], eviction[i] = alone.fits & ~speed.fits, others_s
            speed = replace(
                speed,
                fits=speed.fits | alone.fits,
                decode_tps=np.where(speed.fits, speed.decode_tps, alone.decode_tps),
                prefill_tps=np.where(speed.fits, speed.prefill_tps, alone.prefill_tps),
                free_mib=alone.free_mib,
                load_s=speed.load_s or alone.load_s,
                power_w=alone.power_w if speed.power_w is None else speed.power_w,
            )
        fits[i], decode[i], prefill[i], free[i] = speed.fits, speed.decode_tps, speed.prefill_tps, speed.free_mib
        load[i] = speed.load_s if build.installed else 0.0  # advice is about a model that was started once and stays
        power[i] = np.nan if speed.power_w is None else speed.power_w
    return _Physical(context, total, fits, known, free, decode, prefill, load, evicts, eviction, power)


def _held(builds: Sequence[Build]) -> dict[tuple[str, str], tuple[float, float]]:
    """MiB that each swapping engine's loaded builds hold, and seconds to load them again, by engine and endpoint."""
    held: dict[tuple[str, str], tuple[float, float]] = {}
    for build in builds:
        if build.resident and build.engine in SWAPPING and build.resident_mib:
            mib, seconds = held.get((build.engine, build.endpoint), (0.0, 0.0))
            key = (build.engine, build.endpoint)
            held[key] = (mib + build.resident_mib, seconds + build.resident_mib / DEFAULT_DISK_READ_MIB_S)
    return held


def _freed(machine: Machine, mib: float) -> Machine:
    """The machine once so much is unloaded: from its accelerators in order, what is left from main memory."""
    devices, left = [], mib
    for device in (*machine.accelerators, *(d for d in machine.devices if d.kind == "cpu")):
        more = min(left, device.memory_total_mib - device.memory_free_mib)
        left -= more
        devices.append(replace(device, memory_free_mib=device.memory_free_mib + more))
    return replace(machine, devices=tuple(devices))


def kept_away(build: Build | ServedBuild, policy: Policy) -> bool:
    """Whether the policy's privacy forbids this engine, or any endpoint that is not on this computer."""
    allowed = policy.privacy.engines
    return bool(allowed and build.engine not in allowed) or (is_remote(build) and not policy.privacy.remote_endpoints)


def is_remote(build: Build | ServedBuild) -> bool:
    """Whether its endpoint is not on this computer."""
    host = (urlsplit(build.endpoint).hostname or "") if "://" in build.endpoint else ""
    return host not in LOCAL_HOSTS


def _usd_per_token(build: Build, policy: Policy, part: str) -> float:
    """The price of a token: the first that fits, else 0 here and not a number elsewhere."""
    names = (build.model.id, build.model.short_name, build.name)
    for price in policy.prices:
        if fnmatchcase(build.endpoint.lower(), price.endpoint.lower()) and any_match(names, (price.model,)):
            return float(getattr(price, f"{part}_usd_per_mtok")) / 1e6
    return float("nan") if is_remote(build) else 0.0


def _twins(builds: tuple[Build, ...], policy: Policy) -> Ints:
    """[build]: a number shared by builds that are the same model at the same price behind different endpoints, or -1."""
    alike: dict[tuple[object, ...], list[int]] = {}
    for b, build in enumerate(builds):
        price = [repr(_usd_per_token(build, policy, part)) for part in ("input", "output")]
        rules = tuple(
            bool(then and fits(build, then)) for rule in policy.rules for then in (rule.then.prefer, rule.then.avoid)
        )
        key = (build.model.id, build.quant, build.engine, build.installed, is_remote(build), *price, rules)
        alike.setdefault(key, []).append(b)
    twin_of = np.full(len(builds), -1, dtype=np.int64)
    for number, members in enumerate(alike.values()):
        if len({builds[b].endpoint for b in members}) > 1:
            twin_of[members] = number
    return twin_of


def _rule_refusals(builds: tuple[Build, ...], policy: Policy) -> Bools:
    """[rule, build]: whether the rule, when it applies, refuses the build."""
    refuses = np.zeros((len(policy.rules), len(builds)), dtype=np.bool_)
    for r, rule in enumerate(policy.rules):
        then = rule.then
        for b, build in enumerate(builds):
            refuses[r, b] = (
                (then.require is not None and not fits(build, then.require))
                or (then.forbid is not None and fits(build, then.forbid))
                or (then.pin is not None and not fits(build, Builds(models=(then.pin,))))
                or (then.local_only and is_remote(build))
            )
    return refuses


def _rule_bonuses(builds: tuple[Build, ...], policy: Policy) -> Floats:
    """[rule, build]: the quality that the rule, when it applies, adds to or takes from the build in the choice."""
    bonus = np.zeros((len(policy.rules), len(builds)))
    for r, rule in enumerate(policy.rules):
        for liked, sign in ((rule.then.prefer, 1.0), (rule.then.avoid, -1.0)):
            if liked is not None:
                bonus[r] += [sign * liked.by * fits(build, liked) for build in builds]
    return bonus


def fits(build: Build, wanted: Builds) -> bool:
    """Whether a build is among those that a rule means."""
    model = build.model
    return (
        (not wanted.models or any_match((model.id, model.short_name, build.name), wanted.models))
        and (not wanted.families or any_match((model.family,), wanted.families))
        and (not wanted.sizes or model.size_class in wanted.sizes)
        and (not wanted.engines or build.engine in wanted.engines)
        and (not wanted.quants or any_match((build.quant,), wanted.quants))
        and (wanted.commercial_use is None or (model.commercial_use is True) == wanted.commercial_use)
    )


def any_match(names: Sequence[str], patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns for name in names)
