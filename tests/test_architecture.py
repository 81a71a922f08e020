"""The house's own rules: imports run one way, the public names are pinned, importing touches nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import qwen_router

PACKAGE = Path(qwen_router.__file__).parent

# The order in which data walks through the rooms. A room imports from rooms to its left; a door from everything but doors.
ROOMS = (
    "errors",
    "folders",
    "media",
    "control_tokens",
    "body_fields",
    "request",
    "profile",
    "catalog",
    "prompts",
    "hardware",
    "policy",
    "decide",
    "demo",
    "settings",
    "engines",
    "pull",
    "embedding",
    "reply",
    "faults",
    "ledger",
    "decision_log",
    "reply_stream",
    "batch",
    "router",
)
DOORS = ("langchain", "agent", "service", "cli")
BESIDE = (
    "tooling",
    "tool_context",
    "tool_files",
    "sandbox",
    "symbolic",
    "tool_tables",
    "tool_databases",
    "retrieval",
    "specialists",
    "web",
    "web_connection",
    "tool_kinds",
)
"""Load tools for the doors, say what these may use, and do what is more than a tool's file holds."""
BETWEEN_DOORS = {("cli", "service"), ("cli", "agent"), ("agent", "langchain")}
"""`serve` starts the service, `agent` the agent, and the agent is LangChain's, with our model and middleware in it."""
# Types that stand further left than the room they live in: values without logic, which other rooms name in their signatures.
LEAVES = {"catalog.types": "request", "hardware.machine": "request", "profile.types": "request"}
HEAVY = {
    "torch",
    "transformers",
    "langchain",
    "langchain_core",
    "httpx",
    "ollama",
    "xllamacpp",
    "onnxruntime_genai",
    "llguidance",
    "jinja2",
    "starlette",
    "rich",
    "typer",
    "langgraph",
    "langchain_community",
    "mcp",
    "duckdb",
    "sympy",
    "sqlalchemy",
    "matplotlib",
}


def modules() -> list[tuple[str, Path]]:
    return [
        (".".join(p.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"), p)
        for p in sorted(PACKAGE.rglob("*.py"))
        if "demo/qwen3" not in str(p)
    ]


def imports_of(path: Path) -> set[str]:
    """Every module that the file imports anywhere, `qwen_router.` kept, except under TYPE_CHECKING."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def room_of(module: str) -> str:
    return module.partition(".")[0]


def test_the_scan_sees_the_package() -> None:
    names = [name for name, _ in modules()]
    assert {"request", "decide.choose", "router"} <= set(names)
    assert {room_of(name) for name in names} - {""} <= {*ROOMS, *DOORS, *BESIDE, "qwen_router", "__init__", "__main__"}


@pytest.mark.parametrize(
    ("module", "path"), [pytest.param(m, p, id=m or "qwen_router") for m, p in modules() if room_of(m) in ROOMS]
)
def test_a_room_imports_only_from_rooms_to_its_left(module: str, path: Path) -> None:
    here = ROOMS.index(room_of(module))
    for imported in imports_of(path):
        if not imported.startswith("qwen_router."):
            continue
        target = imported.removeprefix("qwen_router.")
        home = LEAVES.get(target, room_of(target))
        assert home in ROOMS, f"{module} imports the door {target}"
        assert ROOMS.index(home) <= here or room_of(target) == room_of(module), f"{module} imports {target} from its right"


@pytest.mark.parametrize(("module", "path"), [pytest.param(m, p, id=m) for m, p in modules() if room_of(m) in DOORS])
def test_no_door_knows_another(module: str, path: Path) -> None:
    for imported in imports_of(path):
        door = room_of(imported.removeprefix("qwen_router."))
        if imported.startswith("qwen_router.") and door in DOORS and door != room_of(module):
            assert (room_of(module), door) in BETWEEN_DOORS, f"{module} imports {imported}"


@pytest.mark.parametrize(
    ("module", "path"),
    [pytest.param(m, p, id=m) for m, p in modules() if room_of(m) in ("decide", "policy", "catalog", "request")],
)
def test_the_core_imports_nothing_heavy(module: str, path: Path) -> None:
    assert not {name.partition(".")[0] for name in imports_of(path)} & HEAVY


def test_the_public_names_are_pinned() -> None:
    assert tuple(qwen_router.__all__) == (
        "Request",
        "Message",
        "Profile",
        "Catalog",
        "Machine",
        "Policy",
        "Candidate",
        "Verdict",
        "Decision",
        "Reply",
        "Router",
        "RouterError",
    )
    for name in qwen_router.__all__:
        assert getattr(qwen_router, name).__name__ == name
    with pytest.raises(AttributeError, match="no_such_name"):
        qwen_router.no_such_name  # noqa: B018


def test_importing_opens_no_file_beyond_code_and_no_socket_and_needs_no_extra() -> None:
    program = (
        f"blocked = {sorted(HEAVY - {'typer'})!r}"
        + """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in blocked:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Refuse())
opened = []
def watch(event, args):
    if event == 'open' and (str(args[0]).endswith(('.py', '.pyc', '.so', '.pth')) or args[1] != 'r'):
        return
    if event in ('open', 'socket.connect'):
        opened.append((event, str(args[0])))
sys.addaudithook(watch)
import qwen_router
from qwen_router import Request
print(opened)
"""
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("module", "path"), [pytest.param(m, p, id=m or "qwen_router") for m, p in modules()])
def test_every_module_says_what_it_does_and_no_file_holds_two_ideas(module: str, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), f"{module} has no docstring"
    assert len(text.splitlines()) <= 500, f"{module} is longer than 500 lines"
