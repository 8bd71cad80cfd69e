-- What every import begins with; included by the scripts beside this file.  Variables:
-- crm, the CRM's schema; import, the import's own; mapping, a CSV file for its table
-- mapping; encoding, delimiter, of all files.

\set ON_ERROR_STOP on
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
	INSERT INTO :"import".mapping AS m (kind, pipeline, value, target, deal_status, probability, position)
	SELECT fields ->> 'kind', coalesce(fields ->> 'pipeline', ''), fields ->> 'value', fields ->> 'target',
		fields ->> 'deal_status', (fields ->> 'probability')::numeric, (fields ->> 'position')::integer
	FROM :"import".rows WHERE file = 'mapping'
	ON CONFLICT (kind, pipeline, value) DO UPDATE SET target = excluded.target,
		deal_status = excluded.deal_status, probability = excluded.probability, position = excluded.position;
	DELETE FROM :"import".rows WHERE file = 'mapping';
\endif
