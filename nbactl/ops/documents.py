"""The reference pages of `docs/`, made from the declarations.

`python -m nbactl.ops.documents` writes them; a test holds them against what it would write.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from processors import statements
from processors.declaration import Processor
from processors.graph import processors_in_order, tables
from shared.tables.model import Table

_NOTE = "<!-- Made from the declarations by `python -m nbactl.ops.documents`. -->\n"


def pages() -> dict[str, str]:
    """Every page by its path below `docs/`."""
    makers = {one.output.name: one for one in processors_in_order()}
    listed = list(tables().values())
    written = {f"tables/{table.name}.md": _table_page(table, makers.get(table.name)) for table in listed}
    written["tables/README.md"] = _index(listed)
    written |= dict(_command_pages())
    return {path: _NOTE + text for path, text in written.items()}


def _index(listed: list[Table]) -> str:
    rows = "\n".join(f"| [{table.name}]({table.name}.md) | {table.dataset} | {table.row} |" for table in listed)
    return f"\n# Tables\n\n| table | dataset | row |\n| --- | --- | --- |\n{rows}\n"


def _table_page(table: Table, maker: Processor | None) -> str:
    parts = [f"\n# {table.id}\n", f"Row: {table.row}.", f"Key: {', '.join(f'`{name}`' for name in table.key)}."]
    if table.partition:
        parts.append(f"Kept by `{table.partition}`.")
    if table.cluster:
        parts.append(f"Clustered by {', '.join(f'`{name}`' for name in table.cluster)} on BigQuery.")
    text = " ".join(parts[1:])
    sections = [parts[0], text, _columns(table)]
    if maker:
        sections += _maker(maker)
    return "\n".join(sections) + "\n"


def _columns(table: Table) -> str:
    rows = "\n".join(
        f"| `{column.name}` | {column.type} | {'no' if column.mode == 'REQUIRED' else 'yes'} | {column.unit} |"
        f" {_cell(column.meaning)} |"
        for column in table.columns
    )
    return f"\n| column | type | may be NULL | unit | meaning |\n| --- | --- | --- | --- | --- |\n{rows}"


def _maker(maker: Processor) -> Iterator[str]:
    yield f"\n## Made by {maker.name} ({maker.short}, level {maker.level})\n"
    yield "| input | rows read | required |\n| --- | --- | --- |"
    for one in maker.inputs:
        yield f"| {one.table} | {one.relation} | {'yes' if one.required else 'no'} |"
    shared = ", ".join(f"`{name}`" for name in statements.used(statements.source(maker)))
    if shared:
        yield f"\nBuilds on the shared definitions {shared}."
    if maker.checks:
        yield "\n| hard check | holds |\n| --- | --- |"
        yield from (f"| {check.code} | `{_cell(check.holds)}` |" for check in maker.checks)
    if maker.issues:
        yield "\n| issue | when |\n| --- | --- |"
        yield from (f"| {issue.code} | `{_cell(issue.when)}` |" for issue in maker.issues)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _command_pages() -> Iterator[tuple[str, str]]:
    from nbactl.cli import cli

    root = click.Context(cli, info_name="nbactl", **cli.context_settings)
    index = []
    for name in cli.list_commands(root):
        command = cli.get_command(root, name)
        if command:
            index.append(f"- [{name}]({name}.md): {command.get_short_help_str(limit=200)}")
            yield f"commands/{name}.md", f"\n# nbactl {name}\n" + "".join(_helps(command, root, name))
    yield "commands/README.md", "\n# Commands\n\n" + "\n".join(index) + "\n"


def _helps(command: click.Command, parent: click.Context, name: str) -> Iterator[str]:
    """The help of a command and of each command in it."""
    context = click.Context(command, info_name=name, parent=parent, terminal_width=100, max_content_width=100)
    yield f"\n```\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            if found:
                yield f"\n## {name} {inner}\n"
                yield from _helps(found, context, inner)


def write(folder: Path) -> None:
    """Write every page below a folder."""
    for path, text in pages().items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(__file__).parents[2] / "docs")
