"""Which code is running."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

VERSION = "0.1.0"
_SHORT = 12


@cache
def code_version() -> str:
    """The package version, with the commit where it is known.

    A container names its commit in `NBACTL_COMMIT`; a checkout knows its own.
    """
    commit = os.environ.get("NBACTL_COMMIT") or _checked_out(Path(__file__).parents[1] / ".git")
    return f"{VERSION}+{commit[:_SHORT]}" if commit else VERSION


def _checked_out(git: Path) -> str:
    """The commit of a checkout, read as git stores it: starting git costs more than most runs."""
    try:
        head = (git / "HEAD").read_text(encoding="ascii").strip()
        if not head.startswith("ref: "):
            return head
        ref = head.removeprefix("ref: ")
        loose = git / ref
        if loose.exists():
            return loose.read_text(encoding="ascii").strip()
        packed = (git / "packed-refs").read_text(encoding="ascii").splitlines()
        return next((line.split()[0] for line in packed if line.endswith(f" {ref}")), "")
    except (OSError, UnicodeDecodeError):
        return ""
