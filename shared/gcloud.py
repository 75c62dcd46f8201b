"""What gcloud is set to on this machine, read from its files: starting it takes a second."""

from __future__ import annotations

import re
from collections.abc import Mapping
from configparser import ConfigParser, Error
from pathlib import Path

_NAME = re.compile(r"[a-z][-a-z0-9]*")
_MOST_BYTES = 100_000


def active_project(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """The project of gcloud's active configuration, and where it stands; None where it names none.

    As gcloud does: CLOUDSDK_CORE_PROJECT, or else the configuration that CLOUDSDK_ACTIVE_CONFIG_NAME or the file
    `active_config` names, in the folder that CLOUDSDK_CONFIG names, or `~/.config/gcloud`.
    """
    if project := environ.get("CLOUDSDK_CORE_PROJECT"):
        return project, "gcloud's CLOUDSDK_CORE_PROJECT"
    folder = _folder(environ)
    if folder is None:
        return None
    name = environ.get("CLOUDSDK_ACTIVE_CONFIG_NAME") or _text(folder / "active_config").strip() or "default"
    if not _NAME.fullmatch(name):  # such as NONE, which is gcloud's word for no configuration
        return None
    project = _project(_text(folder / "configurations" / f"config_{name}"))
    return (project, f"gcloud configuration {name}") if project else None


def _folder(environ: Mapping[str, str]) -> Path | None:
    if named := environ.get("CLOUDSDK_CONFIG"):
        return Path(named)
    home = environ.get("HOME")
    return Path(home) / ".config" / "gcloud" if home else None


def _text(path: Path) -> str:
    """The text of a file; none where it is not there, or is none that gcloud wrote."""
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("utf-8")
    except (OSError, ValueError):
        return ""


def _project(text: str) -> str | None:
    parser = ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except Error:
        return None
    return parser.get("core", "project", fallback="").strip() or None
