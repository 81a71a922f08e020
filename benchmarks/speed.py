"""Predicted tokens/s against measured ones in llama.cpp: calibrated on one checkpoint, predicted for the others.

Takes the checkpoints with random weights that `memory.py` builds (real sizes, so real speed). Every model runs in a process
of its own, the models in turn, several rounds: shared cores are slower at times, and a median over rounds does not mind. The
machine's memory bandwidth and arithmetic are measured first, as `qwen-router hardware --measure` does; then the first case's
ratio of measured to predicted corrects the predictions of all others with the same quantisation.

    python benchmarks/speed.py --work /tmp/checkpoints --out speed.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.memory import CASES, Case, gguf  # noqa: E402  (the script runs from anywhere)
from qwen_router.hardware import Machine, detect, memory_line, place, predict_speed  # noqa: E402
from qwen_router.hardware.calibration import KNOWN_AFTER_REPLIES, Calibration  # noqa: E402
from qwen_router.hardware.measure import with_measured  # noqa: E402

PROMPT_TOKENS = 256
ANSWER_TOKENS = 32
CALIBRATED_ON = "qwen3-0.6b"


def run_once(path: str, threads: int) -> None:
    """Read a prompt, write an answer, print llama.cpp's own timings. Runs in a process of its own."""
    import os

    import xllamacpp as llama

    params = llama.CommonParams()
    params.model.path = path
    params.n_ctx, params.n_parallel, params.warmup = 2048, 1, True
    params.cache_ram_mib = params.n_ctx_checkpoints = params.port = 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    server = llama.Server(params)
    replies: list[Any] = []
    body = {"prompt": "a " * (PROMPT_TOKENS // 2), "n_predict": ANSWER_TOKENS, "ignore_eos": True, "cache_prompt": False}
    server.handle_completions({**body, "max_tokens": ANSWER_TOKENS, "stream": False}, lambda reply: replies.append(reply))
    reply = replies[-1] if isinstance(replies[-1], dict) else json.loads(replies[-1])
    print(json.dumps(reply["timings"]), flush=True)
    os._exit(0)  # the server's own end would wait for requests


def measured(path: Path, threads: int) -> tuple[float, float, int]:
    """(decode, prefill) tokens/s, and the tokens of the prompt."""
    call = [sys.executable, "-W", "ignore", __file__, "--run", str(path), str(threads)]
    done = subprocess.run(call, capture_output=True, text=True, timeout=3000, check=True)
    timings = json.loads(done.stdout.splitlines()[-1])
    return timings["predicted_per_second"], timings["prompt_per_second"], timings["prompt_n"]


def predicted(
    case: Case, quant: str, machine: Machine, prompt_tokens: int, calibration: Calibration | None
) -> tuple[float, float]:
    model = case.model()
    line = memory_line(model, quant=quant)
    tokens = prompt_tokens + ANSWER_TOKENS // 2
    speed = predict_speed(
        model, line, place(line, tokens, machine), machine, context_tokens=tokens, calibration=calibration, quant=quant
    )
    return speed.decode_tps, speed.prefill_tps


def measure(work: Path, quants: list[str], rounds: int, skip: list[str]) -> dict[str, Any]:
    """Bandwidth and arithmetic of this machine, and medians of what every checkpoint that is there reaches on it."""
    machine = detect()
    runs: dict[tuple[str, str], list[tuple[float, float, int]]] = defaultdict(list)
    bandwidths, computes = [], []
    chosen = [(case, quant) for quant in quants for case in CASES if case.name not in skip]
    chosen = [(case, quant) for case, quant in chosen if gguf(case, quant, work).exists()]
    for _ in range(rounds):
        now = with_measured(machine).cpu
        assert now is not None and now.bandwidth_gib_s and now.compute_tflops
        bandwidths.append(now.bandwidth_gib_s)
        computes.append(now.compute_tflops)
        for case, quant in chosen:
            runs[case.name, quant].append(measured(gguf(case, quant, work), machine.cores))
            print(case.name, quant, runs[case.name, quant][-1], file=sys.stderr, flush=True)
    lines = [
        {
            "case": case.name,
            "quant": quant,
            "prompt_tokens": runs[case.name, quant][0][2],
            "decode_tps": statistics.median(run[0] for run in runs[case.name, quant]),
            "prefill_tps": statistics.median(run[1] for run in runs[case.name, quant]),
        }
        for case, quant in chosen
    ]
    return {"bandwidth_gib_s": statistics.median(bandwidths), "compute_tflops": statistics.median(computes), "lines": lines}


def compared(report: dict[str, Any]) -> dict[str, Any]:
    """The report with predictions beside what was measured, `CALIBRATED_ON` first."""
    calibration = Calibration()
    here = _with(detect(), report["bandwidth_gib_s"], report["compute_tflops"])
    lines = sorted(report["lines"], key=lambda line: line["case"] != CALIBRATED_ON)
    for line in lines:
        case = next(case for case in CASES if case.name == line["case"])
        quant, tokens = line["quant"], line["prompt_tokens"]
        plain = predicted(case, quant, here, tokens, None)
        line["calibrated_on"] = case.name == CALIBRATED_ON
        for _ in range(KNOWN_AFTER_REPLIES if line["calibrated_on"] else 0):
            calibration.observe(
                engine="llamacpp",
                model_id=case.model_id,
                quant=quant,
                decode_ratio=line["decode_tps"] / plain[0],
                prefill_ratio=line["prefill_tps"] / plain[1],
            )
        guess = predicted(case, quant, here, tokens, calibration)
        line["decode_before"], line["prefill_before"] = plain
        line["decode_predicted"], line["prefill_predicted"] = guess
    return {**report, "lines": lines}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("build/memory-checkpoints"), help="folder of the checkpoints")
    parser.add_argument(
        "--quants", nargs="*", default=["q8_0", "q4_K_M", "bf16"], help="those whose files are there are run"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--skip", nargs="*", default=[], help="cases to leave out")
    parser.add_argument("--again", type=Path, help="predict anew for what was measured into this file, and run nothing")
    parser.add_argument("--out", type=Path, help="write the lines as JSON")
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        run_once(args.run[0], int(args.run[1]))
    found = json.loads(args.again.read_text()) if args.again else measure(args.work, args.quants, args.rounds, args.skip)
    report = compared(found)
    _print(report)
    if args.out:
        args.out.write_text(json.dumps(report, indent=1) + "\n")


def _with(machine: Machine, bandwidth: float, compute: float) -> Machine:
    devices = tuple(
        replace(d, bandwidth_gib_s=bandwidth, compute_tflops=compute, measured=True) if d.kind == "cpu" else d
        for d in machine.devices
    )
    return replace(machine, devices=devices)


def _print(report: dict[str, Any]) -> None:
    print(f"memory {report['bandwidth_gib_s']:.1f} GiB/s, {report['compute_tflops']:.3f} TFLOPS")
    print(
        f"{'case':<18} {'quant':<7} {'decode':>8} {'predicted':>9} {'error':>7} {'prefill':>9} {'predicted':>9} {'error':>7}"
    )
    for line in report["lines"]:
        errors = [line[f"{part}_predicted"] / line[f"{part}_tps"] - 1 for part in ("decode", "prefill")]
        print(
            f"{line['case']:<18} {line['quant']:<7} {line['decode_tps']:>8.2f} {line['decode_predicted']:>9.2f} "
            f"{errors[0]:>+7.0%} {line['prefill_tps']:>9.1f} {line['prefill_predicted']:>9.1f} {errors[1]:>+7.0%}"
            + ("  calibrated on" if line["calibrated_on"] else "")
        )


if __name__ == "__main__":
    main()
