-- Puts what crm_export() wrote as JSON lines into an empty CRM.
--
--	psql -d DATABASE -At -c "SELECT crm_export('crm')" > crm.jsonl
--	psql -d OTHER -v lines=crm.jsonl [-v crm=SCHEMA] -f examples/import/export.sql

\set ON_ERROR_STOP on
\if :{?lines}
\else
	\set lines ':lines'
\endif
\ir begin.sql
SELECT CASE WHEN :'lines' LIKE ':%' THEN crm_raise('22023', 'name the file: psql -v lines=FILE') END \g /dev/null
SELECT format('\copy %s.lines (text) FROM ''%s'' WITH (FORMAT csv, QUOTE E''\x01'', DELIMITER E''\x02'', NULL E''\x03'')',
	quote_ident(:'import'), replace(:'lines', '''', '''''')) AS copy \gset
:copy
SELECT * FROM crm_import_export(:'crm', :'import');
COMMIT;
