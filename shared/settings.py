"""What an operator can set, and where each value came from.

Precedence: flag, environment, `nbactl.toml`, what `nbactl up` runs, default. A new setting is one line in `Settings`.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path

from shared import local
from shared.errors import UsageError, did_you_mean

FILE_NAME = "nbactl.toml"
_ADDRESS = re.compile(r"(?:[\w.-]+|\[[0-9a-fA-F:.]+\]):(?P<port>\d{1,5})", re.ASCII)
_LAST_PORT = 65535
_FOREVER = 1e9


def _setting(env: str, default: str, about: str) -> str:
    """Declare a setting; typed as its value, because that is what readers of `Settings` get.

    Of several variables, separated by spaces, the first that is set counts.
    """
    declared: str = field(metadata={"env": env, "default": default, "about": about})
    return declared


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The resolved settings; `origins` says for each name who decided."""

    warehouse: str = _setting(
        "NBACTL_WAREHOUSE",
        "duckdb:///.nbactl/warehouse.duckdb",
        "where the tables live: duckdb:///relative/path or duckdb:////absolute/path",
    )
    wait: str = _setting(
        "NBACTL_WAIT",
        "10",
        "seconds to wait for another process that uses the warehouse",
    )
    project: str = _setting(
        "GOOGLE_CLOUD_PROJECT GCP_PROJECT_ID",
        "nba-props-platform",
        "the Google Cloud project of topics and services",
    )
    region: str = _setting(
        "NBACTL_REGION",
        "us-west2",
        "the region of services and datasets",
    )
    emulator: str = _setting(
        "PUBSUB_EMULATOR_HOST",
        "",
        "HOST:PORT of a Pub/Sub emulator to use instead of Google Cloud",
    )
    origins: Mapping[str, str]

    @property
    def wait_seconds(self) -> float:
        """The setting `wait` as a number.

        Raises:
            UsageError: it is none.
        """
        try:
            seconds = float(self.wait)
        except ValueError:
            seconds = -1
        if not 0 <= seconds < _FOREVER:
            raise UsageError(f"{self.wait!r} is no number of seconds", hint=f"it comes from {self.origins['wait']}")
        return seconds

    def rows(self) -> Iterator[dict[str, object]]:
        """Yield name, value, origin and meaning of each setting, in the order of declaration."""
        for declared in _declared():
            name = declared.name
            yield {
                "setting": name,
                "value": getattr(self, name),
                "origin": self.origins[name],
                "about": declared.metadata["about"],
            }


def load(
    flags: Mapping[str, str | None], environ: Mapping[str, str] = os.environ, directory: Path | None = None
) -> Settings:
    """Resolve every setting.

    Args:
        flags: what was typed, by setting; None where nothing was.
        environ: the environment; a variable that is set but empty counts as not set.
        directory: where the search for `nbactl.toml` begins; the current directory if not given.

    Raises:
        UsageError: `nbactl.toml` is no TOML, names an unknown setting, or holds no string or an empty one; or the
            emulator's address is none.
    """
    directory = directory or Path.cwd()
    file = _find_file(directory)
    written = _read(file) if file else {}
    running = local.read(directory)
    started = {"emulator": running.emulator} if running and running.lives else {}
    values, origins = {}, {}
    for declared in _declared():
        name, variables = declared.name, declared.metadata["env"].split()
        sources = (
            (flags.get(name), f"flag --{name}"),
            *((environ.get(variable) or None, f"environment {variable}") for variable in variables),
            (written.get(name), f"file {file}"),
            (started.get(name), "nbactl up"),
        )
        found = ((value, origin) for value, origin in sources if value is not None)
        values[name], origins[name] = next(found, (declared.metadata["default"], "default"))
    values["emulator"] = _emulator_address(values["emulator"], origins["emulator"])
    return Settings(**values, origins=origins)


def duckdb_path(url: str) -> Path:
    """Return the file a `duckdb:///` URL names; three slashes and a relative path start at the cwd.

    Raises:
        UsageError: the URL is of another form.
    """
    scheme, slashes, path = url.partition(":///")
    if scheme != "duckdb" or not slashes or not path:
        raise UsageError(
            f"{url!r} names no warehouse",
            why="a warehouse is written duckdb:///relative/path or duckdb:////absolute/path",
            hint="see where the value comes from: nbactl config show",
        )
    return Path(path)


def _emulator_address(text: str, origin: str) -> str:
    """Return HOST:PORT of what people write for it, such as `http://localhost:8085/`; empty text stays so.

    Raises:
        UsageError: there is no host, or no port, to be found in it.
    """
    address = text.strip().removeprefix("http://").rstrip("/")
    match = _ADDRESS.fullmatch(address)
    if text.strip() and not (match and 0 < int(match["port"]) <= _LAST_PORT):
        raise UsageError(
            f"{text!r} is no HOST:PORT of a Pub/Sub emulator",
            why=f"it comes from {origin}",
            hint="PUBSUB_EMULATOR_HOST=127.0.0.1:8085, or unset it for Google Cloud",
        )
    return address


def _declared() -> list[Field[str]]:
    return [declared for declared in fields(Settings) if declared.metadata]


def _find_file(directory: Path) -> Path | None:
    """Look upwards, but never past the repository: what lies above belongs to somebody else."""
    for folder in (directory, *directory.parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
        if (folder / ".git").exists():
            return None
    return None


def _read(file: Path) -> dict[str, str]:
    import tomllib

    try:
        written = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is not valid TOML", why=str(error), hint=f"correct {file}") from error
    known = [declared.name for declared in _declared()]
    for name, value in written.items():
        if name not in known:
            raise UsageError(f"{file}: there is no setting {name!r}", hint=did_you_mean(name, known))
        if not isinstance(value, str):
            raise UsageError(f"{file}: {name} must be a string in quotes", why=f"it is {value!r}")
        if not value.strip():
            raise UsageError(f"{file}: {name} is empty", hint="leave the line out, or write a value")
    return written
