-- Closed deals are tested by the day on which they were closed, as in forecast().
(coalesce(@query@.closing_from, @query@.closing_to) IS NULL
    OR CASE d.status WHEN 'won' THEN d.won_at::date WHEN 'lost' THEN d.lost_at::date ELSE d.expected_close_date END
        BETWEEN coalesce(@query@.closing_from, '-infinity') AND coalesce(@query@.closing_to, 'infinity'))
