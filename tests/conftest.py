"""What every test gets: no sockets, a home of its own, the repository's folders at hand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from pytest_socket import disable_socket, enable_socket, socket_allow_hosts

# A shared machine is slow at times: how long an example takes is benchmarks/' business.
# In CI the examples are the same every time; at home they wander.
hypothesis.settings.register_profile("house", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("house")

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _no_sockets_unless_marked(request: pytest.FixtureRequest) -> Iterator[None]:
    """Any socket fails the test at once; `@pytest.mark.loopback` allows this computer only."""
    if request.node.get_closest_marker("loopback"):
        socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)
    else:
        disable_socket(allow_unix_socket=True)  # an asyncio loop needs its socket pair
    yield
    enable_socket()


@pytest.fixture(autouse=True)
def _home_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """User folders are empty, and no setting of the person who runs the tests leaks in."""
    for variable in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    for variable in (
        "OLLAMA_HOST", "OLLAMA_MODELS", "OPENAI_API_KEY", "QWEN_ROUTER_ENDPOINTS", "QWEN_ROUTER_POLICY",
        "QWEN_ROUTER_MODELS", "HF_ENDPOINT", "HF_HOME", "HF_TOKEN", "HF_HUB_OFFLINE",
        "MODELSCOPE_ENDPOINT", "MODELSCOPE_API_TOKEN",
    ):  # fmt: skip
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def repository() -> Path:
    return REPOSITORY
