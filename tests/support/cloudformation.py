"""The CloudFormation template, as the tests read it and as moto can deploy it."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
NO_VALUE = {"Ref": "AWS::NoValue"}
# Of these moto's CloudFormation makes nothing: it warns, and references to them fail.
NOT_IN_MOTO = {
    "AWS::CloudWatch::Alarm",
    "AWS::EMRServerless::Application",
    "AWS::RedshiftServerless::Namespace",
    "AWS::RedshiftServerless::Workgroup",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::Scheduler::Schedule",
}


def template() -> dict[str, Any]:
    """Return a copy of the template, its short tags written out as `Fn::...`."""
    return dict(json.loads(_template_as_json()))


@cache
def _template_as_json() -> str:
    return json.dumps(_renderer()["read_template"]())


@cache
def _renderer() -> dict[str, Any]:
    return runpy.run_path(str(DEPLOY / "render_iam.py"))


def filled_in(value: Any) -> Any:
    """Return a part of the template as the IAM documents have it: placeholders, all options on."""
    return _renderer()["filled_in"](value)


def resources_of(kind: str) -> dict[str, Any]:
    """Return logical id -> resource of one type."""
    return {k: r for k, r in template()["Resources"].items() if r["Type"] == kind}


def for_moto(application: Mapping[str, str]) -> str:
    """Return the template as JSON without what moto cannot make.

    `application` (`id`, `arn`) takes the place of the EMR Serverless application. Entries of lists
    that depend on a condition are left out, since moto makes null of them. The definition of the
    state machine is text with its `${...}`, since moto knows no substitutions.
    """
    found = template()
    found["Resources"] = {
        name: resource
        for name, resource in found["Resources"].items()
        if resource["Type"] not in NOT_IN_MOTO
    }
    machine = found["Resources"]["HopsMachine"]["Properties"]
    definition = json.dumps(machine.pop("Definition"))
    del machine["DefinitionSubstitutions"]
    found = _with_application(found, application)
    found["Resources"]["HopsMachine"]["Properties"]["DefinitionString"] = definition
    return json.dumps(found)


def definition(values: Mapping[str, str], *, broken: str = "", at_work: bool = False) -> str:
    """Return the state machine's definition as moto can run it, with `values` for its `${...}`.

    moto has no `.sync` for EMR Serverless, and passes parameters on as they are written, where AWS
    turns their names around. Retries come at once. The job of the state `broken` goes to an
    application that is not there. `at_work` is whether another execution is running.
    """
    machine = template()["Resources"]["HopsMachine"]["Properties"]["Definition"]
    for name, state in machine["States"].items():
        if ":sns:" not in state.get("Resource", ":sns:"):
            state["Parameters"] = _in_lower_case(state["Parameters"])
            state["Resource"] = state["Resource"].removesuffix(".sync")
        if name == broken:
            state["Parameters"]["applicationId"] = "missing"
        for retry in state.get("Retry", ()):
            retry |= {"IntervalSeconds": 1, "MaxAttempts": 1}
    if at_work:
        running = {"executions": [{"name": "first"}, {"name": "this"}]}
        following = machine["States"]["CountRuns"]["Next"]
        machine["States"]["CountRuns"] = {"Type": "Pass", "Result": running, "Next": following}
    text = json.dumps(machine).replace("$.Executions[1]", "$.executions[1]")
    return re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], text)


def _with_application(value: Any, application: Mapping[str, str]) -> Any:
    match value:
        case {"Ref": "Application"}:
            return application["id"]
        case {"Fn::GetAtt": ["Application", "Arn"]}:
            return application["arn"]
        case dict():
            return {key: _with_application(entry, application) for key, entry in value.items()}
        case list():
            kept = [entry for entry in value if not _is_optional(entry)]
            return [_with_application(entry, application) for entry in kept]
        case str():
            text = value.replace("${Application.Arn}", application["arn"])
            return text.replace("${Application}", application["id"])
    return value


def _is_optional(entry: Any) -> bool:
    return isinstance(entry, dict) and "Fn::If" in entry and entry["Fn::If"][2] == NO_VALUE


def _in_lower_case(value: Any) -> Any:
    if isinstance(value, dict):
        return {key[0].lower() + key[1:]: _in_lower_case(entry) for key, entry in value.items()}
    return value
