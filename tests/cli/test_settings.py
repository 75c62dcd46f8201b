"""Flag over environment over file over default, and each value knows who set it."""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UsageError
from shared.settings import Settings, duckdb_path, load
from tests.cli.conftest import Run

DEFAULT = "duckdb:///.nbactl/warehouse.duckdb"

Value = st.none() | st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1)


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
