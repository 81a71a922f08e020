"""Every notebook runs from top to bottom on a machine without models, and is stored without outputs."""

from __future__ import annotations

import ast
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
EXTRAS_THEY_MAY_USE = {"qwen_router", "IPython", "itertools", "pathlib"}


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    return request.param  # type: ignore[no-any-return]


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_is_a_first_notebook() -> None:
    assert "01_first_steps" in [path.stem for path in NOTEBOOKS]


def test_a_notebook_is_stored_without_outputs_and_is_valid(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert all(not cell.outputs and cell.execution_count is None for cell in code_cells(notebook))
    assert "language_info" in notebook.metadata and "version" not in notebook.metadata["language_info"]


def test_a_notebook_imports_only_what_its_first_cell_installs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    for cell in code_cells(notebook):
        for node in ast.walk(ast.parse(cell.source)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.partition(".")[0] for name in names} <= EXTRAS_THEY_MAY_USE


@pytest.mark.loopback
@pytest.mark.timeout(300)
def test_a_notebook_runs_and_its_answers_hold_no_tag(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")  # nobody answers there: the walk is the same everywhere
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(path.parent.parent), os.environ.get("PYTHONPATH", "")]))
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata["kernelspec"]["name"] = _kernel(tmp_path, monkeypatch)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the notebook client, not of what it runs
        NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()
    printed = "".join(_text(output) for cell in code_cells(notebook) for output in cell.outputs)
    assert not any(output.get("name") == "stderr" for cell in code_cells(notebook) for output in cell.outputs), printed
    assert "<think>" not in printed and "</think>" not in printed and "<tool_call>" not in printed
    assert "demonstration model" in printed


def _kernel(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A kernel of this very Python, whatever kernels the computer has installed."""
    from jupyter_client.kernelspec import KernelSpecManager

    monkeypatch.setenv("JUPYTER_PATH", str(folder / "share"))
    home = folder / "share" / "kernels" / "this_python"
    home.mkdir(parents=True)
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "this",
        "language": "python",
    }
    (home / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    assert "this_python" in KernelSpecManager().find_kernel_specs()
    return "this_python"


def _text(output: Any) -> str:
    return str(output.get("text", "")) + str(output.get("data", {}).get("text/markdown", ""))
