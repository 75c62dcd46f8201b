"""Options and arguments that take nothing by accident: the only classes of them that commands use.

`--force --dry-run` is a forgotten reason, and `--project "$PROJECT"` with the variable unset is a mistake: both would
run, and do something else than was meant.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from shared.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any] | click.Command)


class Option(click.Option):
    """An option whose value is neither empty nor another option."""

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, ParameterSource]:
        """Return the value and who gave it.

        Raises:
            UsageError: what was typed is empty, is another option, or is no text.
        """
        value, source = super().consume_value(ctx, opts)
        for text in _typed_texts(ctx, value, source):
            _require_text(self._longest_name, text)
            if text.startswith("--") or text in _short_names(ctx.command):
                raise UsageError(
                    f"{self._longest_name} would take {text!r} for its value",
                    why="a value does not begin with --, and is not the name of an option",
                    hint=f"{self._longest_name} {self.make_metavar(ctx)} {text}",
                )
        return value, source

    @property
    def _longest_name(self) -> str:
        return max(self.opts, key=len)


class Argument(click.Argument):
    """An argument that is not empty; after `--` it may begin with what it likes."""

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, ParameterSource]:
        """Return the value and who gave it.

        Raises:
            UsageError: what was typed is empty, or is no text.
        """
        value, source = super().consume_value(ctx, opts)
        for text in _typed_texts(ctx, value, source):
            _require_text(self.make_metavar(ctx).strip("[]."), text)
        return value, source


def option(*names: str, **attributes: Any) -> Callable[[F], F]:  # noqa: ANN401 -- as Click has them
    """Decorate a command with an `Option`; parameters are those of `click.option`."""
    return click.option(*names, cls=Option, **attributes)


def argument(*names: str, **attributes: Any) -> Callable[[F], F]:  # noqa: ANN401 -- as Click has them
    """Decorate a command with an `Argument`; parameters are those of `click.argument`."""
    return click.argument(*names, cls=Argument, **attributes)


def _typed_texts(context: click.Context, value: object, source: ParameterSource) -> Iterator[str]:
    """Yield each text that stands on the line for a parameter; a line that is being completed may be anything."""
    if source is ParameterSource.COMMANDLINE and not context.resilient_parsing:
        for text in value if isinstance(value, list | tuple) else [value]:
            if isinstance(text, str):
                yield text


def _require_text(name: str, text: str) -> None:
    if not text.strip():
        raise UsageError(
            f"{name} is empty",
            why="an empty value is not the same as none",
            hint="leave it out, or see that the variable which stands there is set",
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{name} is no text: {text!r}", why="it is not UTF-8") from error


def _short_names(command: click.Command) -> set[str]:
    """Return `-o` and the like."""
    names = (name for parameter in command.params for name in parameter.opts)
    return {name for name in names if name.startswith("-") and not name.startswith("--")}
