-- What a pipeline added up to at a moment of the past.
--
-- Two histories that know nothing of each other: where a deal stood is in
-- stage_changes, a row of which is a visit that ended, and what it was worth in
-- deal_changes, a row of which has all that was before it.  So of a deal that
-- changed since, the first row after the moment tells the state at the moment,
-- and one that did not change is as it was.

-- What came after a moment is looked for by time.  New rows come at the end of
-- the table, so that a summary of its blocks will do.
CREATE INDEX stage_changes_changed_at_idx ON stage_changes USING brin (changed_at);
CREATE INDEX deal_changes_changed_at_idx ON deal_changes (changed_at) WHERE change <> 'created';
CREATE INDEX deal_changes_lives_idx ON deal_changes (changed_at) WHERE change IN ('deleted', 'restored');
CREATE INDEX deals_archived_idx ON deals (id) WHERE archived_at IS NOT NULL;

CREATE FUNCTION pipeline_summary_as_of(pipeline_id uuid, at timestamptz)
    RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    -- The planner cannot know how much came later; these bear any number.
    SET enable_nestloop = off
    SET enable_mergejoin = off
    SET jit = off
BEGIN ATOMIC
    SELECT CASE
            WHEN pipeline_summary_as_of.pipeline_id IS NULL OR pipeline_summary_as_of.at IS NULL
            THEN crm_raise('22004', 'pipeline_id and at must not be null')
            WHEN NOT EXISTS (SELECT FROM pipelines AS p WHERE p.id = pipeline_summary_as_of.pipeline_id)
            THEN crm_raise('PT404', format('pipeline %s does not exist', pipeline_summary_as_of.pipeline_id))
            WHEN pipeline_summary_as_of.at > clock_timestamp()
            THEN crm_raise('22023', format('%s is in the future', pipeline_summary_as_of.at))
        END;

    WITH pipeline AS MATERIALIZED (
        SELECT p.id, p.name, p.currency, p.tenant_id
        FROM pipelines AS p
        WHERE p.id = pipeline_summary_as_of.pipeline_id
    ), plan AS MATERIALIZED (
        -- Whether so much of the history is older that it pays to look for the
        -- rest: by a row before the middle of the table.
        SELECT coalesce(max(c.changed_at) <= pipeline_summary_as_of.at, false) AS look
        FROM stage_changes AS c
        WHERE c.ctid = (SELECT format('(%s,1)', pg_relation_size('stage_changes'::regclass)
            / current_setting('block_size')::bigint * 2 / 5)::tid)
    ), lives AS MATERIALIZED (
        -- Deals that went later: the first time, as some were put back.
        SELECT DISTINCT ON (c.deal_id) c.deal_id, c.change, c.pipeline_id, c.stage_id, c.status, c.stage_entered_at,
            c.move_no, c.old_probability
        FROM deal_changes AS c
        WHERE c.change IN ('deleted', 'restored') AND c.changed_at > pipeline_summary_as_of.at
            AND c.tenant_id = (SELECT p.tenant_id FROM pipeline AS p)
        ORDER BY c.deal_id, c.changed_at, c.version
    ), taken_back AS MATERIALIZED (
        -- moves that never were, and those that took them back; but in the same life
        SELECT c.id, c.reverts_id, c.deal_id
        FROM stage_changes AS c
            LEFT JOIN lives AS l ON l.deal_id = c.deal_id AND l.change = 'deleted' AND l.move_no < c.move_no
        WHERE c.reverts_id IS NOT NULL AND c.changed_at > pipeline_summary_as_of.at AND l.deal_id IS NULL
    ), changed AS MATERIALIZED (
        SELECT DISTINCT ON (c.deal_id) c.deal_id, c.move_no, c.stage_id, c.stage_entered_at, c.old_amount, c.old_currency,
            c.old_probability, c.old_value_period, c.old_archived_at
        FROM deal_changes AS c
        WHERE c.change <> 'created' AND c.changed_at > pipeline_summary_as_of.at
            AND c.tenant_id = (SELECT p.tenant_id FROM pipeline AS p)
        ORDER BY c.deal_id, c.changed_at, c.version
    ), later AS MATERIALIZED (
        SELECT c.deal_id, c.move_no, c.stage_id, c.stage_entered_at, c.old_amount, c.old_currency, c.old_probability,
            c.old_value_period, c.old_archived_at, l.change AS end_of_life, l.move_no AS moves_in_life,
            t.deal_id IS NOT NULL AS had_undo
        FROM changed AS c
            LEFT JOIN lives AS l ON l.deal_id = c.deal_id
            LEFT JOIN (SELECT DISTINCT b.deal_id FROM taken_back AS b) AS t ON t.deal_id = c.deal_id
    ), visits AS (
        -- those that have ended since
        SELECT 'ended'::text AS kind, c.deal_id, c.from_stage_id AS stage_id, c.entered_at, c.move_no, c.amount, c.currency,
            c.from_probability AS probability, c.value_period, a.id IS NOT NULL AS archived
        FROM (SELECT s.id, s.deal_id, s.from_stage_id, s.entered_at, s.move_no, s.amount, s.currency,
                    s.from_probability, s.value_period
                FROM stage_changes AS s
                WHERE (SELECT p.look FROM plan AS p)
                    AND s.changed_at > pipeline_summary_as_of.at
                    AND s.entered_at <= pipeline_summary_as_of.at
                    AND s.from_pipeline_id = pipeline_summary_as_of.pipeline_id
                UNION ALL
                SELECT s.id, s.deal_id, s.from_stage_id, s.entered_at, s.move_no, s.amount, s.currency,
                    s.from_probability, s.value_period
                FROM stage_changes AS s
                WHERE NOT (SELECT p.look FROM plan AS p)
                    -- the same, but not by the index
                    AND greatest(s.changed_at, '-infinity') > pipeline_summary_as_of.at
                    AND s.entered_at <= pipeline_summary_as_of.at
                    AND s.from_pipeline_id = pipeline_summary_as_of.pipeline_id) AS c
            LEFT JOIN (SELECT d.id FROM deals AS d WHERE d.archived_at IS NOT NULL) AS a ON a.id = c.deal_id
        WHERE NOT EXISTS (SELECT FROM (
                    SELECT b.id FROM taken_back AS b UNION ALL SELECT b.reverts_id AS id FROM taken_back AS b) AS b
                WHERE b.id = c.id)
            -- who sees some of the deals only, sees their history only
            AND ((SELECT crm_sees_all_deals('deals'::regclass)) OR EXISTS (SELECT FROM deals AS d WHERE d.id = c.deal_id))
        UNION ALL
        SELECT 'present'::text AS kind, d.id AS deal_id, d.stage_id, d.stage_entered_at AS entered_at, d.move_no, d.amount, d.currency,
            d.probability, d.value_period, d.archived_at IS NOT NULL AS archived
        FROM deals AS d
        WHERE d.pipeline_id = pipeline_summary_as_of.pipeline_id
            AND d.stage_entered_at <= pipeline_summary_as_of.at
        UNION ALL
        SELECT 'last'::text AS kind, l.deal_id, l.stage_id, l.stage_entered_at AS entered_at, l.move_no, NULL::numeric AS amount,
            NULL::text AS currency, l.old_probability AS probability, NULL::text AS value_period, false AS archived
        FROM lives AS l
        WHERE l.change = 'deleted'
            AND l.pipeline_id = pipeline_summary_as_of.pipeline_id
            AND l.stage_entered_at <= pipeline_summary_as_of.at
            AND ((SELECT crm_sees_all_deals('deals'::regclass)) OR EXISTS (SELECT FROM deals AS d WHERE d.id = l.deal_id))
    ), summary AS MATERIALIZED (
        SELECT crm_pipeline_summary(v.stage_id,
                CASE WHEN c.deal_id IS NULL THEN v.amount ELSE c.old_amount END,
                CASE WHEN c.deal_id IS NULL THEN v.currency ELSE c.old_currency END,
                CASE
                    WHEN c.deal_id IS NULL THEN v.probability
                    WHEN c.stage_id = v.stage_id AND c.stage_entered_at = v.entered_at THEN c.old_probability
                    -- What changed first did so in an earlier visit, where the move out of it was
                    -- recorded later, or in one that never was.
                    WHEN c.move_no < v.move_no OR c.had_undo THEN (
                        SELECT f.probability
                        FROM (SELECT 1 AS choice, x.changed_at, x.version, x.old_probability AS probability
                                FROM deal_changes AS x
                                WHERE x.deal_id = v.deal_id AND x.stage_id = v.stage_id AND x.stage_entered_at = v.entered_at
                                    AND x.changed_at > pipeline_summary_as_of.at AND x.change <> 'created'
                                UNION ALL SELECT 2 AS choice, NULL::timestamptz AS changed_at, NULL::integer AS version, v.probability) AS f
                        ORDER BY f.choice, f.changed_at, f.version
                        LIMIT 1)
                    ELSE v.probability
                END,
                CASE WHEN c.deal_id IS NULL THEN v.value_period ELSE c.old_value_period END) AS summary
        FROM visits AS v
            LEFT JOIN later AS c ON c.deal_id = v.deal_id
        WHERE CASE WHEN c.deal_id IS NULL THEN NOT v.archived ELSE c.old_archived_at IS NULL END
            AND CASE
                WHEN c.end_of_life IS NULL THEN true
                WHEN c.end_of_life = 'restored' OR v.kind = 'present' THEN false
                ELSE v.kind = 'last' OR v.move_no <= c.moves_in_life
            END
    ), sums AS MATERIALIZED (
        SELECT r.stage_id, r.currency, r.value_period, r.deals, r.deals_without_amount, r.value, r.weighted_value,
            -- of a stage that is no more
            CASE WHEN NOT EXISTS (SELECT FROM stages AS g WHERE g.id = r.stage_id)
                THEN coalesce(
                    (SELECT c.from_status FROM stage_changes AS c WHERE c.from_stage_id = r.stage_id LIMIT 1),
                    (SELECT l.status FROM lives AS l WHERE l.stage_id = r.stage_id LIMIT 1))
            END AS deal_status
        FROM summary AS s
            CROSS JOIN LATERAL crm_summary_rows(s.summary) AS r
    )
    SELECT jsonb_build_object('pipeline_id', p.id, 'name', p.name, 'as_of', pipeline_summary_as_of.at, 'source', 'history')
        || crm_summary_report(p.currency,
            (SELECT jsonb_agg(g.stage)
                FROM (SELECT jsonb_build_object('stage_id', g.id, 'name', g.name, 'position', g.position,
                            'deal_status', g.deal_status, 'archived', g.archived_at IS NOT NULL) AS stage
                        FROM stages AS g WHERE g.pipeline_id = p.id
                        UNION ALL
                        SELECT DISTINCT jsonb_build_object('stage_id', s.stage_id, 'name', NULL, 'position', NULL,
                            'deal_status', s.deal_status, 'archived', true) AS stage
                        FROM sums AS s WHERE s.deal_status IS NOT NULL) AS g),
            (SELECT jsonb_agg(jsonb_build_object('stage_id', s.stage_id, 'deal_status', s.deal_status,
                    'currency', s.currency, 'value_period', s.value_period, 'deals', s.deals,
                    'deals_without_amount', s.deals_without_amount, 'value', s.value, 'weighted_value', s.weighted_value))
                FROM sums AS s))
    FROM pipeline AS p;
END;
REVOKE EXECUTE ON FUNCTION pipeline_summary_as_of(uuid, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION pipeline_summary_as_of(uuid, timestamptz) IS
'Summarise a pipeline as it stood at a moment of the past

What pipeline_summary told then, as the same object, with as_of the moment and source "history": the deals that stood in the pipeline at that moment, each in its stage of then, with its amount, currency, probability and value_period of then; those deleted since included, those archived then not. Computed from stage_changes (effective times; moves taken back never were) and deal_changes. Before the first deal everything is 0.

Stages have no history: their names, order and status are those of now. A stage that was deleted since has neither name nor position. Of deals that come from another system or a dump that had no deal_changes, changes of before are not known: they count as what they became.

Errors: PT404 for an unknown pipeline, 22023 for a moment in the future.

@mcp';
