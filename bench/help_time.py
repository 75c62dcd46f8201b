"""Time `nbactl --help` against a bare Click application with as many commands.

Both are whole processes, started the way pip's console scripts start them, in turn, so that whatever
else the machine does falls on both. Run: python bench/help_time.py [ROUNDS]
"""

import compileall
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from nbactl.cli import COMMANDS

TARGET = 1.6

BARE = """
import click

@click.group()
def main():
    "A bare application."
"""
COMMAND = """
@main.command({name!r})
def command_{number}():
    {about!r}
"""
SCRIPT = """
import sys
from {module} import main
if __name__ == "__main__":
    sys.exit(main())
"""


def main() -> int:
    """Print both medians and their ratio; fail above the target."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    with TemporaryDirectory() as folder:
        bare, ours = _write_scripts(Path(folder))
        times = [(_seconds(bare), _seconds(ours)) for _ in range(rounds + 1)][1:]  # the first warms the disk
    bare_time, our_time = (median(column) for column in zip(*times, strict=True))
    ratio = our_time / bare_time
    sys.stdout.write(
        f"bare Click  {bare_time * 1000:6.1f} ms\n"
        f"nbactl      {our_time * 1000:6.1f} ms\n"
        f"ratio       {ratio:6.2f}  (target: at most {TARGET})\n"
    )
    return int(ratio > TARGET)


def _write_scripts(folder: Path) -> tuple[Path, Path]:
    commands = (
        COMMAND.format(name=name, number=number, about=about)
        for number, (name, (_, about)) in enumerate(COMMANDS.items())
    )
    (folder / "bare_application.py").write_text(BARE + "".join(commands))
    compileall.compile_dir(folder, quiet=1)
    return _write_script(folder, "bare_application"), _write_script(folder, "nbactl.__main__")


def _write_script(folder: Path, module: str) -> Path:
    script = folder / f"run_{module.partition('.')[0]}"
    script.write_text(SCRIPT.format(module=module))
    return script


def _seconds(script: Path) -> float:
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    start = perf_counter()
    subprocess.run([sys.executable, script, "--help"], check=True, stdout=subprocess.DEVNULL, env=environ)
    return perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
