-- What every import ends with.  Variables: source, the name of the system; amount_format,
-- time_format, time_zone, currency and policies as crm_import() takes them; check_only.
-- vendor_policies are those that the script has chosen, policies come before them.

\if :{?vendor_policies}
\else
	\set vendor_policies '{}'
\endif
\pset footer off
SELECT * FROM crm_import(:'crm', :'source', :'import', :'amount_format', :'time_format', :'time_zone', nullif(:'currency', ''),
	:'vendor_policies'::jsonb || :'policies'::jsonb, :'check_only');
SELECT count(*) > 0 AS is_rejected, (SELECT number = 0 FROM :"import".report WHERE what = 'written') AND NOT :'check_only'::boolean AS is_stopped
FROM :"import".rejects \gset
\if :is_rejected
	\echo 'The first lines that cannot be used; table rejects has all:'
	SELECT file, line, external_id, column_name, value, reason FROM :"import".rejects ORDER BY file, line, column_name LIMIT 20;
\endif
COMMIT;
\if :is_stopped
	DO $$ BEGIN RAISE EXCEPTION 'nothing was imported' USING ERRCODE = 'data_exception',
		HINT = 'Correct the files, or the mapping, or decide: -v policies=''{"rejects": "skip"}'' imports the rest.'; END $$;
\endif
