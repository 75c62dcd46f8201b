# ruff: noqa: S603 -- the processes are ours, and so are their arguments
"""The tool from outside: help, names, versions, pipes and interrupts."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from nbactl.cli import COMMANDS, cli
from nbactl.commands.help import TOPICS
from shared.errors import EXIT_CODES
from tests.cli.conftest import Run, heed_ctrl_c

HEAVY = ("google", "duckdb", "flask", "rich", "sqlglot", "pandas", "pyarrow", "numpy", "grpc", "psutil")

FAULTY = """
import sys
from nbactl import cli
cli.COMMANDS = {**cli.COMMANDS, "fail": ("tests.cli.faulty", "Fail.")}
from nbactl.__main__ import main
sys.exit(main())
"""


def _imported(stderr: str) -> set[str]:
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in stderr.splitlines() if "|" in line}


def _importing(*words: str) -> set[str]:
    command = [sys.executable, "-X", "importtime", "-m", "nbactl", *words]
    return _imported(subprocess.run(command, check=False, capture_output=True, text=True).stderr)


@pytest.mark.parametrize(
    "words", [("--help",), ("-h",), ("help",), ("help", "exit-codes"), ("config", "--help"), ("nonsense",)]
)
def test_help_and_slips_import_nothing_heavy(words: tuple[str, ...]) -> None:
    imported = _importing(*words)
    assert "click" in imported
    assert imported.isdisjoint(HEAVY)


def test_help_imports_no_command() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "nbactl", "--help"]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    assert "nbactl.cli" in listing
    assert "nbactl.commands" not in listing


def test_plain_output_needs_no_rich() -> None:
    assert _importing("config", "show").isdisjoint(HEAVY)


def _every_command(group: click.Group, context: click.Context, path: str = "") -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}".strip(), command
        if isinstance(command, click.Group):
            yield from _every_command(command, context, f"{path} {name}")


EVERY_COMMAND = dict(_every_command(cli, click.Context(cli)))


@pytest.mark.parametrize("path", EVERY_COMMAND)
def test_every_command_and_option_has_help(path: str) -> None:
    command = EVERY_COMMAND[path]
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{path} {parameter.opts[0]}"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_says_one_line_about_every_command(name: str, nbactl: Run) -> None:
    about = COMMANDS[name][1]
    assert about.endswith(".")
    assert f"{name}  " in nbactl("--help").stdout
    assert about in nbactl("--help").stdout


@pytest.mark.parametrize("path", EVERY_COMMAND)
def test_help_command_says_what_the_option_says(path: str, nbactl: Run) -> None:
    words = path.split()
    assert nbactl("help", *words).stdout == nbactl(*words, "--help").stdout


def test_topics_are_listed_and_explained(nbactl: Run) -> None:
    listing = nbactl("help").stdout
    for topic in TOPICS:
        assert topic in listing
        assert nbactl("help", topic).stdout


def test_exit_codes_are_listed(nbactl: Run) -> None:
    listed = re.findall(r"^ *(\d+)  (.+)$", nbactl("help", "exit-codes").stdout, re.MULTILINE)
    assert {int(code): meaning for code, meaning in listed} == EXIT_CODES


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("confg",), "did you mean 'config'?"),
        (("config", "shw"), "did you mean 'show'?"),
        (("config", "show", "--ouput", "json"), "did you mean '--output'?"),
        (("help", "exit-code"), "did you mean 'exit-codes'?"),
        (("help", "confg"), "did you mean 'config'?"),
        (("help", "config", "shw"), "did you mean 'show'?"),
        (("config", "show", "-o", "xml"), "nbactl config show --help"),
        (("config", "show", "surplus"), "nbactl config show --help"),
        (("--warehouse",), "nbactl --help"),
    ],
)
def test_slips_are_usage_errors_with_a_way_out(words: tuple[str, ...], hint: str, nbactl: Run) -> None:
    result = nbactl(*words)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1] == f" next: {hint}"


def test_no_command_at_all_shows_the_help(nbactl: Run) -> None:
    result = nbactl()
    assert result.returncode == 2
    assert result.stderr == nbactl("--help").stdout


def test_click_runner_sees_the_same_group() -> None:
    assert "Commands:" in CliRunner().invoke(cli, ["--help"]).output


def test_version_is_the_installed_one(tmp_path: Path, nbactl: Run) -> None:
    info = tmp_path / "nbactl-9.8.7.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: nbactl\nVersion: 9.8.7\n")
    result = nbactl("--version", env={"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ['PYTHONPATH']}"})
    assert (result.returncode, result.stdout) == (0, "nbactl 9.8.7\n")


@pytest.mark.parametrize(
    ("typed", "found"), [("con", "config"), ("config sh", "show"), ("config show --ou", "--output")]
)
def test_completion(typed: str, found: str, nbactl: Run) -> None:
    words = ["nbactl", *typed.split()]
    env = {
        "_NBACTL_COMPLETE": "zsh_complete",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    assert found in nbactl(env=env).stdout.splitlines()


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_scripts(shell: str, nbactl: Run) -> None:
    assert "_NBACTL_COMPLETE" in nbactl(env={"_NBACTL_COMPLETE": f"{shell}_source"}).stdout


def test_no_colour_is_passed_on(nbactl: Run) -> None:
    result = nbactl("config", "show", "--no-color")
    assert result.returncode == 0
    assert "\x1b" not in result.stdout + result.stderr


def test_name_outside_the_encoding_of_the_terminal_is_no_error(nbactl: Run) -> None:
    result = nbactl("config", "show", "--warehouse", "duckdb:///Dončić", env={"PYTHONIOENCODING": "ascii"})
    assert result.returncode == 0
    assert r"Don\u010di\u0107" in result.stdout


def test_ctrl_c_is_one_clean_line() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", FAULTY, "fail", "never"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_ctrl_c,  # noqa: PLW1509 -- no other thread runs here
    )
    assert process.stdout is not None
    process.stdout.readline()  # it runs
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "error: interrupted\n")
