"""Run the command line, and turn whatever goes wrong into a short message and an exit code."""

import re
import sys
from typing import TYPE_CHECKING

import click

from nbactl.cli import cli
from nbactl.session import Session
from nbactl.streams import OutputError, guard_streams

if TYPE_CHECKING:
    from shared.errors import NbactlError


def main() -> int:
    """Run what was typed and return the exit code; `nbactl help exit-codes` lists them."""
    session = Session()
    with guard_streams():
        try:
            return _run(session)
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 -- the last place that can say it in words
            return _report(error, session)


def _run(session: Session) -> int:
    try:
        result = cli.main(prog_name="nbactl", standalone_mode=False, obj=session)
    except SystemExit as ending:  # how Click ends where it completes a word
        result = ending.code
    # now, because what cannot be written must count as an error
    sys.stdout.flush()
    return result if isinstance(result, int) else 0


def _report(error: BaseException, session: Session) -> int:
    from nbactl.render import messages

    error = _flush_before(error)
    if isinstance(error, OutputError) and error.reader_left:
        return 1  # whoever read our output has gone, and needs no word about it
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return error.exit_code
    if session.debug:
        import traceback

        traceback.print_exception(error)
    problem = _as_problem(error)
    if problem is not error:
        for note in getattr(error, "__notes__", ()):
            problem.add_note(note)
    messages.error(problem, as_json=_wants_json(sys.argv))
    return problem.exit_code


def _flush_before(error: BaseException) -> BaseException:
    """Write out the result, as far as there is one, before an error is told; return the one that came first."""
    try:
        sys.stdout.flush()
    except OutputError as failure:
        # who reads no further has still asked how it ends
        return error if failure.reader_left else failure
    return error


def _as_problem(error: BaseException) -> "NbactlError":
    from shared import errors

    match error:
        case errors.NbactlError():
            return error
        case click.Abort() | KeyboardInterrupt():
            return errors.Interrupted("interrupted")
        case OutputError():
            return errors.NbactlError(f"could not write to standard output: {error.reason}")
        case click.ClickException():
            return _as_click_problem(error)
        case OSError():
            return errors.explain_os_error(error)
        case _:
            return errors.NbactlError(
                f"{type(error).__name__}: {error}",
                why="nbactl did not expect this",
                hint="run again with --debug for the traceback",
            )


def _as_click_problem(error: click.ClickException) -> "NbactlError":
    from shared.errors import NbactlError, UsageError

    if not isinstance(error, click.UsageError):
        return NbactlError(error.format_message())
    near: list[str] | None = getattr(error, "possibilities", None)
    if near:
        return UsageError(error.message, hint=f"did you mean {' or '.join(map(repr, near))}?")
    command = error.ctx.command_path if error.ctx else "nbactl"
    return UsageError(error.format_message(), hint=f"{command} --help")


def _wants_json(arguments: list[str]) -> bool:
    """Look at the words themselves: an error may come before Click has understood them."""
    return re.search(r" (-o ?|--output[ =])jsonl?( |$)", " ".join(arguments)) is not None


if __name__ == "__main__":
    sys.exit(main())
