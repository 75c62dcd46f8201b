# ruff: noqa: N818 -- the names say what happened; that they are errors, their base says
"""What can go wrong, as types: the type decides the exit code and whether a retry can help.

NbactlError                  1  failed
├── UsageError               2  the command line, or a setting, was not understood
├── PartlyFailed             3  some of the work is done, some failed
├── AccessDenied             4  not signed in, or not allowed
├── PreconditionFailed       5  something must be true first, and is not
│   ├── NotFound             5  the thing asked for does not exist
│   │   └── UnknownName      5  ... and the name looks like a slip of the pen
│   ├── GamesLost            5  played games would lose all their rows
│   ├── WarehouseLocked      5  another process has the warehouse open (transient)
│   └── Overtaken            5  somebody else has written the table meanwhile (transient)
├── ChangesPending           6  `--check` found changes or drift
├── Undetermined             7  the question could not be answered: neither yes nor no
│   └── TimedOut             7  ... in the time allowed (transient)
├── WarehouseFailed          1  the engine could not do what was asked of it
│   └── WarehouseFull        1  ... for want of disk or memory (transient)
├── MessageRefused           1  Pub/Sub will never take this message: it is over a limit
├── DataError                1  rows break their contract; carries the findings
│   └── CheckFailed          1  ... and we computed them: a processor's hard check said no
└── Interrupted            130  the operator pressed Ctrl-C
"""

import errno
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from shared.lost_games import LostGames

from shared.text import shorten

EXIT_CODES: Mapping[int, str] = MappingProxyType(
    {
        0: "done, or nothing to do",
        1: "failed",
        2: "usage: the command line or a setting was not understood",
        3: "partly failed: some of the work is done, some is not",
        4: "authentication or permission",
        5: "not found, or a precondition is not met",
        6: "changes or drift pending (--check)",
        7: "could not tell, or timed out",
        130: "interrupted",
    }
)
"""Every exit code there is, with its meaning; the classes below use no other."""

_READABLE = 240  # a longer path hides what is said of it
_LISTABLE = 40  # more names than this help nobody: a season has some 570 players


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with a table: where it is, what it is, and one example to look for."""

    table: str
    problem: str
    column: str | None = None
    example: str | None = None

    def __str__(self) -> str:
        place = f"{self.table}.{self.column}" if self.column else self.table
        return f"{place}: {self.problem}" + (f", for example {self.example}" if self.example else "")


class NbactlError(Exception):
    """An error the operator can act on: what happened, why, and what to type next."""

    exit_code: ClassVar[int] = 1
    transient: ClassVar[bool] = False
    findings: tuple[Finding, ...] = ()

    def __init__(self, message: str, *, why: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.why = why
        self.hint = hint

    @property
    def sentence(self) -> str:
        """What happened and why, for a ledger row or an answer: at most 2,000 characters."""
        return shorten(f"{self.message}: {self.why}" if self.why else self.message)

    def as_record(self) -> dict[str, object]:
        """Return the error for machines, with the same keys for every class."""
        return {
            "error": type(self).__name__,
            "message": self.message,
            "why": self.why,
            "hint": self.hint,
            "exit_code": self.exit_code,
            "transient": self.transient,
            "findings": [asdict(finding) for finding in self.findings],
        }


class UsageError(NbactlError):
    """The command line, or a setting, was not understood."""

    exit_code = 2


class PartlyFailed(NbactlError):
    """Some of the work is done and stays done; the rest failed."""

    exit_code = 3


class AccessDenied(NbactlError):
    """Nobody is signed in, or whoever is may not do this."""

    exit_code = 4


class PreconditionFailed(NbactlError):
    """Something must be true before this can start, and it is not."""

    exit_code = 5


class NotFound(PreconditionFailed):
    """The thing asked for does not exist."""


class UnknownName(NotFound):
    """No table, processor or player has this name; the hint offers those that come near."""

    def __init__(self, kind: str, name: str, known: Collection[str]) -> None:
        super().__init__(f"no {kind} is called {name!r}", hint=did_you_mean(name, known))


class GamesLost(PreconditionFailed):
    """Games that have been played would lose all their rows, and nobody has said that they may.

    Attributes:
        lost: what would be lost, a value for each table and date.
    """

    def __init__(self, message: str, lost: Iterable["LostGames"], *, hint: str | None = None) -> None:
        self.lost = tuple(lost)
        self.findings = tuple(games.as_finding() for games in self.lost)
        super().__init__(message, why="\n".join(map(str, self.lost)), hint=hint)


class WarehouseLocked(PreconditionFailed):
    """Another process has the warehouse open; it will be free again, so a retry can help.

    Args:
        warehouse: the file.
        holder: the id of the process, if it is known.
        program: what that process runs, if it is known.
        reads: whether it only reads, and keeps a writer out.
    """

    transient = True

    def __init__(
        self, warehouse: str, holder: int | None = None, *, program: str | None = None, reads: bool = False
    ) -> None:
        process = f"process {holder}{f' ({program})' if program else ''}" if holder else "another process"
        look = f"ps -fp {holder}" if holder else f"fuser -v {warehouse}"
        super().__init__(
            f"the warehouse {warehouse} is locked",
            why=f"{process} is {'reading it' if reads else 'writing to it'}",
            hint=f"wait for it to finish, longer with --wait SECONDS, or look at it: {look}",
        )


class Overtaken(PreconditionFailed):
    """Somebody else has written the table since its inputs were read; a retry finds what is still owed."""

    transient = True


class ChangesPending(NbactlError):
    """A `--check` found that reality and declaration differ."""

    exit_code = 6


class Undetermined(NbactlError):
    """The question could not be answered; saying yes or no would be a guess."""

    exit_code = 7


class TimedOut(Undetermined):
    """No answer came in the time allowed; asking again may bring one."""

    transient = True


class WarehouseFailed(NbactlError):
    """The engine could not do what was asked of it; what was committed before stays."""


class WarehouseFull(WarehouseFailed):
    """Disk or memory ran out; nothing of the step is kept, and it will work once there is room."""

    transient = True


class MessageRefused(NbactlError):
    """Pub/Sub will never take this message, because it is over a limit; to send it again cannot help."""


class DataError(NbactlError):
    """Rows break the contract of their table; unless told otherwise, the findings are the why."""

    def __init__(
        self,
        message: str,
        findings: Iterable[Finding],
        *,
        why: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.findings = tuple(findings)
        super().__init__(message, why=why or "\n".join(map(str, self.findings)) or None, hint=hint)


class CheckFailed(DataError):
    """A processor's hard check refused rows it had just computed; the old rows stay."""


class Interrupted(NbactlError):
    """The operator pressed Ctrl-C."""

    exit_code = 130


def did_you_mean(name: str, known: Collection[str]) -> str | None:
    """Return a hint for a name that is not known: the near ones, or all of them if they are few."""
    import difflib

    by_folded = {candidate.casefold(): candidate for candidate in known}
    near = difflib.get_close_matches(name.casefold(), by_folded)
    if near:
        return f"did you mean {' or '.join(repr(by_folded[match]) for match in near)}?"
    return f"there is {', '.join(sorted(known))}" if 0 < len(known) <= _LISTABLE else None


_NO_SPACE = "free disk space (df -h), then run it again"
_OS_ERRORS: Mapping[int, tuple[type[NbactlError], str | None]] = MappingProxyType(
    {
        errno.EACCES: (AccessDenied, "see who may: ls -ld {path}"),
        errno.EPERM: (AccessDenied, "see who may: ls -ld {path}"),
        errno.EROFS: (AccessDenied, "name a place that may be written to"),
        errno.ENOENT: (NotFound, None),
        errno.EISDIR: (UsageError, "name a file"),
        errno.ENOTDIR: (UsageError, "name a folder, or a file in one"),
        errno.EEXIST: (UsageError, "name another one"),
        errno.ELOOP: (UsageError, "see where its links lead: ls -l {path}"),
        errno.ENAMETOOLONG: (UsageError, "name it shorter"),
        errno.ENOSPC: (NbactlError, _NO_SPACE),
        errno.EDQUOT: (NbactlError, _NO_SPACE),
        errno.EMFILE: (NbactlError, "allow more open files: ulimit -n"),
        errno.ECONNREFUSED: (TimedOut, "see that it is running, and try again"),
        errno.ECONNRESET: (TimedOut, "try again"),
        errno.EPIPE: (TimedOut, "try again"),
        errno.ETIMEDOUT: (TimedOut, "try again"),
    }
)
"""What the system says -> what it is for us, and what to do."""


def explain_os_error(error: OSError, message: str | None = None) -> NbactlError:
    """Return what an error of the operating system means to the operator.

    Args:
        error: as it was raised.
        message: what could not be done; if not given, that the error's file could not be read or written.
    """
    path = _shortened(error.filename) if isinstance(error.filename, str) else None
    kind, hint = _OS_ERRORS.get(error.errno or 0, (NbactlError, None))
    reason = error.strerror or str(error) or type(error).__name__
    if message is None:
        message, why = f"could not read or write {path or 'a file'}: {reason}", None
    else:
        why = f"{path}: {reason}" if path else reason
    return kind(message, why=why, hint=hint.format(path=path or ".") if hint else None)


def _shortened(path: str) -> str:
    """Return a path that leaves room for what is said of it."""
    return path if len(path) <= _READABLE else f"{path[: _READABLE // 2]}...{path[-_READABLE // 4 :]}"
