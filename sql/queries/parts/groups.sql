-- The total, and the groups of what rows have in the dimension group_by.
CROSS JOIN LATERAL @extension@.crm_groups(@query@.group_by, to_jsonb(@of@)) AS g
