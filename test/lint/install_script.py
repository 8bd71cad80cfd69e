"""Hygiene of the SQL that is installed: the extension script and the schema.

Nothing replaces or tolerates an object that is there already (CVE-2022-2625);
every function states how it may be used, is documented, and cannot be misled
by a search_path; every table and column of a CRM has a comment.
"""
import glob
import re
import sys

from pglast import ast, parse_sql
from pglast.enums import ObjectType

problems = []


def names(parts):
    return ".".join(part.val if hasattr(part, "val") else part.sval for part in parts or ())


def last(parts):
    return names(parts).split(".")[-1]


def walk(node):
    """Yields every node of a parse tree."""
    if isinstance(node, (list, tuple)):
        for item in node:
            yield from walk(item)
    elif isinstance(node, ast.Node):
        yield node
        for attribute in node:
            yield from walk(getattr(node, attribute))


def check_function(statement):
    options = {option.defname: option for option in statement.options or ()}
    returns = last(statement.returnType.names) if statement.returnType else ""
    settings = [option.arg.name for option in statement.options or () if option.defname == "set"]
    language = options["language"].arg
    language = getattr(language, "val", None) or language.sval
    missing = []
    if returns not in ("trigger", "event_trigger"):
        missing += [word for word in ("volatility", "parallel") if word not in options]
    if language in ("sql", "plpgsql") and not statement.sql_body and "search_path" not in settings:
        missing.append("SET search_path (or a body BEGIN ATOMIC)")
    return missing


def check_file(path, strict_comments):
    with open(path, encoding="utf-8") as handle:
        text = re.sub(r"(?m)^\\.*$", "", handle.read()).replace("@VERSION@", "0.0.0").replace("@extschema@", "public")
    try:
        statements = [raw.stmt for raw in parse_sql(text)]
    except Exception as error:  # pglast has one class of error a version
        problems.append(f"{path}: {error}")
        return
    functions, commented, columns, tables = {}, set(), {}, []

    for statement in statements:
        for node in walk(statement):
            if getattr(node, "replace", None) is True:
                problems.append(f"{path}: OR REPLACE in {type(node).__name__}")
            if getattr(node, "if_not_exists", None) is True:
                problems.append(f"{path}: IF NOT EXISTS in {type(node).__name__}")
        if isinstance(statement, ast.CreateFunctionStmt):
            name = last(statement.funcname)
            functions[name] = check_function(statement)
        elif isinstance(statement, ast.DefineStmt) and statement.kind == ObjectType.OBJECT_AGGREGATE:
            stated = {option.defname for option in statement.definition}
            functions[last(statement.defnames)] = [] if "parallel" in stated else ["parallel"]
        elif isinstance(statement, ast.CreateStmt):
            table = statement.relation.relname
            tables.append(table)
            for element in statement.tableElts or ():
                if isinstance(element, ast.ColumnDef):
                    columns[(table, element.colname)] = True
        elif isinstance(statement, ast.CommentStmt):
            target = statement.object
            if isinstance(target, ast.ObjectWithArgs):
                commented.add(last(target.objname))
            elif isinstance(target, (list, tuple)):
                commented.add(tuple(names(target).split(".")[-2:]) if len(target) > 1 else names(target))

    for name, missing in functions.items():
        for what in missing:
            problems.append(f"{path}: function {name} lacks {what}")
        if strict_comments and name not in commented:
            problems.append(f"{path}: function {name} lacks COMMENT")
    for table in tables:
        if table not in commented:
            problems.append(f"{path}: table {table} lacks COMMENT")
    for column in columns:
        if column not in commented:
            problems.append(f"{path}: column {'.'.join(column)} lacks COMMENT")


for name in sorted(glob.glob("sql/extension/*.sql") + glob.glob("sql/schema/*.sql")):
    check_file(name, strict_comments=True)
# What build.sh makes of them has to be SQL as well.
for name in sorted(glob.glob("build/crm--*.sql")):
    with open(name, encoding="utf-8") as handle:
        parse_sql(re.sub(r"(?m)^\\.*$", "", handle.read()).replace("@extschema@", "public"))

print("\n".join(problems))
sys.exit(bool(problems))
