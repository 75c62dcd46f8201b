"""What an operator can set, and where each value came from.

Precedence: flag, environment, `nbactl.toml`, what `nbactl up` runs, default. A new setting is one line in `Settings`.
The project is the one that has no default for Google Cloud: there, gcloud's active configuration comes last.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path

from shared import local
from shared.errors import PreconditionFailed, UsageError, did_you_mean
from shared.gcloud import active_project

FILE_NAME = "nbactl.toml"
_ADDRESS = re.compile(r"(?:[\w.-]+|\[[0-9a-fA-F:.]+\]):(?P<port>\d{1,5})", re.ASCII)
_LAST_PORT = 65535
NOT_SET = "not set"
"""The origin of a setting that nobody has set and that has no default."""

_DEFAULT = "default"
_RELATIVE = "duckdb:///"
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
        "the project of topics and services; only on an emulator is there a default",
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
    folder: Path
    """The project folder: its `.nbactl` holds the default warehouse, and what `nbactl up` runs."""

    cloud_project: str
    """The project on Google Cloud, whatever emulator is set; empty where nobody names one."""

    emulator_project: str
    """The project on an emulator of one's own, where one that only gcloud names is not meant."""

    def require_cloud_project(self) -> str:
        """The project on Google Cloud.

        Raises:
            PreconditionFailed: nobody names one.
        """
        return self.cloud_project or _no_project()

    def require_project(self) -> str:
        """The project of the messages, on the emulator or on Google Cloud.

        Raises:
            PreconditionFailed: nobody names one, and there is no emulator.
        """
        return self.project or _no_project()

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
        """Yield name, value, origin and meaning of each setting, as declared, and the project folder."""
        for declared in _declared():
            name = declared.name
            yield {
                "setting": name,
                "value": getattr(self, name),
                "origin": self.origins[name],
                "about": declared.metadata["about"],
            }
        marker = next((name for name in (FILE_NAME, str(local.FOLDER)) if (self.folder / name).exists()), None)
        yield {
            "setting": "folder",
            "value": str(self.folder),
            "origin": f"it holds {marker}" if marker else "current directory",
            "about": "the project folder, to which the default warehouse and the pipeline of nbactl up belong",
        }


def load(
    flags: Mapping[str, str | None],
    environ: Mapping[str, str] = os.environ,
    directory: Path | None = None,
    find_running: Callable[[Path], local.Local | None] = lambda _folder: None,
) -> Settings:
    """Resolve every setting.

    Args:
        flags: what was typed, by setting; None where nothing was.
        environ: the environment; a variable that is set but empty counts as not set.
        directory: where the search for `nbactl.toml` begins; the current directory if not given.
        find_running: gives the pipeline that `nbactl up` runs in a project folder.

    Raises:
        UsageError: `nbactl.toml` is no TOML, names an unknown setting, or holds no string or an empty one; or the
            emulator's address is none.
    """
    directory = directory or Path.cwd()
    file, folder = _find_file(directory), find_folder(directory)
    chosen = {
        name: source for name, source in _typed(flags, environ, _read(file) if file else {}, file) if source is not None
    }
    if "emulator" in chosen:
        text, origin = chosen.pop("emulator")
        if address := _emulator_address(text, origin):
            chosen["emulator"] = address, origin
    typed = chosen.get("project")
    cloud = typed or active_project(environ)
    if "emulator" not in chosen and (running := find_running(folder)):
        chosen["emulator"] = running.emulator, "nbactl up"
        chosen.setdefault("project", (running.project, "nbactl up"))
    if "emulator" not in chosen:
        chosen.setdefault("project", cloud or ("", NOT_SET))
    defaults = {name: (value, _DEFAULT) for name, value in _defaults().items()}
    resolved = defaults | chosen
    resolved["warehouse"] = _placed(*resolved["warehouse"], directory, file, folder)
    return Settings(
        **{name: value for name, (value, _) in resolved.items()},
        origins={name: origin for name, (_, origin) in resolved.items()},
        folder=folder,
        cloud_project=cloud[0] if cloud else "",
        emulator_project=typed[0] if typed else _defaults()["project"],
    )


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


def _defaults() -> dict[str, str]:
    return {declared.name: declared.metadata["default"] for declared in _declared()}


def _typed(
    flags: Mapping[str, str | None], environ: Mapping[str, str], written: Mapping[str, str], file: Path | None
) -> Iterator[tuple[str, tuple[str, str] | None]]:
    """Yield each setting with what an operator set and where, None where nobody did."""
    for declared in _declared():
        name = declared.name
        sources = (
            (flags.get(name), f"flag --{name}"),
            *(
                (environ.get(variable) or None, f"environment {variable}")
                for variable in declared.metadata["env"].split()
            ),
            (written.get(name), f"file {file}"),
        )
        yield name, next(((value, origin) for value, origin in sources if value is not None), None)


def _placed(url: str, origin: str, directory: Path, file: Path | None, folder: Path) -> tuple[str, str]:
    """A warehouse, where a relative one of the file or the default begins at the folder and not where we are."""
    base = folder if origin == _DEFAULT else file.parent if file and origin == f"file {file}" else directory
    path = url.removeprefix(_RELATIVE)
    if base == directory or not url.startswith(_RELATIVE) or not path or path.startswith("/"):
        return url, origin
    return f"{_RELATIVE}{base / path}", origin


def _no_project() -> str:
    raise PreconditionFailed(
        "no Google Cloud project is named, and there is no default for the cloud",
        why="neither flag, environment, nbactl.toml nor gcloud's active configuration names one",
        hint=f"""--project PROJECT
export GOOGLE_CLOUD_PROJECT=PROJECT
project = "PROJECT" in {FILE_NAME}
gcloud config set project PROJECT
or, for a pipeline on this machine: nbactl up""",
    )


def find_folder(directory: Path) -> Path:
    """Return the project folder of a directory: the one above with `nbactl.toml`, or else with `.nbactl`, or itself."""
    file = _find_file(directory)
    if file:
        return file.parent
    return next((folder for folder in _upwards(directory) if (folder / local.FOLDER).is_dir()), directory)


def _find_file(directory: Path) -> Path | None:
    return next((folder / FILE_NAME for folder in _upwards(directory) if (folder / FILE_NAME).is_file()), None)


def _upwards(directory: Path) -> Iterator[Path]:
    """Yield a directory and those above, but none above the repository: what lies there belongs to somebody else."""
    for folder in (directory, *directory.parents):
        yield folder
        if (folder / ".git").exists():
            return


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
