-- The lines of moves and of changes of values, with their deals and types.

CREATE UNLOGGED TABLE @import@.work_moves AS
SELECT row_number() OVER (ORDER BY m.file, m.line) AS id, d.deal_no, m.file, m.line, m.external_id,
    coalesce(nullif(btrim(m.pipeline), ''), d.pipeline) AS pipeline,
    coalesce(btrim(m.from_stage), '') AS from_stage, coalesce(btrim(m.to_stage), '') AS to_stage,
    nullif(btrim(m.at), '') AS at_text,
    @extension@.crm_import_time(nullif(btrim(m.at), ''), r.time_format, r.time_zone) AS at,
    coalesce(nullif(btrim(m.actor), ''), r.actor) AS actor
FROM @import@.moves AS m
    CROSS JOIN @import@.run AS r
    LEFT JOIN @import@.work_deals AS d ON d.external_id = m.external_id;

CREATE UNLOGGED TABLE @import@.work_values AS
SELECT d.deal_no, v.file, v.line, v.external_id, v.field,
    CASE v.field WHEN 'currency' THEN upper(coalesce(o.target, v.old_value)) ELSE coalesce(o.target, v.old_value) END AS old_value,
    CASE v.field WHEN 'currency' THEN upper(coalesce(n.target, v.new_value)) ELSE coalesce(n.target, v.new_value) END AS new_value,
    v.at_text, v.at, v.actor,
    CASE v.field WHEN 'amount' THEN @extension@.crm_import_amount(v.old_value, v.amount_format)
        WHEN 'probability' THEN CASE WHEN v.old_value ~ '^\d*\.?\d+$' THEN v.old_value::numeric END END AS old_number,
    CASE v.field WHEN 'amount' THEN @extension@.crm_import_amount(v.new_value, v.amount_format)
        WHEN 'probability' THEN CASE WHEN v.new_value ~ '^\d*\.?\d+$' THEN v.new_value::numeric END END AS new_number,
    CASE v.field WHEN 'expected_close_date' THEN
        (@extension@.crm_import_time(v.old_value, v.time_format, v.time_zone) AT TIME ZONE v.time_zone)::date END AS old_date,
    CASE v.field WHEN 'expected_close_date' THEN
        (@extension@.crm_import_time(v.new_value, v.time_format, v.time_zone) AT TIME ZONE v.time_zone)::date END AS new_date
FROM (SELECT c.file, c.line, c.external_id, nullif(btrim(c.field), '') AS field,
        nullif(btrim(c.old_value), '') AS old_value, nullif(btrim(c.new_value), '') AS new_value,
        nullif(btrim(c.at), '') AS at_text,
        @extension@.crm_import_time(nullif(btrim(c.at), ''), r.time_format, r.time_zone) AS at,
        coalesce(nullif(btrim(c.actor), ''), r.actor) AS actor, r.amount_format, r.time_format, r.time_zone
    FROM @import@.value_changes AS c CROSS JOIN @import@.run AS r) AS v
    LEFT JOIN @import@.mapping AS o ON o.kind = v.field AND v.field IN ('currency', 'value_period') AND o.value = v.old_value
    LEFT JOIN @import@.mapping AS n ON n.kind = v.field AND v.field IN ('currency', 'value_period') AND n.value = v.new_value
    LEFT JOIN @import@.work_deals AS d ON d.external_id = v.external_id;

-- Each cause is reported once, at the first line that has it.
INSERT INTO @import@.rejects
SELECT DISTINCT ON (m.external_id, c.column_name, c.reason)
    m.file, m.line, m.external_id, c.column_name, c.value, c.reason
FROM (SELECT w.file, w.line, w.external_id, w.deal_no, w.at_text, w.at, w.to_stage FROM @import@.work_moves AS w
        WHERE w.deal_no IS NULL OR w.at IS NULL OR w.to_stage = '' OR w.at > (SELECT r.latest FROM @import@.run AS r)) AS m
    CROSS JOIN @import@.run AS r
    CROSS JOIN LATERAL (VALUES
        ('external_id', m.external_id, m.deal_no IS NULL AND NOT EXISTS (SELECT FROM @import@.rejects AS e
            WHERE e.external_id = m.external_id), 'there is no such deal among the deals'),
        ('at', m.at_text, m.deal_no IS NOT NULL AND m.at IS NULL, CASE WHEN m.at_text IS NULL THEN 'a move without a time'
            ELSE format('is not a time in the format %s', r.time_format) END),
        ('at', m.at_text, m.deal_no IS NOT NULL AND m.at > r.latest, 'is in the future'),
        ('to_stage', NULL, m.deal_no IS NOT NULL AND m.to_stage = '', 'a move to no stage')
    ) AS c (column_name, value, fails, reason)
WHERE c.fails
ORDER BY m.external_id, c.column_name, c.reason, m.file, m.line;

INSERT INTO @import@.rejects
SELECT DISTINCT ON (v.external_id, c.column_name, c.reason)
    v.file, v.line, v.external_id, c.column_name, c.value, c.reason
FROM @import@.work_values AS v
    CROSS JOIN @import@.run AS r
    CROSS JOIN LATERAL (VALUES
        ('external_id', v.external_id, v.deal_no IS NULL AND NOT EXISTS (SELECT FROM @import@.rejects AS e
            WHERE e.external_id = v.external_id), 'there is no such deal among the deals'),
        ('field', NULL, v.deal_no IS NOT NULL AND v.field IS NULL, 'a change of no field'),
        ('at', v.at_text, v.deal_no IS NOT NULL AND v.at IS NULL, CASE WHEN v.at_text IS NULL THEN 'a change without a time'
            ELSE format('is not a time in the format %s', r.time_format) END),
        ('at', v.at_text, v.deal_no IS NOT NULL AND v.at > r.latest, 'is in the future'),
        ('old_value', v.old_value, v.field IN ('amount', 'probability') AND v.old_value IS NOT NULL AND v.old_number IS NULL,
            format('is no %s', v.field)),
        ('new_value', v.new_value, v.field IN ('amount', 'probability') AND v.new_value IS NOT NULL AND v.new_number IS NULL,
            format('is no %s', v.field)),
        ('old_value', v.old_value, v.field = 'amount' AND abs(v.old_number) >= 1e15, 'has more than 15 digits before the decimal point'),
        ('new_value', v.new_value, v.field = 'amount' AND abs(v.new_number) >= 1e15, 'has more than 15 digits before the decimal point'),
        ('old_value', v.old_value, v.field = 'currency' AND NOT @extension@.crm_is_currency(v.old_value), 'is no currency of ISO 4217 (mapping)'),
        ('new_value', v.new_value, v.field = 'currency' AND NOT @extension@.crm_is_currency(v.new_value), 'is no currency of ISO 4217 (mapping)'),
        ('old_value', v.old_value, v.field = 'value_period' AND v.old_value <> ALL (ARRAY['one_time', 'monthly', 'quarterly', 'annual']),
            'is not one_time, monthly, quarterly or annual (mapping)'),
        ('new_value', v.new_value, v.field = 'value_period' AND v.new_value <> ALL (ARRAY['one_time', 'monthly', 'quarterly', 'annual']),
            'is not one_time, monthly, quarterly or annual (mapping)'),
        ('new_value', v.new_value, v.field = 'amount' AND r.policies ->> 'amount_scale' = 'reject'
            AND v.new_number <> round(v.new_number, 4), 'has more than 4 decimals (policy amount_scale)'),
        ('old_value', v.old_value, v.field = 'amount' AND r.policies ->> 'amount_scale' = 'reject'
            AND v.old_number <> round(v.old_number, 4), 'has more than 4 decimals (policy amount_scale)'),
        ('new_value', v.new_value, v.field = 'probability' AND (v.new_number > 1 OR v.new_number <> round(v.new_number, 4)), 'is not a probability from 0 to 1 with at most 4 decimals'),
        ('old_value', v.old_value, v.field = 'probability' AND (v.old_number > 1 OR v.old_number <> round(v.old_number, 4)), 'is not a probability from 0 to 1 with at most 4 decimals'),
        ('old_value', v.old_value, v.field = 'expected_close_date' AND v.old_value IS NOT NULL AND v.old_date IS NULL,
            format('is not a date in the format %s', r.time_format)),
        ('new_value', v.new_value, v.field = 'expected_close_date' AND v.new_value IS NOT NULL AND v.new_date IS NULL,
            format('is not a date in the format %s', r.time_format))
    ) AS c (column_name, value, fails, reason)
WHERE c.fails
ORDER BY v.external_id, c.column_name, c.reason, v.file, v.line;
