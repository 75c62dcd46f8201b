"""GoogleSQL to DuckDB by sqlglot: what it lacks is rewritten, and what no rewrite makes safe is refused.

Each rule was found by running both engines on the same rows; the tests still do.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp


class UnportableSQLError(ValueError):
    """A statement says something that the two engines would understand differently."""


def translate(sql: str) -> str:
    """The DuckDB text of a GoogleSQL query."""
    import sqlglot

    tree = sqlglot.parse_one(sql, read="bigquery")
    for node in tree.walk():
        if objection := _objection(node):
            raise UnportableSQLError(f"{node.sql('bigquery')}: {objection}")
    for node in reversed(list(tree.walk())):  # leaves first: what stands inside a rewritten node is rewritten too
        if (new := _rewritten(node)) is not node:
            node.replace(new)
    _compute_once(tree)
    return tree.sql("duckdb", pretty=True, unsupported_level=sqlglot.ErrorLevel.RAISE)


def _rewritten(node: exp.Expr) -> exp.Expr:
    """What DuckDB would understand differently, said so that it does not."""
    from sqlglot import exp

    new = node
    match node:
        # a date plus an interval is a time stamp in DuckDB, which then compares dates with time stamps
        case exp.DateAdd() | exp.DateSub() if not isinstance(node.parent, exp.Cast):
            new = exp.cast(node.copy(), "DATE")
        # 0.5 is a FLOAT64 in GoogleSQL and a DECIMAL in DuckDB
        case exp.Literal(is_string=False) if "." in node.name and "e" not in node.name.lower():
            new = exp.Literal.number(f"{node.name}e0")
        # of conditions that are all NULL, and of no rows, DuckDB counts NULL
        case exp.CountIf():
            new = exp.Count(this=exp.If(this=node.this.copy(), true=exp.Literal.number(1)))
        # a tie goes away from zero in GoogleSQL, and to the even neighbour in DuckDB
        case exp.Cast() if _makes_whole(node):
            new = exp.cast(exp.Round(this=node.this.copy()), "BIGINT")
        # NULL is a JSON value in GoogleSQL
        case exp.JSONFormat():
            new = exp.Coalesce(this=node.copy(), expressions=[exp.Literal.string("null")])
        # of an hour that clocks show twice GoogleSQL means the first, and DuckDB the second
        case exp.Timestamp(this=exp.Datetime()) if node.args.get("zone"):
            new = _first_of_two(node)
    return new


def _compute_once(tree: exp.Expr) -> None:
    """Mark what is read several times as materialized: DuckDB would compute a long definition at each reading."""
    from sqlglot import exp

    read = Counter(table.name for table in tree.find_all(exp.Table) if not table.db)
    for one in tree.find_all(exp.CTE):
        if read[one.alias] > 1:
            one.set("materialized", True)  # noqa: FBT003 -- sqlglot's own way to say it


def _makes_whole(cast: exp.Cast) -> bool:
    from sqlglot import exp

    whole = exp.Column | exp.Count | exp.Floor | exp.Literal | exp.Null | exp.Predicate
    return type(cast) is exp.Cast and cast.to.is_type("BIGINT") and not isinstance(cast.this.unnest(), whole)


def _first_of_two(moment: exp.Timestamp) -> exp.Expr:
    """The earlier of a local time's moment and an hour after the moment of the hour before."""
    from sqlglot import exp

    hour = exp.Interval(this=exp.Literal.string("1"), unit=exp.var("HOUR"))
    local = exp.cast(moment.this.copy(), "TIMESTAMP", dialect="duckdb")
    before = exp.paren(exp.Sub(this=local.copy(), expression=hour.copy()))
    zone = moment.args["zone"]
    return exp.Least(
        this=exp.AtTimeZone(this=local, zone=zone.copy()),
        expressions=[exp.Add(this=exp.AtTimeZone(this=before, zone=zone.copy()), expression=hour)],
    )


_DIFFERENT = {
    "Anonymous": "sqlglot does not know this function, so nobody knows what DuckDB makes of it",
    "AnyValue": "which value it is, each engine decides for itself; use MIN or MAX",
    "DateTrunc": "of another type in DuckDB",
    "DatetimeDiff": "DuckDB counts boundaries",
    "Format": "the engines write numbers and dates differently",
    "Round": "the engines differ at ties; store the unrounded value",
    "String": "the engines write dates and times differently",
    "StrToDate": "the engines read dates and times differently",
    "StrToTime": "the engines read dates and times differently",
    "TimeToStr": "the engines write dates and times differently",
    "TimestampDiff": "DuckDB counts boundaries, GoogleSQL whole units",
    "TimestampTrunc": "of another type in DuckDB",
}
"""Kinds of expressions that have no place in portable SQL, and why."""


def _objection(node: exp.Expr) -> str | None:
    """Why the engines would understand an expression differently, or one of them not at all."""
    if reason := _DIFFERENT.get(type(node).__name__):
        return reason
    rules = (_divides, _takes_parts, _casts, _orders, _aggregates, _unnests)
    return next((reason for rule in rules if (reason := rule(node))), None)


def _divides(node: exp.Expr) -> str | None:
    """BigQuery fails on a division by zero and DuckDB gives infinity, so only sure divisors may stand bare."""
    from sqlglot import exp

    if not isinstance(node, exp.Div):
        return None
    divisor = node.expression.unnest()
    counted = divisor.this if isinstance(divisor, exp.Window) else divisor
    sure = isinstance(divisor, exp.Literal) and float(divisor.name) != 0
    return None if sure or isinstance(counted, exp.Count) else "use SAFE_DIVIDE, the divisor may be zero"


def _takes_parts(node: exp.Expr) -> str | None:
    from sqlglot import exp

    if isinstance(node, exp.Extract) and node.name.upper() not in ("YEAR", "MONTH", "DAY"):
        return "the engines number days and weeks differently"
    if isinstance(node, exp.DateDiff) and node.text("unit").upper() != "DAY":
        return "only DAY is a difference that the engines agree on"
    if isinstance(node, exp.Bracket) and not node.args.get("safe"):
        return "use SAFE_OFFSET: outside of the array BigQuery fails and DuckDB gives NULL"
    return None


def _casts(node: exp.Expr) -> str | None:
    from sqlglot import exp

    if not isinstance(node, exp.Cast):
        return None
    fraction = node.this.find(exp.Avg, exp.Div, exp.SafeDivide) or any(
        not one.is_string and not one.is_int for one in node.this.find_all(exp.Literal)
    )
    if node.to.is_type("TEXT") and fraction:
        return "the engines write a FLOAT64 differently"
    branch = node.find_ancestor(exp.If)
    guarded = branch and branch.this.find(exp.RegexpLike)
    if isinstance(node, exp.TryCast) and node.to.is_type("BIGINT") and not guarded:
        return "DuckDB takes '1.6' and '1e3' as well; test the text with REGEXP_CONTAINS first"
    return None


def _orders(node: exp.Expr) -> str | None:
    from sqlglot import exp

    if isinstance(node, exp.Window) and isinstance(node.this, exp.RowNumber | exp.Rank | exp.DenseRank):
        bare = not (node.args.get("order") or node.args.get("alias"))
        return "without ORDER BY each engine has an order of its own" if bare else None
    if isinstance(node, exp.Ordered) and isinstance(node.parent and node.parent.parent, exp.AggFunc):
        against = bool(node.args.get("nulls_first")) == bool(node.args.get("desc"))
        return "BigQuery puts NULLs first in rising and last in falling order inside an aggregate" if against else None
    return None


def _aggregates(node: exp.Expr) -> str | None:
    from sqlglot import exp

    limited = isinstance(node, exp.AggFunc) and isinstance(node.this, exp.Limit)
    return "DuckDB has no LIMIT inside an aggregate" if limited else None


def _unnests(node: exp.Expr) -> str | None:
    from sqlglot import exp

    if isinstance(node, exp.Unnest) and node.args.get("offset"):
        return "an OFFSET begins at 1 in DuckDB"
    unnamed = isinstance(node, exp.Struct) and not all(isinstance(one, exp.PropertyEQ) for one in node.expressions)
    return "name every field: DuckDB makes up other names" if unnamed else None
