-- Since the moment, and before the cursor, whatever else is of the same time.
@of@.changed_at >= @query@.at
AND (@query@.after_cursor IS NULL
    OR (extract(epoch FROM @of@.changed_at) * 1000000)::bigint < (SELECT a.micros FROM asked AS a))
