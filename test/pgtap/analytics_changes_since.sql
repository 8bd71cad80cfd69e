-- changes_since() of a pipeline with many deals, of one with few and of all: all pages
-- against the histories themselves.
BEGIN;
\set tenancy shared
\ir include/setup.sql
SELECT plan(73);
SET LOCAL crm.tenant_id = '11111111-1111-4111-8111-111111111111';
SELECT t.make_pipelines() \g /dev/null
SELECT setseed(0.4);

-- Sales has 1,200 deals, Renewals 12.  Some are moved and edited, at times of the past and
-- in another order than that of the times; moves are taken back and corrected.
INSERT INTO crm.deals (id, title, amount, stage_id, owner_id, created_at)
SELECT t.id('deal ' || n), 'deal ' || n, n, t.id(CASE WHEN n % 101 = 0 THEN 'Due' ELSE 'Lead' END), t.id('owner ' || n % 50),
    '2024-01-01'::timestamptz + n * interval '2 hours'
FROM generate_series(1, 1212) AS n ORDER BY random();
CREATE FUNCTION t.some(n int) RETURNS SETOF uuid LANGUAGE sql VOLATILE AS $$
    SELECT t.id('deal ' || k) FROM generate_series(1, 1212) AS k ORDER BY random() LIMIT n
$$;
UPDATE crm.deals AS d SET stage_id = t.id('Qualified'), stage_entered_at = d.stage_entered_at + random() * interval '90 days'
FROM t.some(300) AS s (id) WHERE d.id = s.id AND d.pipeline_id = t.id('Sales');
UPDATE crm.deals AS d SET stage_id = t.id('Due'), stage_entered_at = d.stage_entered_at + random() * interval '30 days'
FROM t.some(40) AS s (id) WHERE d.id = s.id AND d.pipeline_id = t.id('Sales');
SELECT crm.undo_move(d.id) FROM t.some(80) AS s (id) JOIN crm.deals AS d ON d.id = s.id AND d.move_no > 0 \g /dev/null
SELECT crm.correct_move(c.deal_id, c.entered_at + random() * (c.changed_at - c.entered_at), c.move_no)
FROM t.some(60) AS s (id) JOIN crm.stage_changes AS c ON c.deal_id = s.id AND c.reverts_no IS NULL
    AND NOT EXISTS (SELECT FROM crm.stage_changes AS n WHERE n.deal_id = c.deal_id AND n.move_no > c.move_no) \g /dev/null
DO $$
BEGIN
    FOR i IN 1 .. 40 LOOP
        PERFORM set_config('crm.effective_at', ('2024-08-01'::timestamptz + random() * interval '60 days')::text, true);
        UPDATE crm.deals AS d SET amount = d.amount + 1, expected_close_date = CASE WHEN random() < 0.5 THEN '2025-01-31'::date END
        FROM t.some(6) AS s (id) WHERE d.id = s.id;
    END LOOP;
    PERFORM set_config('crm.effective_at', '', true);
END $$;
-- Deals get other owners: before, after and by a move.
DO $$
BEGIN
    FOR i IN 1 .. 40 LOOP
        PERFORM set_config('crm.effective_at', ('2024-10-01'::timestamptz + i / 2 * interval '1 day')::text, true);
        UPDATE crm.deals AS d SET owner_id = t.id('owner ' || i % 3) FROM t.some(8) AS s (id) WHERE d.id = s.id;
        UPDATE crm.deals AS d SET stage_id = t.id(CASE WHEN i % 2 = 0 THEN 'Lead' ELSE 'Qualified' END), owner_id = CASE WHEN i % 3 = 0 THEN t.id('owner 1') ELSE d.owner_id END
        FROM t.some(8) AS s (id) WHERE d.id = s.id AND d.pipeline_id = t.id('Sales');
    END LOOP;
    PERFORM set_config('crm.effective_at', '', true);
END $$;
UPDATE crm.deals AS d SET archived_at = now(), owner_id = t.id('owner 1') FROM t.some(20) AS s (id) WHERE d.id = s.id;
DELETE FROM crm.deals AS d USING t.some(10) AS s (id) WHERE d.id = s.id;

-- Another tenant, whose changes are newer.
SET LOCAL crm.tenant_id = '22222222-2222-4222-8222-222222222222';
INSERT INTO crm.pipelines (id, name) VALUES (t.id('theirs'), 'Sales');
INSERT INTO crm.stages (id, pipeline_id, name, deal_status) VALUES (t.id('their stage'), t.id('theirs'), 'Lead', 'open');
INSERT INTO crm.deals (title, stage_id) SELECT 'theirs ' || n, t.id('their stage') FROM generate_series(1, 300) AS n;
SET LOCAL crm.tenant_id = '11111111-1111-4111-8111-111111111111';
ANALYZE crm.deals;
ANALYZE crm.stage_changes;
ANALYZE crm.deal_changes;

CREATE TABLE t.changes AS
SELECT c.changed_at, c.id, 0 AS no, c.deal_id, c.from_pipeline_id, c.to_pipeline_id, o.old_owner_id, o.new_owner_id
FROM crm.stage_changes AS c
    -- what was written last before the move, or with it
    LEFT JOIN LATERAL (SELECT CASE WHEN k.with_move = c.move_no THEN k.old_owner_id END AS old_owner_id, k.new_owner_id
        FROM crm.deal_changes AS k
        WHERE k.deal_id = c.deal_id AND k.change IN ('created', 'updated', 'archived') AND (k.changed_at, k.move_no) < (c.changed_at, c.move_no)
        ORDER BY k.changed_at DESC, k.move_no DESC, k.version DESC
        LIMIT 1) AS o ON true
WHERE c.tenant_id = '11111111-1111-4111-8111-111111111111' AND c.reverts_no IS NULL
    AND NOT EXISTS (SELECT FROM crm.stage_changes AS u WHERE u.deal_id = c.deal_id AND u.reverts_no = c.move_no)
UNION ALL
SELECT k.changed_at, k.id, v.no, k.deal_id, k.pipeline_id, k.pipeline_id, k.old_owner_id, k.new_owner_id
FROM crm.deal_changes AS k
    CROSS JOIN LATERAL (VALUES (0, k.change = 'created'), (1, (k.old_amount, k.old_currency) IS DISTINCT FROM (k.new_amount, k.new_currency)),
        (2, k.old_expected_close_date IS DISTINCT FROM k.new_expected_close_date), (3, k.old_owner_id IS DISTINCT FROM k.new_owner_id),
        (4, k.change IN ('archived', 'deleted'))) AS v (no, is_so)
WHERE k.tenant_id = '11111111-1111-4111-8111-111111111111' AND v.is_so
    AND CASE k.change WHEN 'created' THEN v.no = 0 WHEN 'deleted' THEN v.no = 4 ELSE k.change IN ('updated', 'archived') END;
CREATE ROLE changes_reader;
SELECT extensions.crm_grant_access('crm', 'changes_reader', 'read') \g /dev/null

-- The cursors of all pages that the reader gets, and what they are to be.
CREATE FUNCTION t.all_pages(at timestamptz, pipeline_id uuid, owner_id uuid, size int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    place text;
    page text[];
    pages text[] := '{}';
BEGIN
    SET LOCAL ROLE changes_reader;
    LOOP
        SELECT array_agg(c.next_cursor ORDER BY c.n) INTO page
        FROM crm.changes_since(at, pipeline_id, owner_id, size, place)
            WITH ORDINALITY AS c (a, b, c, d, e, f, g, h, i, j, k, l, next_cursor, n);
        pages := pages || page;
        place := page[size];
        EXIT WHEN place IS NULL;
    END LOOP;
    RESET ROLE;
    RETURN cardinality(pages) || ' ' || md5(array_to_string(pages, ' '));
END $$;
CREATE FUNCTION t.all_changes(at timestamptz, pipeline_id uuid, owner_id uuid) RETURNS text LANGUAGE sql AS $$
    SELECT count(*) || ' ' || md5(coalesce(string_agg(format('%s/%s/%s', (extract(epoch FROM c.changed_at) * 1000000)::bigint, c.id, c.no), ' '
            ORDER BY c.changed_at DESC, c.id DESC, c.no DESC), ''))
    FROM t.changes AS c
    WHERE c.changed_at >= all_changes.at
        AND (all_changes.pipeline_id IS NULL OR all_changes.pipeline_id IN (c.from_pipeline_id, c.to_pipeline_id))
        AND (all_changes.owner_id IS NULL OR all_changes.owner_id IN (c.old_owner_id, c.new_owner_id)
            OR EXISTS (SELECT FROM crm.deals AS d WHERE d.id = c.deal_id AND d.owner_id = all_changes.owner_id))
$$;

CREATE FUNCTION t.try_pages(who text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT is(t.all_pages(a.at, t.id(p.name), t.id(o.name), a.size), t.all_changes(a.at, t.id(p.name), t.id(o.name)),
        format('%s: %s since %s, pages of %s%s', who, coalesce(p.name, 'all'), a.at, a.size, ', of ' || o.name))
    FROM (VALUES ('Sales'), ('Renewals'), (NULL)) AS p (name),
        (VALUES ('-infinity'::timestamptz, 1000), ('2024-03-01', 277), ('2024-08-10', 20), ('infinity', 5)) AS a (at, size),
        (VALUES (NULL), ('owner 1'), ('owner 40')) AS o (name)
$$;

SELECT cmp_ok((SELECT count(*) FROM t.changes), '>', 1800::bigint, 'there are many changes');
SELECT t.try_pages('who sees the tenant''s deals');

-- What is newest may be hidden.
CREATE POLICY not_all ON crm.deals AS RESTRICTIVE USING (current_user <> 'changes_reader' OR created_at < '2024-02-20');
DELETE FROM t.changes AS c WHERE NOT EXISTS (SELECT FROM crm.deals AS d WHERE d.id = c.deal_id AND d.created_at < '2024-02-20');
SELECT t.try_pages('who sees the first ones');
SELECT * FROM finish();
ROLLBACK;
