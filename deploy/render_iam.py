"""Write the IAM documents of clickstream.yaml to iam/, for those who do not use the template.

The template is the only source; `--check` exits with 1 and names each file that differs from it.
Each `${NAME}` is a value to put in, which `envsubst` does. Options of the template are on.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
TEMPLATE = HERE / "clickstream.yaml"
IAM = HERE / "iam"


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags."""


def read_template(path: Path = TEMPLATE) -> dict[str, Any]:
    """Return the template with its short tags written out: `!Ref x` as `{"Ref": "x"}`."""
    loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506  # a SafeLoader
    return dict(loaded)


def _written_out(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        raise TypeError(f"!{tag} has neither a text nor a list{node.start_mark}")
    if tag == "GetAtt":
        value = value.split(".", 1)
    return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _written_out)


def documents(template: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return file name -> document, for each role, who may take it on, and each policy."""
    return {f"{name}.json": filled_in(document) for name, document in _documents(template)}


def filled_in(value: Any) -> Any:
    """Return `value` without CloudFormation's functions: placeholders, and the first choice of If.

    None is what the template leaves out: lists and objects do not keep it.
    """
    match value:
        case {"Ref": "AWS::NoValue"}:
            return None
        case {"Ref": name}:
            return _placeholder(name)
        case {"Fn::GetAtt": name}:
            return _placeholder(".".join(name))
        case {"Fn::If": [_, chosen, _]}:
            return filled_in(chosen)
        case {"Fn::Sub": [text, names]}:
            return _substituted(text, names)
        case {"Fn::Sub": text}:
            return _substituted(text, {})
        case dict():
            return {k: v for k, v in ((k, filled_in(v)) for k, v in value.items()) if v is not None}
        case list():
            return [item for item in map(filled_in, value) if item is not None]
    return value


def _documents(template: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, resource in template["Resources"].items():
        file = re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::Role":
            (policy,) = properties["Policies"]
            yield file, policy["PolicyDocument"]
            yield f"{file}-trust", properties["AssumeRolePolicyDocument"]
        elif resource["Type"] == "AWS::IAM::ManagedPolicy":
            yield file, properties["PolicyDocument"]


def _substituted(text: str, names: Mapping[str, Any]) -> str:
    def value_of(found: re.Match[str]) -> str:
        name = found[1]
        return str(filled_in(names[name])) if name in names else _placeholder(name)

    return re.sub(r"\$\{([A-Za-z0-9:.]+)\}", value_of, text)


def _placeholder(name: str) -> str:
    """Return `${JOB_ROLE_ARN}` for `JobRole.Arn`; words that repeat are left out."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z]+", name)
    return "${" + "_".join(dict.fromkeys(word.upper() for word in words)) + "}"


def main(check: bool) -> int:
    """Write the documents, or compare them; return the exit code."""
    wanted = {
        name: json.dumps(document, indent=2) + "\n"
        for name, document in documents(read_template()).items()
    }
    found = {path.name: path.read_text(encoding="utf-8") for path in IAM.glob("*.json")}
    if check:
        wrong = sorted(name for name in wanted | found if wanted.get(name) != found.get(name))
        for name in wrong:
            sys.stderr.write(f"deploy/iam/{name} is not what deploy/clickstream.yaml says\n")
        if wrong:
            sys.stderr.write("regenerate it with: python deploy/render_iam.py\n")
        return 1 if wrong else 0
    for name in found.keys() - wanted.keys():
        (IAM / name).unlink()
    for name, text in wanted.items():
        (IAM / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
