"""The wheel carries all that a user needs and runs without the checkout; `make wheel` does so in a bare environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(REPOSITORY)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return next(out.glob("*.whl"))


def test_the_wheel_carries_data_and_no_stray_top_level_package(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "qwen_router/policies/balanced.yaml",
        "qwen_router/tools/calculator.py",
        "qwen_router/catalog/data/qwen3.yaml",
        "qwen_router/profile/data/classifier.npz",
        "qwen_router/prompts/data/mathematics.yaml",
        "qwen_router/demo/qwen3-nano/model.safetensors",
        "qwen_router/demo/qwen3-nano/qwen3-nano-q8_0.gguf",
        "qwen_router/py.typed",
    ):
        assert needed in names, f"{needed} is missing"
    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == {"qwen_router"}
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_stays_small(wheel: Path) -> None:
    sizes = {info.filename: info.file_size for info in zipfile.ZipFile(wheel).infolist()}
    classifier = sum(size for name, size in sizes.items() if name.startswith("qwen_router/profile/data/"))
    checkpoint = sum(size for name, size in sizes.items() if name.startswith("qwen_router/demo/qwen3-nano/"))
    assert classifier <= 20 * 1024**2
    assert checkpoint <= 12 * 1000**2


def test_the_installed_wheel_routes_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(site),
        str(wheel),
    ]
    subprocess.run(install, check=True, timeout=120)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    where = [sys.executable, "-c", "import qwen_router; print(qwen_router.__file__)"]
    found = subprocess.run(
        where, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert found.startswith(str(site))
    route = [sys.executable, "-m", "qwen_router", "route", "--json", "What is 12 * 13?"]
    done = subprocess.run(route, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["policy"] == "balanced"
