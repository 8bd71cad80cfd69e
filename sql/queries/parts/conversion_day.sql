-- The day whose rate converts a deal's amount; NULL if it need not be converted.
CASE WHEN @query@.in_currency <> @of@ THEN d.tenant_id END AS tenant_id,
CASE WHEN @query@.in_currency <> @of@
    THEN @extension@.crm_conversion_day(d.won_at, d.lost_at) END AS rate_day
