-- What the import does with each deal: new, replace, unchanged or kept.

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
        -- the data of the deal; the time of this import is left out, as it always differs
        md5(concat_ws('|', r.source, ROW(s.title, s.description, s.amount, f.currency, f.value_period, s.probability_text, f.owner_id, f.organization_id,
            s.owner, s.organization, s.contacts, s.tags, k.start_at, s.archived_at, s.expected_close_date, s.lost_reason, s.metadata)::text,
            m.hash, v.hash)) AS fingerprint
    FROM @import@.work_kept AS k
        JOIN @import@.work_deals AS s ON s.deal_no = k.deal_no
        CROSS JOIN @import@.run AS r
        JOIN @import@.work_final AS f ON f.deal_no = k.deal_no
        JOIN (SELECT t.deal_no, sum(hashtextextended(ROW(t.n, g.stage_id, nullif(t.at, q.started_at), t.actor)::text, 0)::numeric) AS hash
            FROM @import@.work_visits AS t JOIN @import@.work_stages AS g ON g.stage_no = t.stage_no CROSS JOIN @import@.run AS q
            GROUP BY t.deal_no) AS m ON m.deal_no = k.deal_no
        LEFT JOIN (SELECT t.deal_no, sum(hashtextextended(ROW(t.row_no, nullif(t.at, q.started_at), t.actor, t.now_amount, t.now_probability,
                t.now_currency, t.now_period, t.now_expected, t.now_owner, t.other)::text, 0)::numeric) AS hash
            FROM @import@.work_states AS t CROSS JOIN @import@.run AS q
            GROUP BY t.deal_no) AS v ON v.deal_no = k.deal_no
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
