-- The deal was the owner's who is asked about when it moved: it was taken from that owner first
-- after that, or from or for that owner by the statement that moved it.
((@of@.deal_id, @of@.tenant_id) IN (SELECT g.deal_id, g.tenant_id FROM given AS g)
    AND (SELECT o.old_owner_id = @query@.owner_id OR o.with_move = @of@.move_no AND o.new_owner_id = @query@.owner_id
        FROM @crm@.deal_changes AS o
        WHERE o.deal_id = @of@.deal_id AND o.tenant_id = @of@.tenant_id AND o.old_owner_id IS DISTINCT FROM o.new_owner_id
            AND o.changed_at >= @of@.changed_at
            AND (o.changed_at > @of@.changed_at OR o.move_no >= @of@.move_no OR o.with_move = @of@.move_no)
        ORDER BY o.changed_at, o.move_no, o.version
        LIMIT 1))
