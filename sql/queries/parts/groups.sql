-- The total, and a group for each value of the dimension group_by.
CROSS JOIN LATERAL @extension@.crm_groups(@query@.group_by, to_jsonb(@of@)) AS g
