-- The trigger functions of an installed CRM.  They may be attached to any
-- table: they write with the rights of that table's owner, no others.

CREATE FUNCTION @extschema@.crm_pipeline_rules() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.crm_pipeline_rules() IS
'BEFORE INSERT OR UPDATE trigger for each row of pipelines: keeps what is fixed, allows one default per tenant';

CREATE FUNCTION @extschema@.crm_stage_rules() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.crm_stage_rules() IS
'BEFORE INSERT OR UPDATE OR DELETE trigger for each row of stages: gives a position and a probability, protects stages in use';

CREATE FUNCTION @extschema@.crm_deal_rules() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.crm_deal_rules() IS
'BEFORE INSERT OR UPDATE trigger for each row of deals: decides where the deal stands and since when, keeps what follows from it';

CREATE FUNCTION @extschema@.crm_deal_audit() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.crm_deal_audit() IS
'AFTER trigger for each statement on deals, with the transition tables there are: writes a row of stage_changes for every move (argument ''history'', for UPDATE), a row of deal_changes for every deal that comes, goes or changes otherwise (argument ''changes'', for INSERT, UPDATE and DELETE) and keeps stage_totals (argument ''totals'', for INSERT, UPDATE, DELETE and TRUNCATE)';

CREATE FUNCTION @extschema@.crm_deal_truncate() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.crm_deal_truncate() IS
'BEFORE TRUNCATE trigger for each statement on deals: writes a row of deal_changes for every deal that goes';

CREATE FUNCTION @extschema@.crm_totals_guard() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.crm_totals_guard() IS
'BEFORE INSERT trigger for each row of stage_totals: leaves out the rows that crm_deal_audit() did not write, such as those of a dump whose deals it counts anyway';

CREATE FUNCTION @extschema@.crm_history_guard() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.crm_history_guard() IS
'BEFORE UPDATE trigger for each statement and each row of stage_changes and deal_changes: refuses all but corrections that have kept what the row was';

CREATE FUNCTION @extschema@.crm_row_rules() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.crm_row_rules() IS
'BEFORE INSERT OR UPDATE trigger for each row: keeps id and tenant_id, and to the tenant of the parents that its arguments name';

CREATE FUNCTION @extschema@.crm_cascade_guard() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.crm_cascade_guard() IS
'BEFORE DELETE OR UPDATE trigger for each statement on a table that a foreign key writes to with the owner''s rights: refuses that, for a user without these rights, if the table has a trigger for it whose function has no search_path that ends in pg_temp';

CREATE FUNCTION @extschema@.crm_read_only() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.crm_read_only() IS
'INSTEAD OF INSERT OR UPDATE OR DELETE trigger for each row of a view: refuses it; the argument after the version is the table that its hint names';

CREATE FUNCTION @extschema@.crm_deal_contact_rules() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.crm_deal_contact_rules() IS
'BEFORE INSERT OR UPDATE trigger for each row of deal_contacts: what crm_row_rules() does, and one primary contact per deal';

CREATE FUNCTION @extschema@.crm_link_rules() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.crm_link_rules() IS
'AFTER INSERT OR UPDATE trigger for each row of a table with a column that crm_link() has linked: refuses a row of the linked table that row security hides from the writer';

CREATE FUNCTION @extschema@.crm_check_deal(title text, amount numeric, currency text, probability numeric,
		status text, value_period "any", forecast_category "any", metadata "any",
		won_at timestamptz, lost_at timestamptz, lost_reason text,
		archived_at timestamptz, stage_entered_at timestamptz, expected_close_date date, created_at timestamptz, updated_at timestamptz)
	RETURNS boolean
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_check_deal';
COMMENT ON FUNCTION @extschema@.crm_check_deal(text, numeric, text, numeric, text, "any", "any", "any", timestamptz, timestamptz, text, timestamptz, timestamptz, date, timestamptz, timestamptz) IS
	'The CHECK of deals: true, or an error that names the rule as a constraint: deals_amount_check (at most 15 digits before the point, and not NaN), deals_amount_currency_check (an amount has a currency), deals_currency_check, deals_lost_at_check and deals_won_at_check (set if and only if the status is that), deals_lost_reason_check (only if lost), deals_probability_check (between 0 and 1; 1 if won, 0 if lost), deals_times_check (in the years 1900 to 9999), deals_title_check (something in it shows). For status, value_period, forecast_category and metadata the CHECK casts to domains, which refuse other values by deals_status_check and so on.';
