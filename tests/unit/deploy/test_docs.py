"""The commands of the pages about AWS: they can be typed as they are, one after the other."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import botocore.session
import click
import pytest
from botocore import xform_name
from support.cloudformation import DEPLOY, filled_in, template

from ingest.cli import cli

PAGES = DEPLOY.parent / "docs/operations"
NAMES = ("aws.md", "redshift.md")
# Made by the AWS CLI itself out of several calls; AWS's description of its services lacks them.
OF_THE_CLI = {
    ("cloudformation", "deploy"),
    ("cloudformation", "wait"),
    ("configure", "export-credentials"),
    ("sso", "login"),
    ("s3", "rm"),
    ("s3", "cp"),
    ("s3", "sync"),
}
FOR_EVERY_CALL = {"max-items", "output", "query"}
# The CLI's short forms of a rule, which AWS takes as a structure.
SHORT_FORMS = {"authorize-security-group-ingress": {"cidr", "port", "protocol", "source-group"}}


@pytest.mark.parametrize("name", NAMES)
def test_the_shell_reads_them(name: str) -> None:
    subprocess.run(["bash", "-n"], input=_blocks(name), text=True, check=True, timeout=30)


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_has_been_set_before(name: str) -> None:
    known = {word.split("=")[0] for word in _environment().split()[1:]}
    for line in _blocks(name).splitlines():
        known |= set(re.findall(r"\b(\w+)=", line)) | set(re.findall(r"for (\w+) in", line))
        used = set(re.findall(r"\$\{?([A-Za-z_]\w*)", line))
        assert used <= known, line


def test_aws_knows_the_operations_and_their_options() -> None:
    session = botocore.session.get_session()
    called = set()
    for name in NAMES:
        for service, operation, options in _calls(name):
            called.add((service, operation))
            if (service, operation) not in OF_THE_CLI:
                missing, unknown = _compared(session, service, operation, options)
                assert not missing, (service, operation, missing)
                assert not unknown, (service, operation, unknown)
    assert called > OF_THE_CLI
    assert len(called) > 2 * len(OF_THE_CLI)


def test_a_wrong_option_is_seen() -> None:
    session = botocore.session.get_session()
    missing, unknown = _compared(session, "redshift-data", "describe-statement", {"ids"})
    assert (missing, unknown) == ({"id"}, {"ids"})


@pytest.mark.parametrize("name", NAMES)
def test_clickstream_knows_its_commands_and_their_options(name: str) -> None:
    begin = r"(?:^|\$\(|=\S+ )"
    found = re.findall(rf"{begin}clickstream ([a-z][^|)\n#]*)", _blocks(name), re.MULTILINE)
    assert len(found) >= 5
    for line in found:
        command: click.Command = cli
        words = line.split(" -- ")[0].split()
        while isinstance(command, click.Group) and words:
            command = command.commands[words.pop(0)]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_every_placeholder_of_the_iam_documents_is_explained() -> None:
    used = {
        name
        for path in (DEPLOY / "iam").glob("*.json")
        for name in re.findall(r"\$\{(\w+)\}", path.read_text(encoding="utf-8"))
    }
    table = (PAGES / "aws.md").read_text(encoding="utf-8").split("| Variable | Value |")[1]
    cells = [line.split(" | ")[0] for line in table.split("\n\n")[0].splitlines()[2:]]
    assert used == {name for cell in cells for name in re.findall(r"`([A-Z_]+)`", cell)}


def _blocks(name: str) -> str:
    """Return the shell commands of a page, each on one line."""
    text = (PAGES / name).read_text(encoding="utf-8")
    return "".join(re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)).replace(
        "\\\n", " "
    )


def _environment() -> str:
    return str(filled_in(template()["Outputs"]["Environment"]["Value"]))


def _calls(name: str) -> Iterator[tuple[str, str, set[str]]]:
    """Yield service, operation and options of each call of the AWS CLI, in text and tables too."""
    text = (PAGES / name).read_text(encoding="utf-8").replace("\\\n", " ")
    for found in re.finditer(r"(?:^|[`( ])aws ([a-z0-9-]+) ([a-z-]+)([^`\n]*)", text, re.MULTILINE):
        service, operation, rest = found.groups()
        options = re.findall(r"(?<= )--([a-z0-9-]+)", rest.split("aws ")[0])
        yield service, operation, set(options)


def _compared(
    session: Any, service: str, operation: str, options: set[str]
) -> tuple[set[str], set[str]]:
    """Return which options AWS requires and are not given, and which it does not know."""
    model = session.get_service_model(service)
    names = {xform_name(name, "-"): name for name in model.operation_names}
    shape = model.operation_model(names[operation]).input_shape
    known = {xform_name(member, "-") for member in shape.members} if shape else set()
    required = {xform_name(member, "-") for member in shape.required_members} if shape else set()
    known |= FOR_EVERY_CALL | SHORT_FORMS.get(operation, set())
    return required - options, options - known
