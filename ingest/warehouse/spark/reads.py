"""What a query on Spark may do: read tables of the catalog, and nothing beside it.

Spark SQL can run shell commands (`transform`), call any Java method (`reflect`) and read any file
(``text.`/etc/passwd` ``). So Spark parses a query; each plan and table function in it must be known
here, and functions that reach beyond tables are refused. Nothing is run or resolved on the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from py4j.java_gateway import JavaObject  # type: ignore[import-untyped]
from pyspark.sql import SparkSession

_CATALYST = "org.apache.spark.sql.catalyst"
# Plans of queries, as the parser makes them.
_QUERIES = frozenset(
    (
        "Aggregate", "Distinct", "Except", "Filter", "Generate", "GlobalLimit", "Intersect",
        "Join", "LateralJoin", "LocalLimit", "LocalRelation", "Offset", "OneRowRelation",
        "PipeOperator", "Pivot", "Project", "RepartitionByExpression", "Sample", "Sort",
        "SubqueryAlias", "UnresolvedHaving", "UnresolvedHint", "UnresolvedInlineTable",
        "UnresolvedRelation", "UnresolvedSubqueryColumnAliases", "UnresolvedTVFAliases",
        "UnresolvedTableValuedFunction", "UnresolvedWith", "Union", "Unpivot",
        "WithWindowDefinition",
    )
)  # fmt: skip
# Plans of questions about tables, and what they name.
_QUESTIONS = frozenset(
    (
        "CurrentNamespace$", "DescribeColumn", "DescribeFunction", "DescribeNamespace",
        "DescribeQueryCommand", "DescribeRelation", "ExplainCommand", "ShowColumns",
        "ShowCreateTable", "ShowCurrentNamespaceCommand", "ShowFunctions", "ShowNamespacesCommand",
        "ShowPartitions", "ShowTablesExtended", "ShowTableProperties", "ShowTables", "ShowViews",
        "UnresolvedFunctionName", "UnresolvedNamespace", "UnresolvedTable", "UnresolvedTableOrView",
        "UnresolvedView",
    )
)  # fmt: skip
# Functions that call Java methods, or read the file or address that an argument names: XML may name
# its own grammar.
_FORBIDDEN_FUNCTIONS = frozenset(
    (
        "from_avro", "from_protobuf", "from_xml", "java_method", "reflect", "schema_of_avro",
        "schema_of_xml", "to_avro", "to_protobuf", "try_reflect", "xpath", "xpath_boolean",
        "xpath_double", "xpath_float", "xpath_int", "xpath_long", "xpath_number", "xpath_short",
        "xpath_string",
    )
)  # fmt: skip
_TABLE_FUNCTIONS = frozenset(
    (
        "collations", "explode", "explode_outer", "inline", "inline_outer", "json_tuple",
        "posexplode", "posexplode_outer", "range", "sql_keywords", "stack", "variant_explode",
        "variant_explode_outer",
    )
)  # fmt: skip


def forbidden_part(session: SparkSession, sql: str) -> str | None:
    """Return the first part of `sql` that does more than read tables, None without any.

    Raises ParseException when `sql` is not Spark SQL.
    """
    java: Any = session
    plan = java._jsparkSession.sessionState().sqlParser().parsePlan(sql)
    walk = _Walk(session)
    return next((why for node in walk.nodes(plan) if (why := walk.objection(node))), None)


class _Walk:
    """Goes through a parsed plan by what its nodes are made of, so that no child is missed."""

    def __init__(self, session: SparkSession) -> None:
        jvm: Any = session._jvm
        self._class = jvm.java.lang.Class.forName
        self._kinds: dict[str, str] = {}
        self._bases = {
            "plan": self._class(f"{_CATALYST}.plans.logical.LogicalPlan"),
            "expression": self._class(f"{_CATALYST}.trees.TreeNode"),
            "type": self._class("org.apache.spark.sql.types.DataType"),
            "collection": self._class("scala.collection.Iterable"),
            "product": self._class("scala.Product"),
        }

    def nodes(self, plan: JavaObject) -> Iterator[JavaObject]:
        """Yield the plans and expressions in `plan`, itself first."""
        todo: list[Any] = [plan]
        while todo:
            part = todo.pop()
            if not isinstance(part, JavaObject):
                continue
            kind = self._kind(part)
            if kind in ("plan", "expression"):
                yield part
            if kind in ("plan", "expression", "product"):
                todo += _items(part.productIterator())
            elif kind == "collection":
                todo += _items(part.iterator())

    def objection(self, node: JavaObject) -> str | None:
        """Return what `node` does beside reading a table, None when that is nothing."""
        name = str(node.getClass().getName()).rpartition(".")[2]
        if self._kind(node) == "plan" and name not in _QUERIES | _QUESTIONS:
            return name
        if name == "UnresolvedRelation" and not node.options().isEmpty():
            return "options of a table"
        if name == "UnresolvedTableValuedFunction":
            return _unless(node.name().last().lower() in _TABLE_FUNCTIONS, node.name())
        if name == "UnresolvedGenerator":
            generator = str(node.name().funcName())
            return None if generator.lower() in _TABLE_FUNCTIONS else f"function {generator}"
        if name == "UnresolvedFunction":
            allowed = node.nameParts().last().lower() not in _FORBIDDEN_FUNCTIONS
            return _unless(allowed, node.nameParts())
        # Its name is known only when the query runs.
        return name if name == "ExpressionWithUnresolvedIdentifier" else None

    def _kind(self, part: JavaObject) -> str:
        """Return which of the bases `part` is of, "" for none: values, names, modes."""
        name = part.getClass().getName()
        if name not in self._kinds:
            found = (kind for kind, base in self._bases.items() if base.isInstance(part))
            self._kinds[name] = next(found, "")
        return self._kinds[name]


def _items(iterator: JavaObject) -> Iterator[Any]:
    while iterator.hasNext():
        yield iterator.next()


def _unless(allowed: bool, parts: JavaObject) -> str | None:
    return None if allowed else f"function {parts.mkString('.')}"
