-- Of a deal; what need not be converted has none of these.
CASE WHEN @query@.in_currency <> @of@ THEN d.tenant_id END AS tenant_id,
CASE WHEN @query@.in_currency <> @of@
    THEN @extension@.crm_conversion_day(d.won_at, d.lost_at) END AS rate_day
