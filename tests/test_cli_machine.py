"""`fit`, `hardware` and `models` as a person meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qwen_router.demo import demo_gguf
from tests.test_cli import lines, run


def test_fit_without_a_model_lists_what_runs_in_80_columns() -> None:
    code, out, err = run("fit", "--machine", "rtx-4090", environment={"COLUMNS": "80"})
    assert code == 0 and err == ""
    table = out.splitlines()
    assert max(len(line.rstrip()) for line in table[:-4]) <= 80 and max(map(len, table)) <= 90
    assert table[0].split()[:3] == ["model", "quant", "GiB"]
    assert any(line.startswith("Qwen3-8B ") and "q8_0" in line and line.rstrip().endswith("cuda0") for line in table)
    assert "predicted" in table[-4]


def test_fit_lists_by_domain_order_and_context_for_programs() -> None:
    code, out, _ = run(
        "fit", "--machine", "rtx-4090", "--json", "--for", "math", "--sort", "speed", "--min-context", "32768"
    )
    rows = lines(out)
    assert code == 0 and len(rows) > 30
    speeds = [float(str(row["decode_tps"])) for row in rows]
    assert speeds == sorted(speeds, reverse=True)
    keys = {"model", "quant", "engine", "device", "max_context_tokens", "total_mib", "decode_tps", "quality", "scored"}
    assert all(keys <= set(row) for row in rows)


def test_several_models_are_fitted_and_explained() -> None:
    code, out, _ = run("fit", "qwen3:8b", "Qwen3-32B", "--machine", "rtx-3060-12", "--explain", "--context", "4096")
    assert code == 0
    assert "Qwen/Qwen3-8B q4_K_M: fits" in out and "Qwen/Qwen3-32B q4_K_M: fits" in out
    assert "layers fit on cuda0, the rest in main memory" in out
    assert "decode   cpu:" in out and "decode   cuda0:" in out
    code, out, _ = run("fit", "qwen3:8b", "Qwen3-32B", "--machine", "rtx-3060-12", "--json")
    assert code == 0 and [row["model"] for row in lines(out)] == ["Qwen/Qwen3-8B", "Qwen/Qwen3-32B"]


def test_a_picture_a_video_and_a_sound_are_told_in_tokens() -> None:
    media = ("--image", "1920x1080", "--video", "640x480x10")
    code, out, _ = run("fit", "Qwen3-VL-8B-Instruct", "--machine", "rtx-4090", *media)
    assert code == 0 and "an image of 1920x1080 takes 2,042 tokens" in out and "a video of 640x480x10 s takes" in out
    code, out, _ = run("fit", "Qwen2-Audio-7B-Instruct", "--machine", "rtx-4090", "--audio", "10", "--json")
    assert code == 0 and lines(out)[0]["media_tokens"] == {"10 s of sound": 252}
    code, _, err = run("fit", "Qwen3-VL-8B-Instruct", "--image", "big")
    assert code == 2 and "'big' is no size" in err
    code, _, err = run("fit", "Qwen3-8B", "--image", "640x480")
    assert code != 0 and "takes no images" in err


def test_vllm_is_asked_in_its_own_way() -> None:
    options = ("--engine", "vllm", "--machine", "2xh100-80", "--tensor-parallel", "2")
    code, out, _ = run("fit", "Qwen3-32B", *options)
    assert code == 0 and "requests of 8192 tokens" in out and "blocks of 16 tokens" in out
    code, out, _ = run("fit", "Qwen3-32B", *options, "--json")
    row = lines(out)[0]
    assert row["fits"] is True and row["devices"] == ["cuda0", "cuda1"] and int(str(row["blocks"])) > 1000


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(("fit", "--sort", "sped"), 2, "'speed'", id="misspelt-order"),
        pytest.param(("fit", "--for", "maths"), 2, "'math'", id="misspelt-domain"),
        pytest.param(("fit", "--min-context", "0"), 2, "at least 1 token, not 0", id="no-context"),
        pytest.param(("fit", "Qwen3-8B", "--context", "-1"), 2, "at least 1 token, not -1", id="negative-context"),
        pytest.param(("fit", "Qwen3-8B", "--context", "99999"), 2, "YaRN", id="past-the-limit"),
        pytest.param(("fit", "Qwen3-8B", "-q", "q4_K_L"), 2, "q4_K_M", id="misspelt-quantisation"),
        pytest.param(("fit", "Qwen3-8B", "--engine", "transformers", "-q", "q4_K_M"), 2, "cannot run", id="not-that-engine"),
        pytest.param(("fit", "Qwen3-235B-A22B", "--machine", "raspberry-pi-5-8"), 3, "", id="no-room"),
        pytest.param(("fit", "qwen-turbo"), 1, "served by its maker only", id="hosted"),
        pytest.param(("fit", "--machine", "raspberry-pi-5-9"), 2, "raspberry-pi-5-8", id="misspelt-machine"),
        pytest.param(("hardware", "--measure", "--machine", "rtx-4090"), 2, "cannot be measured", id="measuring-a-plan"),
        pytest.param(("models", "show", "qwen3:9b"), 2, "qwen3:8b", id="misspelt-model"),
        pytest.param(("models", "compare", "Qwen3-8B"), 2, "two models or more", id="one-is-no-comparison"),
        pytest.param(("models", "guide", "codings"), 2, "'coding'", id="misspelt-use"),
        pytest.param(("models", "guide"), 2, "no use is named", id="nobody-to-ask"),
        pytest.param(("models", "add", "not/there"), 2, "there is no", id="no-checkpoint"),
    ],
)
def test_a_wrong_question_is_answered_with_what_was_meant(words: tuple[str, ...], code: int, said: str) -> None:
    got, out, err = run(*words)
    assert got == code and said in err, (got, out, err)


def test_hardware_lists_machines_and_writes_one_that_can_be_planned_for(tmp_path: Path) -> None:
    code, out, _ = run("hardware", "--presets")
    assert code == 0 and len(out.splitlines()) >= 80 and "rtx-4090" in out
    file = tmp_path / "mine.yaml"
    code, _, err = run("hardware", "--machine", "m4-pro-48", "--save", str(file))
    assert code == 0 and str(file) in err
    code, out, _ = run("fit", "Qwen3-8B", "--machine", str(file))
    assert code == 0 and "metal0" in out


def test_models_are_shown_and_compared() -> None:
    code, out, _ = run("models", "qwen3:8b")  # a name is `show`
    assert code == 0 and "id: Qwen/Qwen3-8B" in out and "size_class: medium" in out and "best_use:" in out
    code, out, _ = run("models", "compare", "Qwen3-8B", "Qwen3.5-9B", "--json")
    both = json.loads(out)
    assert code == 0 and both["models"] == ["Qwen/Qwen3-8B", "Qwen/Qwen3.5-9B"]
    assert both["facts"]["context"] == ["32,768", "262,144"]
    assert all(sum(value is not None for value in values) == 2 for values in both["scores"].values()) and both["scores"]
    code, out, _ = run("models", "compare", "--families", "--json")
    families = {row["family"]: row for row in lines(out)}
    assert code == 0 and len(families) >= 25 and families["qwen3"]["strengths"] and families["qwen2.5-coder"]["best_use"]


@pytest.mark.parametrize(
    "use", ["basic", "math", "coding", "vision", "audio", "enterprise", "edge", "agents", "multilingual"]
)
def test_the_guide_advises_for_every_use(use: str) -> None:
    code, out, _ = run("models", "guide", use, "--machine", "rtx-4090", "--json")
    rows = lines(out)
    assert code == 0 and rows and all(row["get"] for row in rows)
    if use == "enterprise":
        assert {row["licence"] for row in rows} <= {"apache-2.0", "qwen", "tongyi-qianwen"}


def test_a_model_of_one_s_own_is_added_from_its_header_and_then_known(tmp_path: Path) -> None:
    home = {"XDG_CONFIG_HOME": str(tmp_path)}
    code, out, _ = run("models", "add", str(demo_gguf()), "--name", "me/tiny", "--dry-run", environment=home)
    assert code == 0 and "id: me/tiny" in out and not list(tmp_path.rglob("*.yaml"))
    code, out, _ = run("models", "add", str(demo_gguf()), "--name", "me/tiny", environment=home)
    assert code == 0 and "me/tiny: written to" in out
    code, out, _ = run("fit", "me/tiny", "--context", "512", environment=home)
    assert code == 0 and "me/tiny q4_K_M: fits" in out
