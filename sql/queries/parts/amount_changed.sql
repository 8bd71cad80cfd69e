-- A currency without an amount is none that a reader knows of.
(@of@.old_amount IS DISTINCT FROM @of@.new_amount OR @of@.old_amount IS NOT NULL AND @of@.old_currency IS DISTINCT FROM @of@.new_currency)
