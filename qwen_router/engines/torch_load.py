"""Loads a checkpoint folder with transformers: device, precision, quantisation, attention, LoRA adapter, its own code.

Everything comes from local files. A checkpoint's own Python code runs only when `LoadOptions.trusted` names it; weights
come from safetensors, never from pickles. What then runs on the model is not decided here.

    python -c "from qwen_router.engines.torch_load import LoadOptions; print(LoadOptions(quantise='nf4-dq'))"
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from qwen_router.engines.checkpoint_folder import Adapter, Checkpoint
from qwen_router.engines.media_input import kinds_of
from qwen_router.errors import EngineRefused, InvalidRequest, MissingExtra

QUANTISATIONS = ("int8", "nf4", "nf4-dq")
"""What bitsandbytes makes while loading; nf4-dq is NF4 whose block scales are quantised too. The catalog's names."""
DeviceMap = str | Mapping[str, str | int]


@dataclass(frozen=True)
class LoadOptions:
    """How checkpoints are loaded.

    `device` is torch's name of one, or "auto": a GPU if torch sees one; over all GPUs, and main memory, when the weights do
    not fit on the first. `device_map` is accelerate's and overrides it. `dtype` is torch's name, or "auto": as stored.
    `attention` is transformers' name of an implementation, or "auto": SDPA where the model has it. `quantise` leaves alone
    what is stored quantised. `trusted` names checkpoints, by folder name or path, whose own code may run.

    Raises `InvalidRequest` for a quantisation or a dtype that does not exist.
    """

    device: str = "auto"
    device_map: DeviceMap | None = None
    dtype: str = "auto"
    attention: str = "auto"
    quantise: str | None = None
    trusted: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.quantise not in (None, *QUANTISATIONS):
            raise InvalidRequest(
                f"quantise is {self.quantise!r}", fix=f"set QWEN_ROUTER_QUANTISE to one of {', '.join(QUANTISATIONS)}"
            )
        if self.dtype not in ("auto", "bfloat16", "float16", "float32"):
            raise InvalidRequest(f"dtype is {self.dtype!r}", fix="use auto, bfloat16, float16 or float32")

    def quantises(self, checkpoint: Checkpoint) -> str | None:
        """What the checkpoint is quantised to while it loads; None for one that is stored quantised."""
        return None if checkpoint.config.get("quantization_config") else self.quantise

    def trusts(self, folder: Path) -> bool:
        return folder.name in self.trusted or str(folder) in self.trusted


def load(
    checkpoint: Checkpoint, options: LoadOptions, adapter: Adapter | None = None, *, headless: bool = False
) -> tuple[Any, Any]:
    """The model in evaluation mode, and its tokenizer. `headless`: without its output head.

    Raises `EngineRefused` for files that cannot be loaded, `MissingExtra`, and whatever transformers raises.
    """
    checkpoint.check()
    if adapter is not None:
        adapter.check()
    _need("torch", "transformers")
    _need("transformers", "transformers")
    from transformers import AutoModel, AutoModelForCausalLM, AutoModelForMultimodalLM, AutoTokenizer

    auto: Any = AutoModelForMultimodalLM if kinds_of(checkpoint.config) else AutoModelForCausalLM
    auto = AutoModel if headless else auto
    trusted = _runs_own_code(checkpoint, options)
    local = {"local_files_only": True, "trust_remote_code": trusted}
    with _quiet():
        tokenizer: Any = AutoTokenizer.from_pretrained(checkpoint.folder, **local)
        model: Any = auto.from_pretrained(
            checkpoint.folder, use_safetensors=True, **local, **model_arguments(checkpoint, options)
        )
        if adapter is not None:
            model = _adapted(model, adapter)
    return model.eval(), tokenizer


def model_arguments(checkpoint: Checkpoint, options: LoadOptions) -> dict[str, Any]:
    """The options as keyword arguments of transformers' `from_pretrained`."""
    import torch

    dtype = options.dtype if options.dtype == "auto" else getattr(torch, options.dtype)
    arguments: dict[str, Any] = {"dtype": dtype, "device_map": options.device_map or _device_map(checkpoint, options)}
    if options.attention != "auto":
        arguments["attn_implementation"] = options.attention
    if (quantise := options.quantises(checkpoint)) is not None:
        _need("bitsandbytes", "quantise")
        arguments["quantization_config"] = _quantisation(quantise, checkpoint, dtype)
    return arguments


def device_map_for(device: str, *, weights_mib: float, gpu_free_mib: tuple[float, ...]) -> DeviceMap:
    """One device for everything, or "auto" (accelerate spreads the layers) for weights that the first GPU cannot hold."""
    if device != "auto":
        return {"": device}
    return "auto" if weights_mib > 0.9 * gpu_free_mib[0] else {"": "cuda:0"}


_SHARE_KEPT = {"int8": 0.5, "nf4": 0.29, "nf4-dq": 0.26}
"""Weights against 16 bits, of the matrices that bitsandbytes packs; embeddings stay. To choose a device by, no estimate."""


def _device_map(checkpoint: Checkpoint, options: LoadOptions) -> DeviceMap:
    import torch

    if options.device != "auto" or not torch.cuda.is_available():
        device = options.device if options.device != "auto" else "mps" if torch.backends.mps.is_available() else "cpu"
        return device_map_for(device, weights_mib=checkpoint.weights_mib, gpu_free_mib=())
    free = tuple(torch.cuda.mem_get_info(i)[0] / 1024**2 for i in range(torch.cuda.device_count()))
    share = _SHARE_KEPT.get(options.quantises(checkpoint) or "", 1.0)
    return device_map_for("auto", weights_mib=checkpoint.weights_mib * share, gpu_free_mib=free)


def _quantisation(quantise: str, checkpoint: Checkpoint, dtype: Any) -> Any:
    import torch
    from transformers import BitsAndBytesConfig

    make: Any = BitsAndBytesConfig  # untyped
    if quantise == "int8":
        # It says at every layer of every step that bf16 becomes f16 for the product, which is how LLM.int8 works.
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
        return make(load_in_8bit=True)
    stored = {"f16": torch.float16, "f32": torch.float32}.get(checkpoint.quant or "", torch.bfloat16)
    return make(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=quantise == "nf4-dq",
        bnb_4bit_compute_dtype=stored if dtype == "auto" else dtype,
    )


def _runs_own_code(checkpoint: Checkpoint, options: LoadOptions) -> bool:
    """Whether the checkpoint brings Python code that somebody allowed; refused when it cannot do without and nobody did."""
    code = checkpoint.own_code
    if not code:
        return False
    if options.trusts(checkpoint.folder):
        return True
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    if checkpoint.config.get("model_type") in CONFIG_MAPPING:
        return False  # transformers has code of its own for it
    raise EngineRefused(
        f"the checkpoint {checkpoint.folder.name!r} brings Python code ({', '.join(code)}), which is not run unasked",
        fix=f"read that code; to run it, put {str(checkpoint.folder)!r} into QWEN_ROUTER_TRUST_REMOTE_CODE",
        engine="transformers",
        endpoint="in process",
    )


def _adapted(model: Any, adapter: Adapter) -> Any:
    """The model with its adapter: added to the weights, or beside them where the weights are quantised."""
    _need("peft", "lora")
    from peft import PeftModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # between peft and transformers
        # peft says by a warning that an adapter does not cover what its own configuration names.
        warnings.filterwarnings("error", message="Found missing adapter keys")
        adapted: Any = PeftModel.from_pretrained(model, str(adapter.folder), local_files_only=True)
    return adapted if getattr(model, "is_quantized", False) else adapted.merge_and_unload()


def _need(package: str, extra: str) -> None:
    try:
        found = find_spec(package) is not None
    except ValueError:  # a module without a spec is there, one that is None is not
        found = False
    if not found:
        raise MissingExtra.of(package, extra=extra)


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and no remarks while a model loads; what goes wrong comes as an exception."""
    from transformers.utils import logging as switches_of_transformers

    switches: Any = switches_of_transformers  # they carry no types
    shown, verbosity = switches.is_progress_bar_enabled(), switches.get_verbosity()
    switches.disable_progress_bar()
    switches.set_verbosity_error()
    try:
        yield
    finally:
        switches.set_verbosity(verbosity)
        if shown:
            switches.enable_progress_bar()
