-- The deal is the owner's who is asked about, if one is.
(@query@.owner_id IS NULL OR EXISTS (SELECT FROM @crm@.deals AS d
    WHERE d.id = @of@.deal_id AND d.tenant_id = @of@.tenant_id AND d.owner_id = @query@.owner_id))
