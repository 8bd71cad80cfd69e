-- The periods of reports.

CREATE FUNCTION @extschema@.crm_period_start(period text, day date)
	RETURNS date
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_period_start';
COMMENT ON FUNCTION @extschema@.crm_period_start(text, date) IS
	'The first day of the day, week, month, quarter or year that a day is in; weeks begin on the day of the setting crm.week_start, years and quarters with the month of crm.fiscal_year_start';

CREATE FUNCTION @extschema@.crm_period_end(period text, day date)
	RETURNS date
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_period_end';
COMMENT ON FUNCTION @extschema@.crm_period_end(text, date) IS
	'The last day of the day, week, month, quarter or year that a day is in; see crm_period_start()';

CREATE FUNCTION @extschema@.crm_day_start(day date)
	RETURNS timestamptz
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_day_start';
COMMENT ON FUNCTION @extschema@.crm_day_start(date) IS
	'The moment from which on it is that day, in the session''s time zone: where clocks are put back to midnight, the first one, other than the day''s cast to timestamptz';
