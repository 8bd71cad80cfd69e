-- What is to become of each deal: new, replace, unchanged or kept.

CREATE UNLOGGED TABLE @import@.work_ready AS
SELECT x.*, row_number() OVER (ORDER BY x.deal_no) AS no,
    CASE
        WHEN x.standing_id IS NULL AND x.known_id IS NULL THEN 'new'
        WHEN x.standing_id IS NOT NULL AND x.is_known AND x.known_fingerprint = x.fingerprint THEN 'unchanged'
        WHEN x.standing_id IS NOT NULL AND x.is_known AND x.known_version = x.standing_version THEN 'replace'
        WHEN x.changed_here = 'keep' THEN 'kept'
        WHEN x.changed_here = 'replace' THEN CASE WHEN x.standing_id IS NULL THEN 'new' ELSE 'replace' END
        ELSE 'reject'
    END AS action,
    CASE WHEN x.standing_id IS NULL THEN @extension@.crm_uuid_v7() ELSE x.standing_id END AS deal_id
FROM (SELECT k.deal_no, k.file, k.line, k.external_id, e.id AS standing_id, e.version AS standing_version,
        i.deal_id AS known_id, i.version AS known_version, i.fingerprint AS known_fingerprint,
        coalesce(i.deal_id = e.id AND i.source = r.source, false) AS is_known,
        r.policies ->> 'changed_here' AS changed_here,
        md5(concat_ws('|', f.told, ROW(s.title, s.description, s.amount, s.currency_text, s.value_period_text, s.probability_text,
            s.pipeline, s.stage, s.status_text, s.owner, s.organization, s.contacts, s.tags, s.created_at, s.created_by, s.closed_at,
            s.archived_at, s.expected_close_date, s.lost_reason, s.metadata)::text, m.hash, v.hash)) AS fingerprint
    FROM @import@.work_kept AS k
        JOIN @import@.work_deals AS s ON s.deal_no = k.deal_no
        CROSS JOIN @import@.run AS r
        CROSS JOIN (SELECT concat_ws('|', q.policies - 'rejects' - 'changed_here', q.source, q.currency, (SELECT string_agg(p::text, '|' ORDER BY p::text)
            FROM @import@.mapping AS p)) AS told FROM @import@.run AS q) AS f
        LEFT JOIN (SELECT w.deal_no, sum(hashtextextended(ROW(w.pipeline, w.from_stage, w.to_stage, w.at, w.actor)::text, 0)::numeric) AS hash
            FROM @import@.work_moves AS w GROUP BY w.deal_no) AS m ON m.deal_no = k.deal_no
        LEFT JOIN (SELECT w.deal_no, sum(hashtextextended(ROW(w.field, w.old_value, w.new_value, w.at, w.actor)::text, 0)::numeric) AS hash
            FROM @import@.work_values AS w GROUP BY w.deal_no) AS v ON v.deal_no = k.deal_no
        LEFT JOIN @crm@.deals AS e ON e.external_id = k.external_id AND e.tenant_id = r.tenant_id
        LEFT JOIN @import@.imported AS i ON i.tenant_id = r.tenant_id AND i.external_id = k.external_id
    WHERE NOT EXISTS (SELECT FROM @import@.rejects AS j WHERE j.external_id = k.external_id)) AS x;

CREATE INDEX ON @import@.work_ready (no);
ANALYZE @import@.work_ready;

INSERT INTO @import@.rejects
SELECT y.file, y.line, y.external_id, 'external_id', y.external_id,
    CASE WHEN y.standing_id IS NULL THEN 'the deal was imported and has been deleted here (policy changed_here)'
        WHEN y.is_known THEN 'the deal was changed here since it was imported (policy changed_here)'
        ELSE 'a deal of this external_id is here that did not come from this source (policy changed_here)' END
FROM @import@.work_ready AS y
WHERE y.action = 'reject';

INSERT INTO @import@.rejects
SELECT y.file, y.line, y.external_id, 'external_id', y.external_id, 'the deal was deleted here and put back: its history is of several lives'
FROM @import@.work_ready AS y
WHERE y.action = 'replace'
    AND EXISTS (SELECT FROM @crm@.deal_changes AS c WHERE c.deal_id = y.standing_id AND c.change = 'deleted');

DELETE FROM @import@.work_ready AS y
WHERE EXISTS (SELECT FROM @import@.rejects AS e WHERE e.external_id = y.external_id);
