-- What the reports beside this file begin with.  Variables: pipeline, the name of one;
-- crm, the CRM's schema.

\set ON_ERROR_STOP on
\if :{?pipeline}
\else
	\set pipeline 'Sales'
\endif
\if :{?crm}
\else
	\set crm crm
\endif
\pset footer off
\pset pager off
\pset null ''
