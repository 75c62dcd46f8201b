"""Flag over environment over file over default, and each value knows who set it."""

import json
import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import PreconditionFailed, UsageError
from shared.settings import Settings, duckdb_path, find_folder, load
from tests.cli.conftest import Run, Type

DEFAULT = "duckdb:///.nbactl/warehouse.duckdb"

Value = st.none() | st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip)


@given(flag=Value, env=Value, written=Value)
def test_precedence(flag: str | None, env: str | None, written: str | None) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "nbactl.toml"
        if written is not None:
            file.write_text(f"warehouse = {json.dumps(written, ensure_ascii=False)}", encoding="utf-8")
        settings = load({"warehouse": flag}, {"NBACTL_WAREHOUSE": env} if env else {}, Path(folder))
    chain = [
        (flag, "flag --warehouse"),
        (env, "environment NBACTL_WAREHOUSE"),
        (written, f"file {file}"),
        (DEFAULT, "default"),
    ]
    expected = next((value, origin) for value, origin in chain if value is not None)
    assert (settings.warehouse, settings.origins["warehouse"]) == expected


def test_an_empty_variable_is_no_variable(tmp_path: Path) -> None:
    assert load({}, {"NBACTL_WAREHOUSE": ""}, tmp_path).origins["warehouse"] == "default"


def test_file_is_found_above_but_not_past_the_repository(tmp_path: Path) -> None:
    (tmp_path / "nbactl.toml").write_text('warehouse = "duckdb:///above"')
    deep = tmp_path / "repository" / "deep"
    deep.mkdir(parents=True)
    assert load({}, {}, deep).warehouse == f"duckdb:///{tmp_path / 'above'}"
    (tmp_path / "repository" / ".git").mkdir()
    assert load({}, {}, deep).warehouse == DEFAULT
    (tmp_path / "repository" / "nbactl.toml").write_text('warehouse = "duckdb:///root"')
    assert load({}, {}, deep).warehouse == f"duckdb:///{tmp_path / 'repository' / 'root'}"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('warehose = "x"', "warehose"),
        ("warehouse = 3", "must be a string"),
        ("warehouse = ", "not valid TOML"),
        ("[warehouse]", "must be a string"),
        (b"\xff\xfe", "not valid TOML"),
        ('project = ""', "project is empty"),
        ('emulator = " "', "emulator is empty"),
        ('emulator = "localhost"', "no HOST:PORT"),
    ],
)
def test_bad_files_are_usage_errors(text: str | bytes, part: str, tmp_path: Path) -> None:
    (tmp_path / "nbactl.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError, match=part) as caught:
        load({}, {}, tmp_path)
    assert caught.value.hint or caught.value.why


def test_unknown_key_brings_the_right_one_to_mind(tmp_path: Path) -> None:
    (tmp_path / "nbactl.toml").write_text('warehose = "x"')
    with pytest.raises(UsageError) as caught:
        load({}, {}, tmp_path)
    assert caught.value.hint == "did you mean 'warehouse'?"


@pytest.mark.parametrize(
    ("url", "path"), [("duckdb:///a/b.duckdb", "a/b.duckdb"), ("duckdb:////a/b.duckdb", "/a/b.duckdb")]
)
def test_duckdb_path(url: str, path: str) -> None:
    assert duckdb_path(url) == Path(path)


@pytest.mark.parametrize("url", ["", "a.duckdb", "duckdb:///", "duckdb://a", "bigquery:///a"])
def test_other_urls_name_no_warehouse(url: str) -> None:
    with pytest.raises(UsageError, match="names no warehouse"):
        duckdb_path(url)


def test_every_setting_says_what_it_is_for() -> None:
    declared = [setting for setting in fields(Settings) if setting.metadata]
    assert declared
    for setting in declared:
        assert setting.metadata["about"]
        assert setting.metadata["env"]
        assert isinstance(setting.metadata["default"], str)


@pytest.mark.parametrize("words", [("--warehouse", "duckdb:///f"), ()])
def test_config_show_says_where_a_value_comes_from(words: tuple[str, ...], nbactl: Run) -> None:
    env = {"NBACTL_WAREHOUSE": "duckdb:///e"}
    (row, wait, *_) = json.loads(nbactl(*words, "config", "show", "-o", "json", env=env).stdout)
    value, origin = ("duckdb:///f", "flag --warehouse") if words else ("duckdb:///e", "environment NBACTL_WAREHOUSE")
    assert row == {"setting": "warehouse", "value": value, "origin": origin}
    assert wait == {"setting": "wait", "value": "10", "origin": "default"}


def test_global_options_may_follow_the_command(
    type_line: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert type_line("config", "show", "-v", "--warehouse", "duckdb:///late", "-o", "csv") == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("setting,value,origin\nwarehouse,duckdb:///late,flag --warehouse\nwait,10,default\n")
    assert captured.err.startswith("warehouse: duckdb:///late (flag --warehouse)\nwait: 10 (default)\n")


@pytest.mark.parametrize(
    ("environ", "project", "origin"),
    [
        ({"GOOGLE_CLOUD_PROJECT": "a", "GCP_PROJECT_ID": "b"}, "a", "environment GOOGLE_CLOUD_PROJECT"),
        ({"GCP_PROJECT_ID": "b"}, "b", "environment GCP_PROJECT_ID"),
        ({"PUBSUB_EMULATOR_HOST": "127.0.0.1:1"}, "nba-props-platform", "default"),
        ({}, "", "not set"),
    ],
)
def test_of_two_variables_the_first_that_is_set_counts(
    environ: dict[str, str], project: str, origin: str, tmp_path: Path
) -> None:
    settings = load({}, environ, tmp_path)
    assert (settings.project, settings.origins["project"]) == (project, origin)


@pytest.mark.parametrize("wrong", ["soon", "-1", "nan"])
def test_a_wait_that_is_no_number_of_seconds_is_usage(
    wrong: str, type_line: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert type_line("data", "tables", "--wait", wrong) == 2
    assert capsys.readouterr().err == f"error: {wrong!r} is no number of seconds\n next: it comes from flag --wait\n"


@pytest.mark.parametrize("written", ["http://{}", "{}/", " {}", "{}\n", "http://{}/", " {} "])
@pytest.mark.parametrize("address", ["127.0.0.1:8085", "localhost:1", "pub-sub.local:65535", "[::1]:8085"])
def test_emulator_is_understood_as_people_write_it(written: str, address: str, tmp_path: Path) -> None:
    assert load({}, {"PUBSUB_EMULATOR_HOST": written.format(address)}, tmp_path).emulator == address


@pytest.mark.parametrize(
    "text",
    [
        *("127.0.0.1", "localhost:", ":8085", "localhost:0", "localhost:65536", "localhost:http", "localhost:8085:1"),
        *("https://localhost:8085", "::1:8085", "a b:8085", "localhost:8085/v1", "localhost:٨", "http://", "/"),
    ],
)
def test_other_emulators_are_usage_errors_that_name_the_variable(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no HOST:PORT") as caught:
        load({}, {"PUBSUB_EMULATOR_HOST": text}, tmp_path)
    assert caught.value.why == "it comes from environment PUBSUB_EMULATOR_HOST"
    assert "PUBSUB_EMULATOR_HOST" in (caught.value.hint or "")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_emulator_is_an_address_or_nothing_or_refused(text: str) -> None:
    with TemporaryDirectory() as folder:
        try:
            address = load({}, {"PUBSUB_EMULATOR_HOST": text}, Path(folder)).emulator
        except UsageError:
            return
    host, _, port = address.rpartition(":")
    assert (host and 0 < int(port) < 65536) if text.strip() else address == ""


# ---------------------------------------------------------------- the project


def gcloud(folder: Path, **files: str) -> dict[str, str]:
    """An environment whose gcloud has these files; `config_` names are configurations."""
    (folder / "configurations").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        where = folder / "configurations" if name.startswith("config_") else folder
        (where / name).write_text(text)
    return {"CLOUDSDK_CONFIG": str(folder)}


ONE = "[core]\naccount = me@example.com\nproject = one\n"
OTHER = "[core]\nproject = other%d\n[compute]\nregion = us-west2\n"


@pytest.mark.parametrize(
    ("environ", "files", "project"),
    [
        ({}, {"config_default": ONE}, "one"),
        ({}, {"active_config": "work\n", "config_default": ONE, "config_work": OTHER}, "other%d"),
        ({"CLOUDSDK_ACTIVE_CONFIG_NAME": "work"}, {"config_default": ONE, "config_work": OTHER}, "other%d"),
        ({"CLOUDSDK_CORE_PROJECT": "third"}, {"config_default": ONE}, "third"),
        ({"GCP_PROJECT_ID": "typed"}, {"config_default": ONE}, "typed"),
        ({"PUBSUB_EMULATOR_HOST": "127.0.0.1:1"}, {"config_default": ONE}, "nba-props-platform"),
        ({}, {"active_config": "NONE", "config_default": ONE}, ""),
        ({}, {"active_config": "../../configurations/config_default", "config_default": ONE}, ""),
        ({}, {"config_default": "[core]\naccount = me\n"}, ""),
        ({}, {"config_default": "[core]\nproject =\n"}, ""),
        ({}, {"config_default": "no ini at all"}, ""),
        ({}, {"config_default": "\0" * 99}, ""),
        ({}, {}, ""),
    ],
)
def test_gclouds_active_configuration_names_the_project_of_the_cloud_where_nothing_nearer_does(
    environ: dict[str, str], files: dict[str, str], project: str, tmp_path: Path
) -> None:
    found = load({}, gcloud(tmp_path / "gcloud", **files) | environ, tmp_path)
    assert found.project == project
    assert load({"project": "flag"}, gcloud(tmp_path / "gcloud") | environ, tmp_path).project == "flag"


def test_gclouds_files_are_looked_for_at_home(tmp_path: Path) -> None:
    gcloud(tmp_path / ".config" / "gcloud", config_default=ONE)
    found = load({}, {"HOME": str(tmp_path)}, tmp_path)
    assert (found.project, found.origins["project"]) == ("one", "gcloud configuration default")
    assert load({}, {}, tmp_path).project == ""


@given(written=st.binary(max_size=60), active=st.binary(max_size=12))
def test_whatever_gclouds_files_hold_they_are_no_reason_to_fail(written: bytes, active: bytes) -> None:
    with TemporaryDirectory() as name:
        environ = gcloud(Path(name), active_config="", config_default="")
        (Path(name) / "active_config").write_bytes(active)
        (Path(name) / "configurations" / "config_default").write_bytes(b"[core]\nproject = " + written)
        load({}, environ, Path(name))


def test_for_the_cloud_an_emulators_project_is_not_meant(tmp_path: Path) -> None:
    environ = {"PUBSUB_EMULATOR_HOST": "127.0.0.1:1"}
    found = load({}, environ, tmp_path)
    with pytest.raises(PreconditionFailed, match="no Google Cloud project is named") as caught:
        found.require_cloud_project()
    for way in ("--project", "GOOGLE_CLOUD_PROJECT", "nbactl.toml", "gcloud config set project"):
        assert way in (caught.value.hint or "")
    assert found.require_project() == found.emulator_project == "nba-props-platform"
    found = load({}, environ | gcloud(tmp_path / "gcloud", config_default=ONE), tmp_path)
    assert (found.require_cloud_project(), found.emulator_project) == ("one", "nba-props-platform")


@pytest.mark.parametrize(
    "words",
    [("infra", "plan"), ("dlq", "inspect"), ("publish-test", "--date", "2024-11-08"), ("logs",), ("deploy", "status")],
)
def test_without_a_project_nothing_goes_to_the_cloud(
    words: tuple[str, ...], type_line: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert type_line(*words) == 5
    assert "no Google Cloud project is named" in capsys.readouterr().err


# ---------------------------------------------------------------- the project folder


def test_state_belongs_to_the_project_folder_wherever_below_it_one_stands(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert find_folder(deep) == deep
    (tmp_path / "a" / ".nbactl").mkdir()
    assert find_folder(deep) == tmp_path / "a"
    assert load({}, {}, deep).warehouse == f"duckdb:///{tmp_path}/a/.nbactl/warehouse.duckdb"
    assert load({}, {}, tmp_path / "a").warehouse == DEFAULT
    (tmp_path / "nbactl.toml").write_text('warehouse = "duckdb:///data/w.duckdb"')
    assert find_folder(deep) == tmp_path
    found = load({}, {}, deep)
    assert (found.warehouse, found.folder) == (f"duckdb:///{tmp_path}/data/w.duckdb", tmp_path)
    # who types a path means the folder in which it is typed
    assert load({"warehouse": "duckdb:///w"}, {}, deep).warehouse == "duckdb:///w"
    assert load({}, {"NBACTL_WAREHOUSE": "duckdb:///w"}, deep).warehouse == "duckdb:///w"
    (tmp_path / "nbactl.toml").write_text('warehouse = "duckdb:////data/w.duckdb"')
    assert load({}, {}, deep).warehouse == "duckdb:////data/w.duckdb"


def test_what_was_loaded_in_the_project_folder_is_found_from_below(typed: Type, here: Path, tmp_path: Path) -> None:
    deep = tmp_path / "notebooks"
    deep.mkdir()
    before = typed("data", "tables", "-o", "csv")
    os.chdir(deep)
    below = typed("data", "tables", "-o", "csv")
    assert (before.code, below.code, below.out) == (0, 0, before.out)
    assert here.exists()
    assert list(deep.iterdir()) == []


def test_config_show_names_the_project_folder_and_why(typed: Type, tmp_path: Path) -> None:
    def folder() -> dict[str, str]:
        row: dict[str, str] = typed("config", "show", "-o", "json").json[-1]
        return row

    assert folder() == {"setting": "folder", "value": str(tmp_path), "origin": "current directory"}
    (tmp_path / ".nbactl").mkdir()
    assert folder()["origin"] == "it holds .nbactl"
    (tmp_path / "nbactl.toml").touch()
    assert folder()["origin"] == "it holds nbactl.toml"
