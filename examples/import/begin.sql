-- What every import begins with; included by the scripts beside this file, which set
-- ON_ERROR_STOP: set here, it would not hold for the line that includes this.  Variables:
-- crm, the CRM's schema; import, the import's own; mapping, a CSV file for its table
-- mapping; encoding, delimiter, of all files.

\set SHOW_CONTEXT never
\if :{?crm}
\else
	\set crm crm
\endif
\if :{?import}
\else
	\set import crm_import
\endif
\if :{?encoding}
\else
	\set encoding UTF8
\endif
\if :{?delimiter}
\else
	\set delimiter ','
\endif
\if :{?amount_format}
\else
	\set amount_format '1234.56'
\endif
\if :{?time_format}
\else
	\set time_format iso
\endif
\if :{?time_zone}
\else
	\set time_zone UTC
\endif
\if :{?currency}
\else
	\set currency ''
\endif
\if :{?policies}
\else
	\set policies '{}'
\endif
\if :{?check_only}
\else
	\set check_only off
\endif
\encoding :encoding

BEGIN;
SELECT extnamespace::regnamespace AS extension FROM pg_extension WHERE extname = 'crm' \gset
SET LOCAL search_path = :extension, pg_temp;
SELECT crm_prepare_import(:'import') \g /dev/null

\if :{?mapping}
	\set file mapping
	\set csv :mapping
	\set required '{kind,value,target}'
	\ir read.sql
	SELECT crm_raise('22023', format('%s, line %s: %s', :'mapping', line, problem))
	FROM (SELECT line, CASE
				WHEN problem IS NOT NULL THEN problem
				WHEN fields ->> 'kind' IS NULL OR fields ->> 'value' IS NULL OR fields ->> 'target' IS NULL THEN 'kind, value and target are required'
				WHEN fields ->> 'kind' NOT IN ('pipeline', 'stage', 'status', 'owner', 'organization', 'contact', 'currency', 'value_period')
					THEN format('there is no kind "%s"', fields ->> 'kind')
				WHEN fields ->> 'deal_status' NOT IN ('open', 'won', 'lost') THEN 'deal_status is open, won or lost'
				WHEN fields ->> 'probability' !~ '^(0(\.\d+)?|1(\.0+)?)$' THEN 'probability is a number from 0 to 1'
				WHEN fields ->> 'position' !~ '^\d{1,6}$' THEN 'position is a number'
				WHEN row_number() OVER (PARTITION BY fields ->> 'kind', coalesce(fields ->> 'pipeline', ''), fields ->> 'value' ORDER BY line) > 1
					THEN format('"%s" is mapped twice', fields ->> 'value') END AS problem
		FROM :"import".rows WHERE file = 'mapping') AS c
	WHERE problem IS NOT NULL ORDER BY line LIMIT 1 \g /dev/null
	INSERT INTO :"import".mapping AS m (kind, pipeline, value, target, deal_status, probability, position)
	SELECT fields ->> 'kind', coalesce(fields ->> 'pipeline', ''), fields ->> 'value', fields ->> 'target',
		fields ->> 'deal_status', (fields ->> 'probability')::numeric, (fields ->> 'position')::integer
	FROM :"import".rows WHERE file = 'mapping'
	ON CONFLICT (kind, pipeline, value) DO UPDATE SET target = excluded.target,
		deal_status = excluded.deal_status, probability = excluded.probability, position = excluded.position;
	DELETE FROM :"import".rows WHERE file = 'mapping';
\endif
