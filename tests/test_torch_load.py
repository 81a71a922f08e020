"""How the transformers engine loads a checkpoint: quantised, spread, with a LoRA adapter, and never with code unasked."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest

from qwen_router.catalog.types import Sampling
from qwen_router.demo import demo_checkpoint
from qwen_router.engines.base import Call, Text, ThinkingPlan
from qwen_router.engines.checkpoint_folder import Adapter, Checkpoint
from qwen_router.engines.configured import configured_engines
from qwen_router.engines.torch_load import LoadOptions, device_map_for, load, model_arguments
from qwen_router.engines.transformers import TransformersEngine
from qwen_router.errors import EngineError, EngineRefused, InvalidRequest, MissingExtra
from qwen_router.request import Message
from qwen_router.router import Router
from qwen_router.settings import Settings
from tests.worlds import machine

F32 = LoadOptions(dtype="float32")


@pytest.fixture
def nano(tmp_path: Path) -> Path:
    """A copy of the demonstration checkpoint that a test may change."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for source in demo_checkpoint().iterdir():
        if source.suffix != ".gguf":
            shutil.copy(source, folder)
    return folder


def answer(engine: TransformersEngine, model: str, text: str = "12 + 34?", *, tokens: int = 20) -> str:
    call = Call(
        model=model,
        messages=(Message("user", text),),
        thinking=ThinkingPlan(False),
        behaviour="toggle",
        sampling=Sampling(temperature=0),
        max_answer_tokens=tokens,
        context_tokens=1024,
        seed=1,
    )
    return "".join(event.text for event in engine.stream(call) if isinstance(event, Text))


def changed(folder: Path, file: str, **fields: Any) -> None:
    path = folder / file
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **fields}), encoding="utf-8")


# --- quantisation --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantise", "expected"),
    [
        ("int8", {"load_in_8bit": True, "load_in_4bit": False}),
        ("nf4", {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": False}),
        ("nf4-dq", {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}),
    ],
)
def test_bitsandbytes_is_told_what_was_asked_for(nano, quantise, expected):
    pytest.importorskip("bitsandbytes")
    import torch

    checkpoint = Checkpoint.at(nano)
    assert checkpoint is not None
    config = model_arguments(checkpoint, LoadOptions(quantise=quantise))["quantization_config"]
    assert {key: getattr(config, key) for key in expected} == expected
    if quantise != "int8":
        assert config.bnb_4bit_compute_dtype is torch.bfloat16


@pytest.mark.parametrize(
    ("quantise", "layer", "weight_bytes"), [("int8", "Linear8bitLt", 1.0), ("nf4-dq", "Linear4bit", 0.5)]
)
def test_a_quantised_model_is_smaller_and_answers_in_a_batch(nano, quantise, layer, weight_bytes):
    pytest.importorskip("bitsandbytes")
    checkpoint = Checkpoint.at(nano)
    assert checkpoint is not None
    model, _ = load(checkpoint, LoadOptions(quantise=quantise))
    packed = model.model.layers[0].mlp.up_proj
    assert type(packed).__name__ == layer
    assert packed.weight.numel() * packed.weight.element_size() == weight_bytes * packed.in_features * packed.out_features
    engine = TransformersEngine((nano,), options=LoadOptions(quantise=quantise))
    build = next(b for b in engine.installed() if b.name == "copy")
    assert (build.quant, build.memory_mib) == (quantise, None)
    assert answer(engine, "copy", tokens=8)


def test_what_is_stored_quantised_is_not_quantised_again(nano):
    pytest.importorskip("bitsandbytes")
    checkpoint = Checkpoint.at(nano)
    assert checkpoint is not None
    model, tokenizer = load(checkpoint, LoadOptions(quantise="nf4-dq"))
    saved = nano.parent / "saved"
    model.save_pretrained(saved)
    tokenizer.save_pretrained(saved)
    stored = Checkpoint.at(saved)
    assert stored is not None and stored.quant == "nf4-dq"
    assert LoadOptions(quantise="int8").quantises(stored) is None
    assert answer(TransformersEngine((saved,), options=LoadOptions(quantise="int8")), "saved", tokens=4)


def test_the_demonstration_model_is_never_quantised():
    engine = TransformersEngine(options=LoadOptions(quantise="int8"))
    assert engine.installed()[0].quant == "bf16"


def test_a_missing_bitsandbytes_names_the_extra(nano, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "bitsandbytes", None)
    with pytest.raises(MissingExtra, match=r"qwen-router\[quantise\]"):
        answer(TransformersEngine((nano,), options=LoadOptions(quantise="int8")), "copy")


def test_settings_reach_the_engine_and_a_wrong_one_names_the_choices(nano):
    settings = Settings.from_environment({"QWEN_ROUTER_CHECKPOINTS": str(nano), "QWEN_ROUTER_QUANTISE": "nf4"})
    engine = next(e for e in configured_engines(settings) if e.name == "transformers")
    assert {b.quant for b in engine.installed()} == {"bf16", "nf4"}
    with pytest.raises(InvalidRequest, match=r"'q4'.*int8, nf4, nf4-dq"):
        configured_engines(Settings.from_environment({"QWEN_ROUTER_QUANTISE": "q4"}))


# --- devices and attention -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "weights_mib", "free", "expected"),
    [
        pytest.param("cpu", 1000, (), {"": "cpu"}, id="the named one"),
        pytest.param("auto", 1000, (2000.0, 2000.0), {"": "cuda:0"}, id="fits on the first"),
        pytest.param("auto", 3000, (2000.0, 2000.0), "auto", id="over both"),
        pytest.param("auto", 3000, (2000.0,), "auto", id="the rest in main memory"),
        pytest.param("cuda:1", 3000, (2000.0, 2000.0), {"": "cuda:1"}, id="named, whatever it holds"),
    ],
)
def test_a_model_goes_to_one_device_when_it_fits(device, weights_mib, free, expected):
    assert device_map_for(device, weights_mib=weights_mib, gpu_free_mib=free) == expected


def test_a_model_that_is_spread_says_what_it_says_in_one_place(nano):
    """Half of the layers on the disk stands for a second device here."""
    layers = {f"model.layers.{i}": "cpu" if i < 2 else "disk" for i in range(4)}
    device_map = {"model.embed_tokens": "cpu", **layers, "model.norm": "cpu", "model.rotary_emb": "cpu", "lm_head": "cpu"}
    spread = LoadOptions(device_map=device_map)
    checkpoint = Checkpoint.at(nano)
    assert checkpoint is not None
    assert load(checkpoint, spread)[0].hf_device_map["model.layers.3"] == "disk"
    assert answer(TransformersEngine((nano,), options=spread), "copy") == answer(TransformersEngine(), "qwen3-nano")


def test_sdpa_is_the_attention_unless_another_is_named(nano):
    checkpoint = Checkpoint.at(nano)
    assert checkpoint is not None
    for options, expected in ((LoadOptions(), "sdpa"), (LoadOptions(attention="eager"), "eager")):
        assert load(checkpoint, options)[0].config._attn_implementation == expected


def test_an_attention_that_is_not_there_is_an_error_of_ours(nano):
    with pytest.raises(EngineError, match="lightning"):
        answer(TransformersEngine((nano,), options=LoadOptions(attention="lightning")), "copy")


def test_a_dtype_that_does_not_exist_is_refused_at_once():
    with pytest.raises(InvalidRequest, match="bf17"):
        LoadOptions(dtype="bf17")


# --- adapters ------------------------------------------------------------------------------------------------------


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """A LoRA adapter of random weights for the demonstration model, written by peft, and `merged`: the sum made by hand."""
    import peft
    import torch

    base, tokenizer = load(Checkpoint.at(demo_checkpoint()), F32)  # type: ignore[arg-type]
    plain = {name: weight.clone() for name, weight in base.state_dict().items()}
    torch.manual_seed(5)
    config = peft.LoraConfig(r=4, lora_alpha=80, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # between peft and transformers
        with_lora = peft.get_peft_model(base, config)
    folder = tmp_path / "sums-lora"
    with_lora.save_pretrained(str(folder))
    changed(folder, "adapter_config.json", base_model_name_or_path="house/qwen3-nano")
    from safetensors.torch import load_file

    written = load_file(folder / "adapter_model.safetensors")
    for name in [name for name in written if "lora_A" in name]:
        target = name.removeprefix("base_model.model.").replace("lora_A.", "")
        plain[target] += 20.0 * written[name.replace("lora_A", "lora_B")] @ written[name]  # alpha / r = 80 / 4
    merged, _ = load(Checkpoint.at(demo_checkpoint()), F32)  # type: ignore[arg-type]
    merged.load_state_dict(plain)
    merged.save_pretrained(tmp_path / "merged")
    tokenizer.save_pretrained(tmp_path / "merged")
    return folder


def test_an_adapter_answers_as_the_sum_of_its_weights_and_its_bases(adapter):
    engine = TransformersEngine((adapter, adapter.parent / "merged"), options=F32)
    with_adapter = answer(engine, "sums-lora")
    assert with_adapter == answer(engine, "merged")
    assert with_adapter != answer(engine, "qwen3-nano")


def test_an_adapter_is_listed_as_a_model_of_unknown_ability(adapter):
    build = next(b for b in TransformersEngine((adapter,)).installed() if b.name == "sums-lora")
    assert (build.model_id, build.quant, build.context_tokens) == (None, "bf16", 2048)
    assert build.memory_mib is not None and build.memory_mib > TransformersEngine().installed()[0].memory_mib  # type: ignore[operator]


def test_an_adapter_stays_beside_weights_that_are_quantised(adapter, nano):
    pytest.importorskip("bitsandbytes")
    changed(adapter, "adapter_config.json", base_model_name_or_path=str(nano))
    engine = TransformersEngine((nano, adapter), options=LoadOptions(quantise="int8"))
    assert answer(engine, "sums-lora", tokens=8) != answer(engine, "copy", tokens=8)


@pytest.mark.parametrize("said", ["../copy", "copy", "Somebody/copy"])
def test_the_base_of_an_adapter_is_found_by_path_or_name(nano, said):
    made = Adapter(nano.parent / "adapter", {"base_model_name_or_path": said})
    found = made.base_among((demo_checkpoint(), nano), ())
    assert found is not None and found.folder == nano


def test_an_adapter_without_its_base_names_it(adapter):
    changed(adapter, "adapter_config.json", base_model_name_or_path="Qwen/Qwen3-8B")
    with pytest.raises(EngineRefused, match="made for 'Qwen/Qwen3-8B'"):
        answer(TransformersEngine((adapter,)), "sums-lora")


def test_an_adapter_without_its_base_does_not_stop_routing(tmp_path):
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "LORA", "base_model_name_or_path": "Qwen/Qwen3-8B"}')
    engine = TransformersEngine((tmp_path,))
    assert [b.quant for b in engine.installed()] == ["bf16", None]
    assert Router(engines=[engine], machine=machine(), settings=Settings()).route("Hi").chosen is not None


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(lambda f: (f / "adapter_model.safetensors").rename(f / "adapter_model.bin"), "pickle", id="a pickle"),
        pytest.param(lambda f: (f / "adapter_model.safetensors").write_bytes(b"\0" * 20), "sound header", id="damaged"),
        pytest.param(lambda f: changed(f, "adapter_config.json", peft_type="IA3"), "'IA3'", id="another kind"),
        pytest.param(lambda f: changed(f, "adapter_config.json", r=3), "size mismatch", id="another rank"),
        pytest.param(
            lambda f: changed(f, "adapter_config.json", target_modules=["q_proj", "down_proj", "k_proj"]),
            "missing adapter keys",
            id="weights missing",
        ),
    ],
)
def test_an_adapter_that_cannot_be_loaded_whole_is_an_error_of_ours(adapter, spoil, said):
    spoil(adapter)
    with pytest.raises(EngineError, match=said):
        answer(TransformersEngine((adapter,)), "sums-lora")


# --- code that comes with weights ----------------------------------------------------------------------------------

OWN_CODE = """
from transformers import Qwen3Config, Qwen3ForCausalLM
from pathlib import Path
(Path(__file__).parent / "it_ran").touch()
class HouseConfig(Qwen3Config):
    model_type = "house"
class HouseModel(Qwen3ForCausalLM):
    config_class = HouseConfig
"""


@pytest.fixture
def own_code(nano, monkeypatch, tmp_path) -> Path:
    """A checkpoint that needs its own Python file; what it runs leaves a trace in `tmp_path / modules`."""
    modules = tmp_path / "modules"
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(modules))
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    (nano / "house.py").write_text(OWN_CODE)
    auto_map = {"AutoConfig": "house.HouseConfig", "AutoModelForCausalLM": "house.HouseModel"}
    changed(nano, "config.json", model_type="house", architectures=["HouseModel"], auto_map=auto_map)
    return nano


def test_code_that_comes_with_a_checkpoint_is_not_run_and_the_error_says_how_to_allow_it(own_code, tmp_path):
    with pytest.raises(EngineRefused, match=r"house\.py.*not run unasked") as caught:
        answer(TransformersEngine((own_code,)), "copy")
    assert "QWEN_ROUTER_TRUST_REMOTE_CODE" in caught.value.fix and str(own_code) in caught.value.fix
    assert not list(tmp_path.rglob("it_ran"))


def test_code_of_a_named_checkpoint_runs(own_code, tmp_path):
    settings = Settings.from_environment({"QWEN_ROUTER_TRUST_REMOTE_CODE": f"other:{own_code}"})
    trusting = LoadOptions(trusted=settings.trusted_checkpoints)
    assert answer(TransformersEngine((own_code,), options=trusting), "copy") == answer(TransformersEngine(), "qwen3-nano")
    assert list(tmp_path.rglob("it_ran"))


def test_code_that_transformers_does_not_need_is_left_alone(nano):
    """Many checkpoints bring code from before transformers knew them."""
    (nano / "house.py").write_text("raise SystemExit")
    changed(nano, "config.json", auto_map={"AutoModelForCausalLM": "house.HouseModel"})
    assert answer(TransformersEngine((nano,)), "copy") == answer(TransformersEngine(), "qwen3-nano")
