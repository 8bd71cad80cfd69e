-- Prints docs/reference.md: what the tables, views, functions and types of a database
-- with the extension and one CRM in schema crm are, by their COMMENTs.
--
--	psql -X -At -d DATABASE -f scripts/reference.sql

\set ON_ERROR_STOP on
\pset pager off
-- Types of the CRM and the extension are written without their schemas.
SELECT set_config('search_path', 'crm, ' || quote_ident(n.nspname), false)
FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
WHERE e.extname = 'crm' \g /dev/null

-- A text as the cell of a table: in one line, nothing of it read as Markdown.
CREATE FUNCTION pg_temp.cell(words text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT replace(replace(replace(regexp_replace(coalesce(words, ''), '\s+', ' ', 'g'), '|', '\|'), '<', '&lt;'), '*', '\*');
$$;
-- A comment as prose, without the lines that are for agents.  Its first paragraph may be
-- a title without a full stop.
CREATE FUNCTION pg_temp.prose(words text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT rtrim(pg_temp.cell(regexp_replace(
		regexp_replace(words, '^\s*@(mcp|tool|param)\M[^\n]*$', '', 'gn'), '([^.:;!?\s])\s*\n\s*\n\s*(?=\S)', '\1. ', 'g')), ' .') || '.';
$$;
-- Arguments or columns, defaults without their types.
CREATE FUNCTION pg_temp.arguments(words text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT regexp_replace(words, '::[a-z][a-z ]*(\[\])?', '', 'g');
$$;

SELECT $$# Reference

Every table, view, function and type with the description that the database itself has (`\d+`, `\df+`), for looking things up. It is written by
`make reference` from the COMMENTs; what the things are for is in [tables.md](tables.md), [summary.md](summary.md) and [analytics.md](analytics.md).
$$;

SELECT E'## Tables and views of a CRM\n';
SELECT format(E'### %s%s\n\n%s\n\n| column | type | |\n|---|---|---|\n%s\n', c.relname,
	CASE c.relkind WHEN 'v' THEN ' (view)' ELSE '' END,
	pg_temp.prose(obj_description(c.oid, 'pg_class')),
	(SELECT string_agg(format('| `%s` | %s%s | %s |', a.attname, format_type(a.atttypid, a.atttypmod),
			CASE WHEN a.attnotnull THEN ', not null' ELSE '' END,
			pg_temp.cell(col_description(c.oid, a.attnum))), E'\n' ORDER BY a.attnum)
		FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))
FROM pg_class AS c
WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'p', 'v')
ORDER BY c.relkind = 'v', c.relname COLLATE "C";

-- Those that give a row of a table are for PostgREST's embedding, see postgrest.md.
SELECT E'## Functions of a CRM\n\nIn its own schema, and run with the rights of who calls them.\n';
SELECT format(E'### %s\n\n```\n%s(%s)\n    returns %s\n```\n\n%s\n%s', p.proname, p.proname,
	replace(pg_temp.arguments(pg_get_function_arguments(p.oid)), ', ', E',\n    '),
	replace(pg_get_function_result(p.oid), ', ', E',\n        '),
	pg_temp.prose(obj_description(p.oid, 'pg_proc')),
	(SELECT string_agg(format('- `%s`: %s', m[1], pg_temp.cell(m[2])), E'\n') || E'\n'
		FROM regexp_matches(obj_description(p.oid, 'pg_proc'), '^\s*@param\s+(\S+)\s+([^\n]+)$', 'gn') AS m))
FROM pg_proc AS p
WHERE p.pronamespace = 'crm'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NOT NULL
	AND NOT (p.proretset AND p.pronargs = 1
		AND p.proargtypes[0] IN (SELECT reltype FROM pg_class WHERE relnamespace = 'crm'::regnamespace))
ORDER BY p.proname COLLATE "C", pg_get_function_arguments(p.oid) COLLATE "C";

-- Left out: what the functions of a CRM call, which begins with its schema; and what the
-- server calls for types, operators, aggregates and triggers.
SELECT E'## Functions of the extension\n\n| function | returns | |\n|---|---|---|';
SELECT format('| `%s(%s)` | %s | %s |', p.proname, replace(pg_temp.arguments(pg_get_function_arguments(p.oid)), '|', '\|'),
	pg_temp.cell(pg_get_function_result(p.oid)), pg_temp.prose(obj_description(p.oid, 'pg_proc')))
FROM pg_proc AS p
	JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	JOIN pg_extension AS e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
WHERE e.extname = 'crm' AND obj_description(p.oid, 'pg_proc') IS NOT NULL
	AND p.prorettype NOT IN ('trigger'::regtype, 'internal'::regtype)
	AND 'regnamespace'::regtype <> ALL (p.proargtypes)
	AND 'internal'::regtype <> ALL (p.proargtypes)
	AND 'cstring'::regtype <> ALL (p.prorettype || p.proargtypes::oid[])
	AND obj_description(p.oid, 'pg_proc') !~ '^(Transition|Combine|Final|Inverse transition) function'
	AND (p.prokind = 'a' OR NOT EXISTS (SELECT FROM pg_operator AS o WHERE o.oprcode = p.oid))
ORDER BY p.proname COLLATE "C", pg_get_function_arguments(p.oid) COLLATE "C";

SELECT E'\n## Types\n\n| type | |\n|---|---|';
SELECT format('| `%s` | %s |', t.typname, pg_temp.prose(obj_description(t.oid, 'pg_type')))
FROM pg_type AS t
	JOIN pg_depend AS d ON d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
	JOIN pg_extension AS e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
WHERE e.extname = 'crm' AND t.typelem = 0 AND obj_description(t.oid, 'pg_type') IS NOT NULL
ORDER BY t.typname COLLATE "C";
