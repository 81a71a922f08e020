"""`policy`: list, show, compare, check, test and replay policies, before anybody is routed by them.

qwen-router policy lint mine.yaml && qwen-router policy test mine.yaml
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwen_router.cli.common import JsonOption, MachineOption, give, print_json, say
from qwen_router.errors import InvalidPolicy, UnknownName

if TYPE_CHECKING:
    from qwen_router.decide.planner import Planner
    from qwen_router.decide.policy_check import Tested
    from qwen_router.policy import Policy
    from qwen_router.policy.lint import Finding

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="List, show, lint, test, compare and simulate policies.",
)
Name = Annotated[str, typer.Argument(help="A policy by name, or a YAML file.", show_default=False)]


def add_to(parent: typer.Typer) -> None:
    from qwen_router.cli.policy_simulate import simulate

    app.command("simulate")(simulate)
    parent.add_typer(app, name="policy")


@app.command("list")
def list_policies(as_json: JsonOption = False) -> None:
    """List every policy that can be found: those of the working folder first, then the user's, then the shipped ones."""
    from qwen_router.policy import Policy, policy_names
    from qwen_router.policy.load import path_of

    for name in policy_names():
        row: dict[str, Any] = {"name": name, "path": str(path_of(name))}
        try:
            policy = Policy.load(name)
            row |= {
                "description": policy.description,
                "extends": policy.extends,
                "rules": len(policy.rules),
                "tests": len(policy.tests),
            }
        except (InvalidPolicy, UnknownName) as error:  # a broken file must not hide the others
            row |= {"description": f"BROKEN: {error.problem}", "error": error.problem}
        if as_json:
            print_json(row)
        else:
            say(f"{name:<21} {row['description']}", hang=22)


@app.command()
def show(
    name: Name,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="With everything it inherits and every default, as decisions see it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show a policy's file, or with --resolved what counts in the end."""
    from qwen_router.policy import Policy
    from qwen_router.policy.load import source_of

    policy = Policy.load(name)  # a broken file is told before it is shown
    if as_json:
        print_json(policy.model_dump(mode="json", exclude_unset=not resolved))
    elif resolved:
        import yaml

        data = policy.model_dump(mode="json")
        for rule in data["rules"]:  # what a rule does not say has no default
            for part in ("when", "then"):
                rule[part] = {key: value for key, value in rule[part].items() if value not in (None, [], False)}
        typer.echo(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100).rstrip())
    else:
        typer.echo(source_of(name)[1].rstrip())


@app.command()
def schema(
    out: Annotated[Path | None, typer.Option("--out", help="Write it to this file instead.")] = None,
) -> None:
    """Print the JSON Schema of policy files, for editors (yaml-language-server: $schema=FILE)."""
    import json

    from qwen_router.policy import json_schema

    give(json.dumps(json_schema(), indent=2, ensure_ascii=False), out)


@app.command()
def diff(
    a: Annotated[str, typer.Argument(help="The first policy, by name or file.", show_default=False)],
    b: Annotated[str, typer.Argument(help="The second one.", show_default=False)],
    jsonl: Annotated[
        str | None, typer.Option("--jsonl", help="Also list the requests of this file whose model differs (as `simulate`).")
    ] = None,
    machine: MachineOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which keys of two policies differ, everything inherited and every default counted; and for which requests."""
    from qwen_router.policy import Policy

    one, other = Policy.load(a), Policy.load(b)
    left, right = _flat(one), _flat(other)
    keys = [key for key in dict.fromkeys((*left, *right)) if left.get(key) != right.get(key)]
    changed: list[dict[str, Any]] = []
    if jsonl is not None:
        from qwen_router.cli.policy_simulate import models_that_differ

        changed = models_that_differ(jsonl, old=one, new=other, machine=machine)
    if as_json:
        print_json({"keys": {key: [left.get(key), right.get(key)] for key in keys}, "requests": changed})
        return
    for key in keys:
        typer.echo(f"{key}: {_short(left.get(key))} -> {_short(right.get(key))}")
    if not keys:
        typer.echo("no key differs")
    if jsonl is not None:
        typer.echo(f"{len(changed)} requests go to another model")
        for row in changed:
            typer.echo(f"  {row['id']}: {row['old']} -> {row['new']}  {row['text']}")


def _flat(policy: Policy) -> dict[str, Any]:
    """Every value by its path of keys; rules by their names."""
    flat: dict[str, Any] = {}

    def walk(value: Any, path: str) -> None:
        if isinstance(value, dict) and value:
            for key, below in value.items():
                walk(below, f"{path}.{key}" if path else key)
        else:
            flat[path] = value

    data = policy.model_dump(mode="json", exclude={"name", "description", "extends", "tests", "rules"})
    walk(data, "")
    for r, rule in enumerate(policy.rules):
        flat[f"rules[{rule.name}]"] = {"at": r, **rule.model_dump(mode="json", exclude_unset=True, exclude={"name"})}
    return flat


def _short(value: Any) -> str:
    import json

    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 160 else text[:157] + "..."


# ── lint ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@app.command()
def lint(name: Name, machine: MachineOption = None, as_json: JsonOption = False) -> None:
    """Find what in a policy never applies, contradicts itself, names nothing, leaves requests without a model, or is secret.

    Exit code 1 when there is an error, 0 when there are only warnings, 2 when the file is no policy.
    """
    from qwen_router.catalog import Catalog
    from qwen_router.decide.policy_check import uncovered
    from qwen_router.policy.lint import Linted
    from qwen_router.policy.lint import as_json as lines
    from qwen_router.policy.lint import lint as findings_of

    linted = Linted.read(name)
    findings = list(findings_of(linted, Catalog.load()))
    if not any(_stops_deciding(finding) for finding in findings):
        findings = sorted([*findings, *uncovered(linted, _planner(machine))], key=lambda f: (f.line or 0, f.key))
    if as_json:
        print_json({"policy": linted.policy.name, "file": linted.name, "findings": lines(findings)})
    else:
        for finding in findings:
            typer.echo(_told(finding, linted.name))
        if not findings:
            typer.echo(f"{linted.name}: nothing found")
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)


def _stops_deciding(finding: Finding) -> bool:
    """Whether the policy cannot be decided by at all until this is put right."""
    policies = finding.kind == "unknown-name" and finding.key.endswith("then.policy")
    return policies or finding.kind == "switch-circle" or (finding.severity, finding.key[:7]) == ("error", "quants.")


def _told(finding: Finding, file: str) -> str:
    where = f"{file}, line {finding.line}" if finding.line else file
    key = f" ({finding.key})" if finding.key else ""
    return f"{finding.severity}: {where}{key}: {finding.problem}\n  try: {finding.fix}"


def _planner(machine: str | None) -> Planner:
    from qwen_router.catalog import Catalog
    from qwen_router.cli.machine import machine_for
    from qwen_router.decide.planner import Planner

    return Planner(machine_for(machine), Catalog.load())


# ── test ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@app.command()
def test(
    names: Annotated[
        list[str] | None, typer.Argument(help="Policies by name or file; none: all.", show_default=False)
    ] = None,
    machine: Annotated[
        str | None, typer.Option("--machine", "-m", help="For cases that name no machine; else this one.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run the cases that stand in policy files (`tests:`): every text through classifier and decision, as advice.

    Exit code 1 when one fails or a named policy has none. Clock, load and spending are unknown here: rules that ask for them
    do not apply.
    """
    from qwen_router.decide.policy_check import run_case
    from qwen_router.policy import Policy, policy_names

    policies = [Policy.load(name) for name in names or policy_names()]
    planners: dict[str | None, Planner] = {}
    failed = ran = 0
    for policy in policies:
        for case in policy.tests:
            where = case.machine or machine
            if where not in planners:
                planners[where] = _planner(where)
            tested = run_case(case, policy, planners[where])
            ran, failed = ran + 1, failed + (not tested.passed)
            if as_json:
                print_json(_case_line(policy.name, tested))
            else:
                typer.echo(_case_text(policy.name, tested))
        if names and not policy.tests:
            typer.echo(f"{policy.name}: no cases; write some under `tests:`", err=True)
            failed += 1
    if not as_json:
        typer.echo(f"{ran - failed} of {ran} cases passed" if ran else "no cases")
    if failed:
        raise typer.Exit(1)


def _case_line(policy: str, tested: Tested) -> dict[str, Any]:
    chosen = tested.planned.decision.chosen
    return {
        "policy": policy,
        "case": tested.case.name,
        "machine": tested.machine,
        "passed": tested.passed,
        "failures": list(tested.failures),
        "decided": None if chosen is None else chosen.label,
        "model": None if chosen is None else chosen.build.model.id,
        "rules": list(tested.planned.rules),
        "policies": list(tested.planned.policies),
        "reason": tested.planned.decision.reason,
    }


def _case_text(policy: str, tested: Tested) -> str:
    from qwen_router.decide.explain import duration

    chosen = tested.planned.decision.chosen
    what = "nothing fits"
    if chosen is not None:
        what = f"{chosen.label}, quality {chosen.quality:.2f}, {duration(chosen.total_s)}"
    rules = f" [{', '.join(tested.planned.rules)}]" if tested.planned.rules else ""
    head = f"{'pass' if tested.passed else 'FAIL'}  {policy}: {tested.case.name}, {tested.machine}: {what}{rules}"
    return "\n".join((head, *(f"      {failure}" for failure in tested.failures)))
