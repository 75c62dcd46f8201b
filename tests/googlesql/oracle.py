"""The real GoogleSQL front end as a judge: Google's analyzer and reference evaluator, from PyPI `zetasql`.

The package ships them as one WebAssembly module. Compiling it takes 10 s, so the compiled module is kept in the
user's cache folder; the environment variable `NBACTL_TEST_CACHE` names another one.
"""

import ctypes
import os
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import tzdata
import wasmtime
from google.protobuf.message import Message
from platformdirs import user_cache_path
from zetasql.wasi import get_wasm_path
from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service
from zetasql.wasi._pb2.zetasql.proto import options_pb2 as options
from zetasql.wasi._pb2.zetasql.proto import simple_catalog_pb2 as catalogs
from zetasql.wasi._pb2.zetasql.public import options_pb2 as public
from zetasql.wasi._pb2.zetasql.public import type_pb2 as types
from zetasql.wasi._pb2.zetasql.public import value_pb2 as values
from zetasql.wasi._pb2.zetasql.resolved_ast import resolved_node_kind_pb2 as nodes

from shared.tables.model import Table

Row = tuple[Any, ...]
Rows = Mapping[str, Sequence[Sequence[Any]]]
Params = Mapping[str, Any]
Answer = TypeVar("Answer", bound=Message)

_EPOCH = date(1970, 1, 1)
_KINDS = {
    "BOOL": types.TYPE_BOOL,
    "DATE": types.TYPE_DATE,
    "FLOAT64": types.TYPE_DOUBLE,
    "INT64": types.TYPE_INT64,
    "JSON": types.TYPE_JSON,
    "STRING": types.TYPE_STRING,
    "TIMESTAMP": types.TYPE_TIMESTAMP,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_FIELDS = {
    types.TYPE_BOOL: "bool_value",
    types.TYPE_DOUBLE: "double_value",
    types.TYPE_INT64: "int64_value",
    types.TYPE_JSON: "json_value",
    types.TYPE_STRING: "string_value",
}


_TABLE = re.compile(r"(?<=FROM |JOIN )[\w.]+")
_TYPES = {bool: "BOOL", date: "DATE", datetime: "TIMESTAMP", float: "FLOAT64", int: "INT64", str: "STRING"}
"""Types of parameters."""
_FEATURES = {"FEATURE_ANALYTIC_FUNCTIONS", "FEATURE_JSON_TYPE"}
"""What BigQuery has beside the numbered versions of the language, and the project needs."""


class RefusedError(Exception):
    """GoogleSQL does not accept the statement, or its evaluation fails."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What the analyzer says of a statement.

    Attributes:
        columns: names and types of the result.
        tables: names of the tables that it reads, as it writes them.
    """

    columns: tuple[tuple[str, str], ...]
    tables: frozenset[str]


class Engine:
    """The WebAssembly module, ready to be called."""

    def __init__(self, cache: Path | None = None) -> None:
        config = wasmtime.Config()
        config.shared_memory = True
        engine = wasmtime.Engine(config)
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        wasi = wasmtime.WasiConfig()
        wasi.inherit_stderr()
        wasi.preopen_dir(str(Path(tzdata.__file__).parent / "zoneinfo"), "/usr/share/zoneinfo")
        self._store = wasmtime.Store(engine)
        self._store.set_wasi(wasi)
        instance = linker.instantiate(self._store, _module(engine, cache or cache_folder()))
        self._exports = instance.exports(self._store)
        self._run("_initialize")

    def call(self, method: str, request: Message, answer: type[Answer]) -> Answer:
        """Call a method of ZetaSqlLocalService.

        Raises:
            RefusedError: with its message.
        """
        text = request.SerializeToString()
        size_at = self._run("wasm_malloc", 4)
        text_at = self._run("wasm_malloc", max(len(text), 1))
        try:
            ctypes.memmove(self._address(text_at), text, len(text))
            answer_at = self._run(f"ZetaSqlLocalService_{method}", text_at, len(text), size_at)
            if not answer_at:
                size = self._run("wasm_get_last_error_size")
                raise RefusedError(self._read(self._run("wasm_get_last_error"), size).decode().rstrip("\0"))
            found = self._read(answer_at, int.from_bytes(self._read(size_at, 4), "little"))
            self._run("wasm_free", answer_at)
            return answer.FromString(found)
        finally:
            self._run("wasm_free", text_at)
            self._run("wasm_free", size_at)

    def _run(self, name: str, *arguments: int) -> int:
        return self._exports[name](self._store, *arguments)

    def _address(self, at: int) -> int:
        return ctypes.addressof(self._exports["memory"].data_ptr().contents) + at

    def _read(self, at: int, size: int) -> bytes:
        return ctypes.string_at(self._address(at), size)

    @cached_property
    def language(self) -> options.LanguageOptionsProto:
        """BigQuery's dialect, as near as a list of features comes to it: what is new or experimental is off."""
        request = service.LanguageOptionsRequest(maximum_features=True)
        language = self.call("GetLanguageOptions", request, options.LanguageOptionsProto)
        del language.enabled_language_features[:]
        language.enabled_language_features.extend(
            feature
            for name, feature in public.LanguageFeature.items()
            if name.startswith(("FEATURE_V_1_1_", "FEATURE_V_1_2_", "FEATURE_V_1_3_")) or name in _FEATURES
        )
        language.product_mode = public.PRODUCT_EXTERNAL
        language.supported_statement_kinds.extend(
            (
                nodes.RESOLVED_QUERY_STMT,
                nodes.RESOLVED_DELETE_STMT,
                nodes.RESOLVED_INSERT_STMT,
                nodes.RESOLVED_UPDATE_STMT,
            )
        )
        return language


class Oracle:
    """An engine that knows some tables.

    Rows go in as parameters: a statement is then prepared once, which costs more than to evaluate it.
    """

    def __init__(self, engine: Engine, tables: Iterable[Table]) -> None:
        self._engine = engine
        self._statements: dict[tuple[object, ...], service.PreparedQueryState] = {}
        self._tables = {_name(table): table for table in tables}
        self._catalog = catalogs.SimpleCatalogProto(name="warehouse")
        self._catalog.builtin_function_options.language_options.CopyFrom(engine.language)
        datasets = {"": self._catalog}
        for table in self._tables.values():
            if table.dataset not in datasets:
                datasets[table.dataset] = self._catalog.catalog.add(name=table.dataset)
            entry = datasets[table.dataset].table.add(name=table.name)
            for column in table.columns:
                entry.column.add(name=column.name).type.CopyFrom(_type(column.type))

    def analyze(self, sql: str, params: Params | None = None) -> Analysis:
        """What a SELECT gives and reads.

        Raises:
            RefusedError: it is not GoogleSQL over these tables.
        """
        request = service.ExtractTableNamesFromStatementRequest(sql_statement=sql, options=self._engine.language)
        read = self._engine.call(
            "ExtractTableNamesFromStatement", request, service.ExtractTableNamesFromStatementResponse
        )
        kinds = {name: _type_of(value) for name, value in (params or {}).items()}
        columns = self._prepared(sql, kinds).columns
        return Analysis(
            columns=tuple((column.name, _type_name(column.type)) for column in columns),
            tables=frozenset(".".join(table.table_name_segment) for table in read.table_name),
        )

    def analyze_change(self, sql: str, params: Params | None = None) -> None:
        """Accept a DELETE, UPDATE or INSERT.

        Raises:
            RefusedError: it is not GoogleSQL over these tables.
        """
        kinds = {name: _type_of(value) for name, value in (params or {}).items()}
        request = service.PrepareModifyRequest(sql=sql, options=self._options(kinds), simple_catalog=self._catalog)
        self._engine.call("PrepareModify", request, service.PrepareModifyResponse)

    def query(self, sql: str, rows: Rows | None = None, params: Params | None = None) -> list[Row]:
        """The rows of a SELECT, in no order but the query's own.

        Args:
            sql: in GoogleSQL.
            rows: content by table name, values in column order; other tables are empty.
            params: values of the query's parameters, none of them NULL.

        Raises:
            RefusedError: it is not GoogleSQL over these tables, or fails over these rows.
        """
        given = {name: (_type_of(value), value) for name, value in (params or {}).items()}
        for name in set(_TABLE.findall(sql)) & self._tables.keys():
            given[_parameter(name)] = (_rows_type(self._tables[name]), (rows or {}).get(name, ()))
        text = _TABLE.sub(
            lambda found: f"(SELECT * FROM UNNEST(@{_parameter(found[0])}))" if found[0] in self._tables else found[0],
            sql,
        )
        prepared = self._prepared(text, {name: kind for name, (kind, _) in given.items()})
        request = service.EvaluateQueryRequest(prepared_query_id=prepared.prepared_query_id)
        for name, (kind, value) in given.items():
            request.params.add(name=name).value.CopyFrom(_encoded(value, kind))
        answer = self._engine.call("EvaluateQuery", request, service.EvaluateQueryResponse)
        kinds = [column.type for column in prepared.columns]
        return [tuple(map(_decoded, row.cell, kinds)) for row in answer.content.table_data.row]

    def _prepared(self, sql: str, params: Mapping[str, types.TypeProto]) -> service.PreparedQueryState:
        key = (sql, *((name, kind.SerializeToString()) for name, kind in sorted(params.items())))
        if key not in self._statements:
            request = service.PrepareQueryRequest(sql=sql, options=self._options(params), simple_catalog=self._catalog)
            answer = self._engine.call("PrepareQuery", request, service.PrepareQueryResponse)
            self._statements[key] = answer.prepared
        return self._statements[key]

    def _options(self, params: Mapping[str, types.TypeProto]) -> options.AnalyzerOptionsProto:
        asked = options.AnalyzerOptionsProto(
            default_timezone="UTC",
            error_message_mode=public.ERROR_MESSAGE_ONE_LINE,
            language_options=self._engine.language,
            prune_unused_columns=True,
        )
        for name, kind in params.items():
            asked.query_parameters.add(name=name).type.CopyFrom(kind)
        return asked


def cache_folder() -> Path:
    """Where the compiled module is kept."""
    folder = os.environ.get("NBACTL_TEST_CACHE")
    return Path(folder) if folder else user_cache_path("nbactl-tests")


def _module(engine: wasmtime.Engine, folder: Path) -> wasmtime.Module:
    known = folder / f"zetasql-{version('zetasql')}-wasmtime-{version('wasmtime')}.cwasm"
    if known.exists():
        with suppress(wasmtime.WasmtimeError):  # compiled for another processor
            return wasmtime.Module.deserialize_file(engine, str(known))
    module = wasmtime.Module.from_file(engine, get_wasm_path())
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        file.write(module.serialize())
    Path(file.name).replace(known)
    return module


def _name(table: Table) -> str:
    return f"{table.dataset}.{table.name}" if table.dataset else table.name


def _parameter(table: str) -> str:
    return f"rows_of_{table.rsplit('.', maxsplit=1)[-1]}"


def _type(name: str) -> types.TypeProto:
    if name.startswith("ARRAY<"):
        element = types.ArrayTypeProto(element_type=_type(name.removeprefix("ARRAY<").removesuffix(">")))
        return types.TypeProto(type_kind=types.TYPE_ARRAY, array_type=element)
    return types.TypeProto(type_kind=_KINDS[name])


def _type_of(value: Any) -> types.TypeProto:  # noqa: ANN401 -- of any parameter
    return _type(f"ARRAY<{_TYPES[type(value[0])]}>" if isinstance(value, list) else _TYPES[type(value)])


def _rows_type(table: Table) -> types.TypeProto:
    fields = [types.StructFieldProto(field_name=column.name, field_type=_type(column.type)) for column in table.columns]
    row = types.TypeProto(type_kind=types.TYPE_STRUCT, struct_type=types.StructTypeProto(field=fields))
    return types.TypeProto(type_kind=types.TYPE_ARRAY, array_type=types.ArrayTypeProto(element_type=row))


def _type_name(kind: types.TypeProto) -> str:
    if kind.type_kind == types.TYPE_ARRAY:
        return f"ARRAY<{_type_name(kind.array_type.element_type)}>"
    return _NAMES[kind.type_kind]


def _encoded(value: Any, kind: types.TypeProto) -> values.ValueProto:  # noqa: ANN401 -- of the kind
    cell = values.ValueProto()
    if value is None:
        return cell
    if kind.type_kind == types.TYPE_ARRAY:
        cell.array_value.SetInParent()
        cell.array_value.element.extend(_encoded(item, kind.array_type.element_type) for item in value)
    elif kind.type_kind == types.TYPE_STRUCT:
        cell.struct_value.field.extend(
            _encoded(item, field.field_type) for item, field in zip(value, kind.struct_type.field, strict=True)
        )
    elif kind.type_kind == types.TYPE_DATE:
        cell.date_value = (value - _EPOCH).days
    elif kind.type_kind == types.TYPE_TIMESTAMP:
        cell.timestamp_value.FromDatetime(value.astimezone(UTC).replace(tzinfo=None))
    else:
        setattr(cell, _FIELDS[kind.type_kind], value)
    return cell


def _decoded(cell: values.ValueProto, kind: types.TypeProto) -> Any:  # noqa: ANN401 -- of the kind
    if cell.WhichOneof("value") is None:
        return None
    if kind.type_kind == types.TYPE_ARRAY:
        return [_decoded(item, kind.array_type.element_type) for item in cell.array_value.element]
    if kind.type_kind == types.TYPE_DATE:
        return _EPOCH + timedelta(days=cell.date_value)
    if kind.type_kind == types.TYPE_TIMESTAMP:
        return cell.timestamp_value.ToDatetime(tzinfo=UTC)
    return getattr(cell, _FIELDS[kind.type_kind])
