"""Finds a running Foundry Local: its port changes with every start, so its own command is asked.

`foundry service status` prints the address of the service, which its Python SDK up to 0.5 reads the same way (later ones
run the service in their own process and name their addresses in `FoundryLocalManager.urls`: give such an address in
QWEN_ROUTER_ENDPOINTS). Nothing is started here. The service then speaks as an OpenAI-compatible server.

    python -c "from qwen_router.engines.foundry import service_address; print(service_address())"
"""

from __future__ import annotations

import re
import shutil
import subprocess

STATUS_TIMEOUT_S = 5.0
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.\-]+:\d+")


def service_address() -> str | None:
    """The address of the running service; None where Foundry Local is not installed or does not run."""
    command = shutil.which("foundry")
    if command is None:
        return None
    try:
        said = subprocess.run(
            [command, "service", "status"], capture_output=True, text=True, timeout=STATUS_TIMEOUT_S, check=False
        ).stdout
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    found = _ADDRESS.search(said)
    return found[0] if found else None
