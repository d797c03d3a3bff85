"""`clickstream contract`: the columns of the contract in every form."""

from __future__ import annotations

import click

from ingest.errors import ClickstreamError

# The keys of ingest.render.FORMS, which would bring pyarrow into every `--help`.
FORMS = ("arrow", "dbt", "elasticsearch", "redshift", "spark")


@click.group()
def contract() -> None:
    """Show the columns, and check the files rendered from them."""


@contract.command("show")
@click.option(
    "--as",
    "form",
    type=click.Choice(FORMS),
    default="arrow",
    show_default=True,
    help="Arrow schema, dbt source YAML, Elasticsearch mapping, Redshift DDL or Spark DDL.",
)
def show_contract(form: str) -> None:
    """Print the contract in one of its forms."""
    from ingest import render

    click.echo(render.FORMS[form](), nl=False)


@contract.command()
def check() -> None:
    """Fail when a generated file differs from the contract."""
    from ingest.render import stale_files
    from ingest.settings import project_root

    root = project_root()
    stale = stale_files(root)
    if stale:
        names = ", ".join(str(path.relative_to(root)) for path in stale)
        raise ClickstreamError(
            f"out of date: {names}; regenerate with: clickstream contract render"
        )


@contract.command()
def render() -> None:
    """Write the generated files again."""
    from ingest.render import generated_files
    from ingest.settings import project_root

    for path, text in generated_files(project_root()).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        click.echo(str(path))
