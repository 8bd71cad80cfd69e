"""Hygiene of the SQL that is installed: the extension script, the queries of
its functions, and the schema.

Nothing replaces or tolerates an object that is there already (CVE-2022-2625);
every function states how it may be used, is documented, and cannot be misled
by a search_path: what is ours is named with its schema, so that all other names
are pg_catalog's.  Every table and column of a CRM has a comment.
"""
import glob
import re
import subprocess
import sys

from pglast import ast, parse_sql
from pglast.enums import ObjectType

problems = []

# The placeholders, and what they are here.
EXTENSION, CRM, IMPORT = "extension_schema", "crm_schema", "import_schema"
# The schema of sql/extension/defaults.sql, which every role may use.
DEFAULTS = "crm_defaults"
PLACEHOLDERS = {"@extschema@": EXTENSION, "@extension@": EXTENSION, "@crm@": CRM, "@import@": IMPORT, "@VERSION@": "0.0.0", "@tenant@": "crm_defaults.current_tenant()"}


def read(path):
    if path.startswith("sql/queries/"):
        text = subprocess.check_output(["awk", "-f", "sql/queries/parts.awk", path], text=True)
    else:
        with open(path, encoding="utf-8") as handle:
            text = handle.read()
    # A name that is put into a string could end it.  What the pages have is no SQL.
    sql = re.sub(r"(?s)crm_page_\w+\(\) RETURNS text.*?\$packed\$.*?\$packed\$", "", text)
    for literal in re.findall(r"'(?:[^']|'')*'", re.sub(r"--.*", "", sql)):
        if re.search("@(crm|extension|import)@", literal):
            problems.append(f"{path}: a placeholder in {literal}")
    # Lines of the tenancy "single"; build/crm--*.sql has both.
    text = re.sub(r"(?m)^( *)@single@ ", r"\1", re.sub(r"(?m)^ *@shared@ .*\n", "", text))
    for placeholder, name in PLACEHOLDERS.items():
        text = text.replace(placeholder, name)
    return re.sub(r"(?m)^\\.*$", "", text)


def parse(path):
    try:
        return [raw.stmt for raw in parse_sql(read(path))]
    except Exception as error:  # pglast has one class of error a version
        problems.append(f"{path}: {error}")
        return []


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
    if returns not in ("trigger", "event_trigger") and not statement.is_procedure:
        missing += [word for word in ("volatility", "parallel") if word not in options]
    if language in ("sql", "plpgsql") and not statement.sql_body and "search_path" not in settings:
        missing.append("SET search_path (or a body BEGIN ATOMIC)")
    return missing


def check_names(path, statement):
    """Functions of ours have their schema, and no others have one."""
    for node in walk(statement):
        if isinstance(node, ast.FuncCall):
            name = names(node.funcname)
            ours = name.split(".")[-1].startswith("crm_")
            if ours != name.startswith(EXTENSION + ".") and not name.startswith("pg_catalog."):
                problems.append(f"{path}: {name}() is not named with its schema, or wrongly")


def check_file(path, own_schema):
    statements = parse(path)
    functions, commented, columns, tables = {}, set(), {}, []

    for statement in statements:
        check_names(path, statement)
        for node in walk(statement):
            if getattr(node, "replace", None) is True:
                problems.append(f"{path}: OR REPLACE in {type(node).__name__}")
            if getattr(node, "if_not_exists", None) is True:
                problems.append(f"{path}: IF NOT EXISTS in {type(node).__name__}")
        if isinstance(statement, ast.CreateFunctionStmt):
            name = last(statement.funcname)
            functions[name] = check_function(statement)
            if own_schema and names(statement.funcname) != f"{own_schema}.{name}":
                problems.append(f"{path}: function {name} is created without its schema")
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
        if name not in commented:
            problems.append(f"{path}: function {name} lacks COMMENT")
    for table in tables:
        if table not in commented:
            problems.append(f"{path}: table {table} lacks COMMENT")
    for column in columns:
        if column not in commented:
            problems.append(f"{path}: column {'.'.join(column)} lacks COMMENT")


def check_query(path):
    """Tables are the CRM's or an import's, and named with its schema, or parts of WITH.

    Queries are analyzed with the rights of the extension's owner, when literals
    are read as the types that they are compared with: one of a range or a row
    could call functions of who chose the type of a column.
    """
    for literal in re.findall(r"'(?:[^']|'')*'", re.sub(r"--.*", "", read(path))):
        if re.match(r"'[(\[{]", literal) and literal not in ("'[]'", "'{}'"):
            problems.append(f"{path}: {literal} could be a range, a row or an array")
    for statement in parse(path):
        check_names(path, statement)
        parts = {node.ctename for node in walk(statement) if isinstance(node, ast.CommonTableExpr)}
        for node in walk(statement):
            if not isinstance(node, ast.RangeVar):
                continue
            if node.schemaname not in (CRM, IMPORT) and not (node.schemaname is None and (
                    node.relname in parts or node.relname.startswith("pg_"))):
                problems.append(f"{path}: {node.relname} is not named with its schema")


for name in sorted(glob.glob("sql/extension/*.sql") + glob.glob("sql/api/*.sql")):
    check_file(name, own_schema=DEFAULTS if name == "sql/extension/defaults.sql" else EXTENSION)
for name in sorted(glob.glob("sql/schema/*.sql")):
    check_file(name, own_schema=None)
for name in sorted(glob.glob("sql/queries/*.sql") + glob.glob("sql/import/*.sql")):
    check_query(name)
    # The library finds the statements by these (src/base/report_plan.c).
    if name.startswith("sql/queries/") and read(name).count(";\n") != len(parse(name)):
        problems.append(f"{name}: each statement, and nothing else, ends with a semicolon at the end of a line")
# What build.sh makes of them has to be SQL as well.
for name in sorted(glob.glob("build/crm--*.sql") + glob.glob("sql/released/crm--*.sql")):
    parse(name)

print("\n".join(problems))
sys.exit(bool(problems))
