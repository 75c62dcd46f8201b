"""`nbactl graph`: processors, what they read, and what sets them off."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from nbactl.option import option
from nbactl.render.tables import Column, write
from processors.declaration import Relation
from processors.graph import processors_in_order, triggers

COLUMNS = tuple(map(Column, ("level", "processor", "short", "output", "dated", "inputs", "sets_off")))


@click.command()
@option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "jsonl", "csv", "mermaid"]),
    default="table",
    show_default=True,
    help="How to print the result.",
)
def command(output: str) -> None:
    """Print every processor: its table, its inputs, and the processors that its table sets off.

    An input is marked: = same date, < history before the date, ~ reference; ? where it is optional.
    """
    if output == "mermaid":
        sys.stdout.writelines(f"{line}\n" for line in _mermaid())
    else:
        write(_rows(), COLUMNS, output)


def _rows() -> Iterator[dict[str, object]]:
    marks = {Relation.SAME_DATE: "=", Relation.HISTORY: "<", Relation.REFERENCE: "~"}
    for one in processors_in_order():
        yield {
            "level": one.level,
            "processor": one.name,
            "short": one.short,
            "output": one.output.id,
            "dated": str(one.dated),
            "inputs": [f"{marks[it.relation]}{it.table}{'' if it.required else '?'}" for it in one.inputs],
            "sets_off": [
                f"{trigger.processor.short} {trigger.date}"
                for trigger in triggers()
                if trigger.table == one.output.name
            ],
        }


def _mermaid() -> Iterator[str]:
    yield "flowchart LR"
    for one in processors_in_order():
        for it in one.inputs:
            arrow = "-->" if it.required and it.relation is Relation.SAME_DATE else "-.->"
            yield f"  {it.table} {arrow}|{it.relation}| {one.output.name}"
