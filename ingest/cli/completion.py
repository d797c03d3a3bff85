"""Completion of commands and options in a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands and options in SHELL.

    \b
    bash   echo 'eval "$(clickstream completion bash)"' >> ~/.bashrc
    zsh    echo 'eval "$(clickstream completion zsh)"' >> ~/.zshrc
    fish   clickstream completion fish \\
               > ~/.config/fish/completions/clickstream.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101  click knows all three
    root = context.find_root().command
    click.echo(kind(root, {}, "clickstream", "_CLICKSTREAM_COMPLETE").source())
