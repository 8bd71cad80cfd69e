-- Converts the lines of deals to their types, and reports values that cannot be read.

CREATE UNLOGGED TABLE @import@.work_repeated AS
SELECT d.external_id, count(*) AS times, min(d.line) AS first_line, max(d.line) AS last_line,
    count(DISTINCT md5((to_jsonb(d) - 'file' - 'line')::text)) AS versions
FROM @import@.deals AS d
WHERE btrim(d.external_id) <> ''
GROUP BY d.external_id
HAVING count(*) > 1;

INSERT INTO @import@.rejects
SELECT d.file, d.line, d.external_id, 'external_id', d.external_id, 'no external_id'
FROM @import@.deals AS d
WHERE coalesce(btrim(d.external_id), '') = '';

INSERT INTO @import@.rejects
SELECT DISTINCT ON (d.external_id) d.file, d.line, d.external_id, 'external_id', d.external_id,
    format('the deal is in line %s as well, and the lines differ (policy duplicates)', t.first_line)
FROM @import@.work_repeated AS t
    JOIN @import@.deals AS d ON d.external_id = t.external_id AND d.line > t.first_line
WHERE t.versions > 1 AND (SELECT r.policies ->> 'duplicates' FROM @import@.run AS r) = 'reject'
ORDER BY d.external_id, d.line;

CREATE UNLOGGED TABLE @import@.work_deals AS
SELECT row_number() OVER () AS deal_no, d.file, d.line, d.external_id,
    nullif(btrim(d.title), '') AS title, d.description,
    nullif(btrim(d.amount), '') AS amount_text,
    @extension@.crm_import_amount(nullif(btrim(d.amount), ''), r.amount_format) AS amount,
    coalesce(nullif(btrim(d.currency), ''), @extension@.crm_import_currency(nullif(btrim(d.amount), ''), r.amount_format), r.currency)
        AS currency_text,
    CASE WHEN btrim(d.currency) <> ''
        THEN @extension@.crm_import_currency(nullif(btrim(d.amount), ''), r.amount_format) END AS other_currency_text,
    nullif(btrim(d.value_period), '') AS value_period_text,
    nullif(btrim(d.probability), '') AS probability_text,
    coalesce(btrim(d.pipeline), '') AS pipeline, coalesce(btrim(d.stage), '') AS stage,
    nullif(btrim(d.status), '') AS status_text,
    nullif(btrim(d.owner), '') AS owner, nullif(btrim(d.organization), '') AS organization,
    d.contacts, d.tags,
    nullif(btrim(d.created_at), '') AS created_text,
    @extension@.crm_import_time(nullif(btrim(d.created_at), ''), r.time_format, r.time_zone) AS created_at,
    coalesce(nullif(btrim(d.created_by), ''), r.actor) AS created_by,
    nullif(btrim(d.closed_at), '') AS closed_text,
    @extension@.crm_import_time(nullif(btrim(d.closed_at), ''), r.time_format, r.time_zone) AS closed_at,
    nullif(btrim(d.archived_at), '') AS archived_text,
    @extension@.crm_import_time(nullif(btrim(d.archived_at), ''), r.time_format, r.time_zone) AS archived_at,
    nullif(btrim(d.expected_close_date), '') AS expected_text,
    (@extension@.crm_import_time(nullif(btrim(d.expected_close_date), ''), r.time_format, r.time_zone)
        AT TIME ZONE r.time_zone)::date AS expected_close_date,
    nullif(btrim(d.lost_reason), '') AS lost_reason,
    coalesce(d.metadata, '{}') AS metadata
FROM @import@.deals AS d
    CROSS JOIN @import@.run AS r
    LEFT JOIN @import@.work_repeated AS t ON t.external_id = d.external_id
WHERE btrim(d.external_id) <> ''
    AND (t.external_id IS NULL
        OR d.line = CASE WHEN t.versions > 1 AND r.policies ->> 'duplicates' = 'last' THEN t.last_line ELSE t.first_line END);

INSERT INTO @import@.rejects
SELECT d.file, d.line, d.external_id, c.column_name, c.value, c.reason
FROM @import@.work_deals AS d
    CROSS JOIN @import@.run AS r
    CROSS JOIN LATERAL (VALUES
        ('external_id', left(d.external_id, 100), octet_length(d.external_id) > 2000, 'has more than 2,000 bytes'),
        ('title', left(d.title, 100), octet_length(d.title) > 2000, 'has more than 2,000 bytes'),
        ('lost_reason', left(d.lost_reason, 100), octet_length(d.lost_reason) > 10000, 'has more than 10,000 bytes'),
        ('description', left(d.description, 100), octet_length(d.description) > 1000000, 'has more than 1,000,000 bytes'),
        ('amount', d.amount_text, d.amount_text IS NOT NULL AND d.amount IS NULL,
            format('is not an amount in the format %s', r.amount_format)),
        ('amount', d.amount_text, d.amount <> round(d.amount, 4) AND r.policies ->> 'amount_scale' = 'reject',
            'has more than 4 decimals (policy amount_scale)'),
        ('amount', d.amount_text, abs(d.amount) >= 1e15, 'has more than 15 digits before the decimal point'),
        ('created_at', d.created_text, d.created_text IS NOT NULL AND d.created_at IS NULL,
            format('is not a time in the format %s', r.time_format)),
        ('created_at', d.created_text, d.created_at > r.latest, 'is in the future'),
        ('closed_at', d.closed_text, d.closed_text IS NOT NULL AND d.closed_at IS NULL,
            format('is not a time in the format %s', r.time_format)),
        ('archived_at', d.archived_text, d.archived_text IS NOT NULL AND d.archived_at IS NULL,
            format('is not a time in the format %s', r.time_format)),
        ('archived_at', d.archived_text, d.archived_at > r.latest, 'is in the future'),
        ('expected_close_date', d.expected_text, d.expected_text IS NOT NULL AND d.expected_close_date IS NULL,
            format('is not a date in the format %s', r.time_format)),
        ('probability', d.probability_text, d.probability_text !~ '^(0(\.\d{1,4}0*)?|1(\.0*)?|\.\d{1,4}0*)$',
            'is not a probability from 0 to 1 with at most 4 decimals'),
        ('metadata', left(d.metadata::text, 100), jsonb_typeof(d.metadata) <> 'object', 'is not a JSON object')
    ) AS c (column_name, value, fails, reason)
WHERE c.fails;
