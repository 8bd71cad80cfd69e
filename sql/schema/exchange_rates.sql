-- Exchange rates: the price of one currency in another, from a day on.

CREATE TABLE exchange_rates (
    id uuid NOT NULL DEFAULT crm_defaults.new_id(),
    tenant_id uuid NOT NULL DEFAULT @tenant@,
    base text COLLATE "C" NOT NULL,
    quote text COLLATE "C" NOT NULL,
    valid_from date NOT NULL DEFAULT crm_defaults.today_utc(),
    rate numeric NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT exchange_rates_pkey PRIMARY KEY (id),
    CONSTRAINT exchange_rates_valid_from_key UNIQUE (tenant_id, base, quote, valid_from),
    CONSTRAINT exchange_rates_base_check CHECK (@extension@.crm_is_currency(base)),
    CONSTRAINT exchange_rates_quote_check CHECK (@extension@.crm_is_currency(quote) AND quote <> base),
    CONSTRAINT exchange_rates_rate_check CHECK (rate > 0 AND rate < 'Infinity'),
    @single@ CONSTRAINT exchange_rates_tenant_id_check CHECK (tenant_id = @tenant@),
    CONSTRAINT exchange_rates_times_check CHECK (@extension@.crm_are_times(valid_from, created_at, updated_at))
);

COMMENT ON TABLE exchange_rates IS 'Exchange rates: 1 base = rate quote, from a day on until the pair''s next rate. Used by the argument in_currency of summaries and analytics';
COMMENT ON COLUMN exchange_rates.id IS 'Identifier, time-ordered; may be chosen by the client, never changes';
COMMENT ON COLUMN exchange_rates.tenant_id IS 'The tenant the row belongs to; filled in, never changes';
COMMENT ON COLUMN exchange_rates.base IS 'ISO 4217 code of the currency that is priced';
COMMENT ON COLUMN exchange_rates.quote IS 'ISO 4217 code of the currency of the price';
COMMENT ON COLUMN exchange_rates.valid_from IS 'The first day (UTC) of the rate, which holds until the pair''s next rate';
COMMENT ON COLUMN exchange_rates.rate IS 'The price of one unit of base, in quote';
COMMENT ON COLUMN exchange_rates.created_at IS 'When the row was created';
COMMENT ON COLUMN exchange_rates.updated_at IS 'When the row was last updated; set by a trigger';
