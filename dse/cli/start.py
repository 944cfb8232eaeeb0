"""`dse init`, `dse schema`, `dse completion`: what stands at the beginning, and what editors and shells read."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import click

from dse.cli.output import common, print_json
from dse.errors import UsageError

TEMPLATES = ("quickstart", "smallest", "complete")
SCHEMA_FILE = "study.schema.json"
MODELINE = f"# yaml-language-server: $schema={SCHEMA_FILE}\n"
SHELLS = ("bash", "zsh", "fish")
HOW = {
    "bash": 'eval "$(dse completion bash)"   in ~/.bashrc',
    "zsh": 'eval "$(dse completion zsh)"   in ~/.zshrc',
    "fish": "dse completion fish > ~/.config/fish/completions/dse.fish",
}


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option(
    "--template",
    type=click.Choice(TEMPLATES),
    default=TEMPLATES[0],
    show_default=True,
    help="What the file begins as.",
)
@click.option("--force", is_flag=True, help="Replace a study.yaml that is there.")
@common
def init(folder: Path, template: str, force: bool, root: Path, as_json: bool) -> None:
    """Write a study.yaml to edit, and the schema that editors check it by."""
    del root
    from dse.config.schema import study_schema
    from dse.store.files import write_atomic, writing

    study, schema = folder / "study.yaml", folder / SCHEMA_FILE
    if study.exists() and not force:
        msg = f"{study} is there already; name another folder, or replace it with --force"
        raise UsageError(msg)
    text = resources.files("dse.cli").joinpath("templates", f"{template}.yaml").read_text("utf-8")
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_atomic(study, MODELINE + text)
    write_atomic(schema, json.dumps(study_schema(), indent=1) + "\n")
    if as_json:
        print_json("init", {"file": str(study), "schema_file": str(schema), "template": template})
        return
    click.echo(f"{study} written ({template}).\n  next  dse check {study}\n        dse run {study}")


@click.command()
@click.option("--text", is_flag=True, help="A table of all keys instead (Markdown).")
@common
def schema(text: bool, root: Path, as_json: bool) -> None:
    """Print the JSON Schema of study files, for editors."""
    del root
    from dse.config.reference import markdown
    from dse.config.schema import study_schema

    found = study_schema()
    if text:
        click.echo(markdown(found), nl=False)
    elif as_json:
        print_json("schema", {"study_file": found})
    else:
        click.echo(json.dumps(found, indent=2))


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@common
def completion(shell: str, root: Path, as_json: bool) -> None:
    """Print a completion script for bash, zsh or fish."""
    del root
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None  # click brings all three
    command = click.get_current_context().find_root().command
    # not `source()`, which runs the shell only to look at its version
    script = kind.source_template % kind(command, {}, "dse", "_DSE_COMPLETE").source_vars()
    if as_json:
        print_json("completion", {"shell": shell, "script": script, "install": HOW[shell]})
    else:
        click.echo(f"# {HOW[shell]}\n{script}")


COMMANDS = (init, schema, completion)
