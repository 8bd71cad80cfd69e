-- Reads a CSV file into the table rows of the import's schema.  Variables: csv, the
-- file; file, what it is called there; required, the columns that it must have.
--
-- The lines are copied as they are, so that each keeps its number: with quotes and a
-- delimiter that no text has.  The program takes the carriage returns out.

-- A variable that was not set is its own name.
SELECT CASE WHEN :'csv' LIKE ':%' THEN crm_raise('22023', format('name the file: psql -v %s=FILE', substr(:'csv', 2))) END \g /dev/null
SELECT format('\copy %s.lines (text) FROM PROGRAM ''%s'' WITH (FORMAT csv, QUOTE E''\x01'', DELIMITER E''\x02'', NULL E''\x03'')',
	quote_ident(:'import'),
	-- for the shell, and then for psql
	replace(format('tr -d ''\r'' < ''%s''', replace(:'csv', '''', '''\''''')), '''', '''''')) AS copy \gset
-- A byte that is not of the encoding is told with its line.
\set SHOW_CONTEXT errors
:copy
\set SHOW_CONTEXT never
SELECT crm_import_read(:'import', :'file', :'delimiter', :'required') AS lines_read \gset
\echo :csv: :lines_read rows
