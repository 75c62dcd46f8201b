"""Which code is running."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

VERSION = "0.1.0"
COMMIT = "NBACTL_COMMIT"
"""The variable by which a container says which commit it was made of."""
_SHORT = 12


@cache
def code_version() -> str:
    """The package version, with the commit where it is known: a checkout knows its own."""
    commit = os.environ.get(COMMIT) or commit_of(Path(__file__).parents[1])
    return f"{VERSION}+{short_commit(commit)}" if commit else VERSION


def short_commit(commit: str) -> str:
    """A commit as code calls itself by it."""
    return commit[:_SHORT]


def commit_of(checkout: Path) -> str:
    """The commit of a checkout, empty where it is none.

    Read as git stores it: starting git costs more than most runs.
    """
    git = checkout / ".git"
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
