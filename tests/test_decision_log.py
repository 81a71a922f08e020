"""Decisions in a file: no word of the request, the same decision anew, a file that stays within its bound."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from qwen_router import Policy, Request, Router
from qwen_router.decide import candidate_table, decide
from qwen_router.decision_log import DecisionLog, circumstances_of, entry, profile_of, request_of
from qwen_router.engines.fake import FakeEngine
from qwen_router.errors import InvalidRequest, UnknownName
from qwen_router.policy import Circumstances, Previous, Spent
from qwen_router.request import Message, ToolSpec, Wishes
from qwen_router.settings import Settings
from tests.test_cli import lines, run
from tests.worlds import Abilities, build, machine, model, profile

SECRET = "my diagnosis is none of your business"
BUILDS = (build(model("small")), build(model("large", width=4)))
ABILITIES = Abilities({(name, on): 1.0 * (name == "large") + on for name in ("small", "large") for on in (False, True)})
POLICY = Policy.from_yaml("name: x\nrules: [{name: night, when: {hours: 22:00-06:00}, then: {thinking: off}}]")


@pytest.mark.parametrize(
    ("request_", "circumstances"),
    [
        pytest.param(Request.from_text(SECRET), Circumstances(), id="plain"),
        pytest.param(
            replace(
                Request.from_text(SECRET),
                tools=(ToolSpec("add", SECRET, {"type": "object"}),),
                wishes=Wishes(thinking_budget_tokens=700, stop=("END",)),
                user="ann",
                groups=("staff",),
            ),
            Circumstances(23 * 60, "mon", 0.5, Spent(1.0, 2.0, 3), Spent(), Previous(("llamacpp", "", "small"), True, 9, 8)),
            id="everything-said",
        ),
        pytest.param(Request((Message("user", SECRET), Message("tool", SECRET))), Circumstances(), id="in-a-tool-loop"),
    ],
)
def test_a_line_holds_no_word_of_the_request_and_makes_the_same_decision(
    request_: Request, circumstances: Circumstances
) -> None:
    table = candidate_table(BUILDS, machine(), POLICY, abilities=ABILITIES)
    needs = profile(depth=0.8)
    made = decide(request_, needs, table, decision_id="abc", circumstances=circumstances)
    text = json.dumps(entry(request_, made, circumstances))
    assert SECRET not in text and "diagnosis" not in text
    line = json.loads(text)
    again = decide(request_of(line), profile_of(line), table, decision_id="abc", circumstances=circumstances_of(line))
    assert again.chosen == made.chosen and again.reason == made.reason
    assert again.causes.tolist() == made.causes.tolist() and again.order.tolist() == made.order.tolist()


def test_the_log_is_read_back_found_by_the_beginning_of_an_id_and_cut(tmp_path: Path) -> None:
    table = candidate_table(BUILDS, machine(), POLICY, abilities=ABILITIES)
    log = DecisionLog(tmp_path / "deep" / "log.jsonl", max_bytes=20_000)
    assert list(log.entries()) == []
    for number in range(40):
        log.add(
            Request.from_text("x"),
            decide(Request.from_text("x"), profile(), table, decision_id=f"{number:04d}"),
            Circumstances(),
        )
    assert log.path.stat().st_size <= 22_000
    ids = [line["id"] for line in log.entries()]
    assert ids[-1] == "0039" and ids == sorted(ids) and 5 < len(ids) < 40
    assert log.find("0039")["id"] == "0039"
    with pytest.raises(UnknownName, match="0038"):
        log.find("003a")
    with pytest.raises(InvalidRequest, match="decisions begin with '003'"):
        log.find("003")
    with log.path.open("a") as file:
        file.write("{broken\n[]\n")
    assert [line["id"] for line in log.entries()] == ids


def test_a_log_that_cannot_be_written_stops_no_answer(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = Settings(decision_log=tmp_path / "file" / "log.jsonl")
    with_log = Router(engines=[FakeEngine(answers=["4"])], settings=settings)
    decision = with_log.route("What is 2 + 2?")
    assert with_log.logged(Request.from_text("What is 2 + 2?"), decision) is decision
    with_log.close()


def test_the_commands_list_and_show_and_say_what_differs(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    here = {"QWEN_ROUTER_DECISIONS": str(log)}
    code, out, _ = run("route", "--json", SECRET, environment=here)
    decision_id = str(lines(out)[0]["decision_id"])
    assert code == 0 and SECRET not in log.read_text()
    code, out, _ = run("decisions", environment=here)
    assert code == 0 and decision_id[:8] in out and "balanced" in out
    code, out, _ = run("decisions", "show", decision_id[:10], environment=here)
    assert code == 0 and decision_id in out and "today       the same" in out, out
    changed = json.loads(log.read_text())
    changed["chosen"]["model"] = "Qwen/Qwen-7B-Chat"
    log.write_text(json.dumps(changed) + "\n")
    code, out, _ = run("decisions", "show", decision_id[:10], environment=here)
    assert code == 0 and "differs: model" in out and "instead of Qwen/Qwen-7B-Chat" in out and "understood" in out
    code, _, err = run("decisions", "show", "ffff", environment=here)
    assert code == 2 and "ffff" in err
    code, _, err = run("decisions", environment={"QWEN_ROUTER_DECISIONS": "off"})
    assert code == 2 and "not logged" in err
