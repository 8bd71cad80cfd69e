-- Facts for BI tools: a row for each deal and for each move, with names beside the keys.

CREATE VIEW deal_facts WITH (security_invoker = true) AS
    SELECT d.id AS deal_id, d.tenant_id, d.title, d.pipeline_id, p.name AS pipeline_name, d.stage_id, s.name AS stage_name,
        s.position AS stage_position, d.status, d.owner_id, d.organization_id, d.lost_reason,
        coalesce(f.first_amount, d.amount) AS first_amount, coalesce(f.first_currency, d.currency, p.currency) AS first_currency,
        d.amount AS last_amount, coalesce(d.currency, p.currency) AS currency,
        d.value_period, d.probability, d.amount * d.probability AS weighted_amount,
        d.created_at, d.created_at::date AS created_on, coalesce(d.won_at, d.lost_at) AS closed_at,
        coalesce(d.won_at, d.lost_at)::date AS closed_on, d.expected_close_date,
        round(extract(epoch FROM coalesce(d.won_at, d.lost_at, now()) - d.created_at) / 86400, 6) AS days_open,
        d.stage_entered_at, d.stage_entered_at::date AS stage_entered_on,
        round(extract(epoch FROM now() - d.stage_entered_at) / 86400, 6) AS days_in_stage,
        coalesce(m.moves, 0) AS moves, coalesce(m.reopened, 0) AS reopened, coalesce(u.pushed, 0) AS pushed,
        coalesce(u.days_pushed, 0) AS days_pushed, d.archived_at, d.archived_at IS NOT NULL AS is_archived
    FROM deals AS d
        LEFT JOIN pipelines AS p ON p.id = d.pipeline_id
        LEFT JOIN stages AS s ON s.id = d.stage_id
        -- not the rows that take a move back against it: it may have been deleted from the history
        LEFT JOIN (SELECT c.deal_id, c.tenant_id, count(*) AS moves,
                count(*) FILTER (WHERE c.from_status <> 'open' AND c.to_status = 'open') AS reopened
            FROM stage_changes AS c
            WHERE c.reverts_no IS NULL
                AND NOT EXISTS (SELECT FROM stage_changes AS r
                    WHERE r.deal_id = c.deal_id AND r.tenant_id = c.tenant_id AND r.reverts_no = c.move_no)
            GROUP BY c.deal_id, c.tenant_id) AS m ON m.deal_id = d.id AND m.tenant_id = d.tenant_id
        LEFT JOIN (SELECT x.deal_id, x.tenant_id, count(*) AS pushed, sum(x.days) AS days_pushed
            FROM deal_pushes AS x
            GROUP BY x.deal_id, x.tenant_id) AS u ON u.deal_id = d.id AND u.tenant_id = d.tenant_id
        LEFT JOIN (SELECT DISTINCT ON (k.deal_id, k.tenant_id) k.deal_id, k.tenant_id, coalesce(k.old_amount, k.new_amount) AS first_amount,
                CASE WHEN k.old_amount IS NOT NULL THEN k.old_currency ELSE k.new_currency END AS first_currency
            FROM deal_changes AS k
            WHERE coalesce(k.old_amount, k.new_amount) IS NOT NULL
            ORDER BY k.deal_id, k.tenant_id, k.changed_at, k.version) AS f ON f.deal_id = d.id AND f.tenant_id = d.tenant_id;

COMMENT ON VIEW deal_facts IS 'A row for each deal, for BI tools: what it is now, when it was created and closed, and what its history adds up to. Archived deals are there, as is_archived tells; deleted ones are not. Moves that were taken back count as if they had never been. What its history adds up to is that of the rows which are there: of a deal that was deleted and inserted again under its old id, the time before as well, though created_at is that of the new row; of a trimmed history, what was not deleted. Days are of 24 hours, dates in the session''s time zone';
COMMENT ON COLUMN deal_facts.deal_id IS 'The deal: the key, to join with move_facts and deals';
COMMENT ON COLUMN deal_facts.tenant_id IS 'The tenant of the deal';
COMMENT ON COLUMN deal_facts.title IS 'Title of the deal';
COMMENT ON COLUMN deal_facts.pipeline_id IS 'The pipeline the deal stands in';
COMMENT ON COLUMN deal_facts.pipeline_name IS 'Name of the pipeline';
COMMENT ON COLUMN deal_facts.stage_id IS 'The stage the deal stands in';
COMMENT ON COLUMN deal_facts.stage_name IS 'Name of the stage';
COMMENT ON COLUMN deal_facts.stage_position IS 'Place of the stage in the order of the pipeline';
COMMENT ON COLUMN deal_facts.status IS 'open, won or lost';
COMMENT ON COLUMN deal_facts.owner_id IS 'The responsible person: a row of the linked owners table, or any uuid while none is linked';
COMMENT ON COLUMN deal_facts.organization_id IS 'The customer organization: a row of the linked organizations table, or any uuid while none is linked';
COMMENT ON COLUMN deal_facts.lost_reason IS 'Why the deal was lost; null if it is not, or none was given';
COMMENT ON COLUMN deal_facts.first_amount IS 'The first amount that is known of the deal; null: it never had one';
COMMENT ON COLUMN deal_facts.first_currency IS 'ISO 4217 code of first_amount: only if currency is the same can it be compared with last_amount; currency if there is no first_amount';
COMMENT ON COLUMN deal_facts.last_amount IS 'The amount of the deal now; null: not known';
COMMENT ON COLUMN deal_facts.currency IS 'ISO 4217 code of last_amount; the pipeline''s if the deal has none';
COMMENT ON COLUMN deal_facts.value_period IS 'The period that the amount is for: one_time, monthly, quarterly or annual';
COMMENT ON COLUMN deal_facts.probability IS 'Probability of winning, 0 to 1';
COMMENT ON COLUMN deal_facts.weighted_amount IS 'last_amount times probability';
COMMENT ON COLUMN deal_facts.created_at IS 'When the deal was created';
COMMENT ON COLUMN deal_facts.created_on IS 'The day of created_at';
COMMENT ON COLUMN deal_facts.closed_at IS 'When the deal was won or lost; null while it is open';
COMMENT ON COLUMN deal_facts.closed_on IS 'The day of closed_at';
COMMENT ON COLUMN deal_facts.expected_close_date IS 'The day the deal is expected to close';
COMMENT ON COLUMN deal_facts.days_open IS 'Days from created_at to closed_at, or to now';
COMMENT ON COLUMN deal_facts.stage_entered_at IS 'When the deal entered its stage';
COMMENT ON COLUMN deal_facts.stage_entered_on IS 'The day of stage_entered_at';
COMMENT ON COLUMN deal_facts.days_in_stage IS 'Days from stage_entered_at to now';
COMMENT ON COLUMN deal_facts.moves IS 'How often the deal moved, as far as the history has it';
COMMENT ON COLUMN deal_facts.reopened IS 'How often it came back from won or lost to open';
COMMENT ON COLUMN deal_facts.pushed IS 'How often its expected close was pushed to a later month: see deal_pushes';
COMMENT ON COLUMN deal_facts.days_pushed IS 'By how many days, all pushes together';
COMMENT ON COLUMN deal_facts.archived_at IS 'When the deal was archived; null: it is not';
COMMENT ON COLUMN deal_facts.is_archived IS 'Whether the deal is archived, so that it counts in no report';

CREATE VIEW move_facts WITH (security_invoker = true) AS
    SELECT c.id AS move_id, c.tenant_id, c.deal_id, d.title, d.owner_id, c.move_no,
        c.from_pipeline_id, fp.name AS from_pipeline_name, c.from_stage_id, fs.name AS from_stage_name, c.from_status,
        c.to_pipeline_id, tp.name AS to_pipeline_name, c.to_stage_id, ts.name AS to_stage_name, c.to_status,
        CASE
            WHEN c.from_status <> 'open' AND c.to_status = 'open' THEN 'reopened'
            WHEN c.to_status <> 'open' AND c.to_status <> c.from_status THEN 'closed'
            WHEN c.from_pipeline_id <> c.to_pipeline_id THEN 'transferred'
            WHEN ts.position > fs.position THEN 'forward'
            WHEN ts.position < fs.position THEN 'backward'
        END AS direction,
        c.entered_at, c.changed_at AS moved_at, c.changed_at::date AS moved_on,
        round(extract(epoch FROM c.changed_at - c.entered_at) / 86400, 6) AS days,
        c.amount, coalesce(c.currency, fp.currency) AS currency, c.value_period, c.probability,
        c.amount * c.probability AS weighted_amount, c.changed_by AS moved_by
    FROM stage_changes AS c
        LEFT JOIN deals AS d ON d.id = c.deal_id AND d.tenant_id = c.tenant_id
        LEFT JOIN pipelines AS fp ON fp.id = c.from_pipeline_id
        LEFT JOIN stages AS fs ON fs.id = c.from_stage_id
        LEFT JOIN pipelines AS tp ON tp.id = c.to_pipeline_id
        LEFT JOIN stages AS ts ON ts.id = c.to_stage_id
    WHERE c.reverts_no IS NULL
        AND NOT EXISTS (SELECT FROM stage_changes AS r
            WHERE r.deal_id = c.deal_id AND r.tenant_id = c.tenant_id AND r.reverts_no = c.move_no);

COMMENT ON VIEW move_facts IS 'A row for each move of a deal, for BI tools. Moves that were taken back are not there; those of archived and deleted deals are: join deal_facts to leave them out. Names and positions are those of now, dates in the session''s time zone';
COMMENT ON COLUMN move_facts.move_id IS 'The row of stage_changes: the key';
COMMENT ON COLUMN move_facts.tenant_id IS 'The tenant of the deal';
COMMENT ON COLUMN move_facts.deal_id IS 'The deal that moved, to join with deal_facts; it may have been deleted since';
COMMENT ON COLUMN move_facts.title IS 'Title of the deal; null if it was deleted';
COMMENT ON COLUMN move_facts.owner_id IS 'The owner of the deal now; null if it was deleted';
COMMENT ON COLUMN move_facts.move_no IS 'Orders the moves of a deal; not without gaps';
COMMENT ON COLUMN move_facts.from_pipeline_id IS 'The pipeline the deal left';
COMMENT ON COLUMN move_facts.from_pipeline_name IS 'Its name; null if it was deleted';
COMMENT ON COLUMN move_facts.from_stage_id IS 'The stage the deal left';
COMMENT ON COLUMN move_facts.from_stage_name IS 'Its name; null if it was deleted';
COMMENT ON COLUMN move_facts.from_status IS 'The status of the deal before the move: open, won or lost';
COMMENT ON COLUMN move_facts.to_pipeline_id IS 'The pipeline the deal entered';
COMMENT ON COLUMN move_facts.to_pipeline_name IS 'Its name; null if it was deleted';
COMMENT ON COLUMN move_facts.to_stage_id IS 'The stage the deal entered';
COMMENT ON COLUMN move_facts.to_stage_name IS 'Its name; null if it was deleted';
COMMENT ON COLUMN move_facts.to_status IS 'The status of the deal after the move';
COMMENT ON COLUMN move_facts.direction IS 'closed: it was won or lost, also from lost to won or from won to lost; reopened: from a won or lost stage to an open one; else the status stayed, open, won or lost: transferred to another pipeline, or forward or backward, by the positions of the stages; null if one of them was deleted';
COMMENT ON COLUMN move_facts.entered_at IS 'When the deal had entered the stage that it left';
COMMENT ON COLUMN move_facts.moved_at IS 'When the deal moved (effective time)';
COMMENT ON COLUMN move_facts.moved_on IS 'The day of moved_at';
COMMENT ON COLUMN move_facts.days IS 'Days of 24 hours that the deal stood in the stage that it left';
COMMENT ON COLUMN move_facts.amount IS 'The amount of the deal as of the move';
COMMENT ON COLUMN move_facts.currency IS 'ISO 4217 code of the amount; the left pipeline''s if the deal had none';
COMMENT ON COLUMN move_facts.value_period IS 'The period that the amount was for';
COMMENT ON COLUMN move_facts.probability IS 'The probability as of the move, in the stage that the deal entered';
COMMENT ON COLUMN move_facts.weighted_amount IS 'amount times probability';
COMMENT ON COLUMN move_facts.moved_by IS 'Who moved the deal, as the session declared it';
