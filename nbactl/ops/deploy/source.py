"""What is sent to be built: the files of a folder, without what its ignore files leave out."""

from __future__ import annotations

import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from shared.errors import NotFound, PreconditionFailed
from shared.version import commit_of

IGNORE_FILES = (".gcloudignore", ".gitignore")
"""The first that is there says what is left out, as gcloud has it."""
_ALWAYS = (".git/", ".gcloudignore", ".gitignore")
_INCLUDE = "#!include:"
_TIME = (1980, 1, 1, 0, 0, 0)
"""Of every file in the archive: equal files make equal archives."""


@dataclass(frozen=True, slots=True)
class Source:
    """A folder to build.

    Attributes:
        files: relative paths, sorted.
        size: of the files, bytes.
        commit: that is checked out; empty where the folder is no checkout.
        changed: how many files differ from the commit; None where nobody can tell.
    """

    root: Path
    files: tuple[str, ...]
    size: int
    commit: str
    changed: int | None

    @property
    def said(self) -> str:
        """The source in one line."""
        commit = f"commit {self.commit[:12]}" if self.commit else "no commit"
        changed = f", {self.changed} files not committed" if self.changed else ""
        return f"{len(self.files)} files, {self.size / 1024:.0f} KiB, {commit}{changed}"

    @property
    def identity(self) -> str:
        """What the code calls itself once it runs: its commit, or a digest of its files where there is none."""
        if self.commit:
            return self.commit
        mixed = sha256()
        for name in self.files:
            mixed.update(name.encode() + b"\0" + sha256((self.root / name).read_bytes()).digest())
        return mixed.hexdigest()

    def archive(self, to: Path) -> None:
        """Write the files into a zip archive."""
        with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as packed:
            for name in self.files:
                info = zipfile.ZipInfo(name, _TIME)
                info.external_attr = (self.root / name).stat().st_mode << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                packed.writestr(info, (self.root / name).read_bytes())


def read(root: Path) -> Source:
    """Look at a folder to build.

    Raises:
        NotFound: there is no such folder.
        PreconditionFailed: it has no Dockerfile.
    """
    if not root.is_dir():
        raise NotFound(f"there is no folder {root}", hint="--source names the folder that holds the Dockerfile")
    files = tuple(sorted(_files(root)))
    if "Dockerfile" not in files:
        raise PreconditionFailed(f"{root} has no Dockerfile that is sent along", hint="--source names the folder")
    size = sum((root / name).stat().st_size for name in files)
    commit = commit_of(root)
    return Source(root, files, size, commit, _changed(root, files) if commit else None)


def _files(root: Path) -> Iterator[str]:
    from pathspec import GitIgnoreSpec

    spec = GitIgnoreSpec.from_lines([*_ALWAYS, *_rules(root)])
    folders = [root]
    while folders:
        for path in folders.pop().iterdir():
            name = path.relative_to(root).as_posix()
            if path.is_dir() and not path.is_symlink():
                if not spec.match_file(f"{name}/"):
                    folders.append(path)
            elif path.is_file() and not spec.match_file(name):
                yield name


def _rules(root: Path, name: str | None = None) -> Iterator[str]:
    """The lines of an ignore file, with the files that it includes."""
    file = root / (name or next((one for one in IGNORE_FILES if (root / one).is_file()), IGNORE_FILES[0]))
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        if line.startswith(_INCLUDE):
            yield from _rules(root, line.removeprefix(_INCLUDE).strip())
        else:
            yield line


def _changed(root: Path, files: tuple[str, ...]) -> int | None:
    changed = differing(root, "HEAD")
    return None if changed is None else len(changed & set(files))


def differing(root: Path, commit: str) -> set[str] | None:
    """The files of a checkout that are not as they were at a commit; None where git cannot tell."""
    commands = (["diff", "--name-only", "--relative", commit], ["ls-files", "--others", "--exclude-standard"])
    found: set[str] = set()
    for words in commands:
        try:
            said = subprocess.run(  # noqa: S603 -- no shell
                ["git", "-C", str(root), *words],  # noqa: S607 -- the operator's own git
                check=True,
                capture_output=True,
                text=True,
                timeout=30,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        found |= set(said.stdout.splitlines())
    return found
