-- The least id that a row may have which was recorded since a moment: of a day before, as
-- a clock may have been set back.
(lpad(to_hex(CASE
        WHEN isfinite(@of@)
        THEN least(greatest(0, floor(extract(epoch FROM @of@) * 1000) - 86400000), 281474976710655)
        ELSE 0
    END::bigint), 12, '0') || repeat('0', 20))::uuid
