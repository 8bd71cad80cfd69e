"""SQL in C names what it means: every function, operator, type and table with
its schema, so that no search_path leads it elsewhere.

A file of src/install may rely on the search_path that its functions are declared
with (pg_catalog, pg_temp) in sql/extension, if all of them are; and a query of
the catalogs on that of crm_mcp_catalog_query().
"""
import glob
import re
import sys

problems = []

# What may stand between two pieces of one literal: in a macro the ends of lines,
# and the name of a macro that is a piece itself.
BETWEEN = re.compile(r"(?:\s|\\\n|\b[A-Z][A-Z_]+\b)*")
STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
SQL = re.compile(r"\b(SELECT|INSERT INTO|UPDATE %|DELETE FROM|FROM %|WHERE|ORDER BY|RETURNING|HAVING|GROUP BY|TRUNCATE|LOCK TABLE)\b")
TABLE = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE|TABLE)\s+(?:ONLY\s+)?([a-z_]\w*)(?!\w*\.)")
# Grammar that means an operator, which it looks up in the search_path.
HIDDEN = re.compile(r"\bCASE (?!WHEN\b)|\bIS (?:NOT )?DISTINCT FROM\b|\bIN \(|\bBETWEEN\b|\bNULLIF\b|\bI?LIKE\b|\bSIMILAR TO\b", re.I)
# What looks like a function and is grammar.
GRAMMAR = {"coalesce", "greatest", "least", "nullif"}


def blank_comments(text):
    return re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text, flags=re.S)


def literals(text):
    """Yields line and value of each string, adjacent ones put together.

    The end of a macro is the end of its literal.
    """
    value, start, end, message = "", 0, 0, None
    for match in STRING.finditer(text):
        if value and not BETWEEN.fullmatch(text[end:match.start()]):
            if not message:
                yield text.count("\n", 0, start) + 1, value
            value = ""
        if not value:
            start = match.start()
            message = re.search(r"\berr(msg|detail|hint)\w*\(\s*$", text[:start])
        value += match.group(1)
        end = match.end()
    if value and not message:
        yield text.count("\n", 0, start) + 1, value


def unqualified(sql):
    """Yields what is named without a schema."""
    sql = sql.replace("\\n", " ").replace("%%", "")
    sql = re.sub(r"'(?:[^']|'')*'", "''", sql)
    sql = re.sub(r"OPERATOR\(pg_catalog\.[^)]*\)", "OPERATOR", sql)
    sql = re.sub(r"%\d*\$?[a-z]+", "NAME", sql)
    for match in re.finditer(r"(?<![\w.])([a-z_]\w*)\s*\(", sql):
        if match.group(1) not in GRAMMAR and not re.search(r"\bAS $", sql[:match.start()]):
            yield f"function {match.group(1)}()"
    for match in HIDDEN.finditer(sql):
        yield f"an operator of {match.group().strip()}"
    for match in re.finditer(r"::\s*(?!pg_catalog\.|NAME)(\w+)", sql):
        yield f"type {match.group(1)}"
    parts = re.findall(r"(\w+) AS (?:MATERIALIZED )?\(", sql)
    for table in re.findall(TABLE, sql):
        if table not in parts:
            yield f"table {table}"
    # An assignment is no operator.
    sql = re.sub(r"(SET|,) ([a-z_]+|NAME|\(NAME\)) =", r"\1 \2", re.sub(r"=>|::", " ", sql))
    for match in re.finditer(r"[-+/<>=~!@#|&^`]+", sql):
        yield f"operator {match.group()}"


def declared_with_path():
    text = "\n".join(open(name, encoding="utf-8").read() for name in glob.glob("sql/extension/*.sql"))
    declared = set()
    for statement in re.split(r"(?m);\s*$", text):
        name = re.search(r"CREATE FUNCTION @extschema@\.(\w+)", statement)
        if name and "SET search_path = pg_catalog, pg_temp" in statement:
            declared.add(name.group(1))
    return declared


WITH_PATH = declared_with_path()
count = 0
for path in sorted(glob.glob("src/*/*.c")):
    with open(path, encoding="utf-8") as handle:
        source = blank_comments(handle.read())
    functions = re.findall(r"PG_FUNCTION_INFO_V1\((\w+)\)", source)
    if path.startswith("src/install/") and all(name in WITH_PATH for name in functions):
        continue
    for line, value in literals(source):
        if not SQL.search(value):
            continue
        tables = re.findall(TABLE, value)
        if tables and all(table.startswith("pg_") for table in tables) and "crm_mcp_catalog_query(" in source:
            continue
        count += 1
        for what in unqualified(value):
            problems.append(f"{path}:{line}: {what} without a schema in: {value[:60]}")

if count < 40:
    problems.append(f"only {count} pieces of SQL were found in src")
print("\n".join(problems))
sys.exit(bool(problems))
