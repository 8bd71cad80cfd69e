-- Pipelines: the processes that deals run through.

CREATE TABLE pipelines (
    id uuid NOT NULL DEFAULT crm_defaults.new_id(),
    tenant_id uuid NOT NULL DEFAULT @tenant@,
    name text NOT NULL,
    description text,
    is_default boolean NOT NULL DEFAULT false,
    currency text NOT NULL DEFAULT 'USD',
    external_id text,
    metadata jsonb NOT NULL DEFAULT '{}',
    archived_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pipelines_pkey PRIMARY KEY (id),
    CONSTRAINT pipelines_external_id_key UNIQUE (tenant_id, external_id),
    CONSTRAINT pipelines_name_check CHECK (@extension@.crm_name_key(name) <> ''),
    CONSTRAINT pipelines_currency_check CHECK (@extension@.crm_is_currency(currency)),
    CONSTRAINT pipelines_times_check CHECK (@extension@.crm_are_times(archived_at, created_at, updated_at)),
    @single@ CONSTRAINT pipelines_tenant_id_check CHECK (tenant_id = @tenant@),
    CONSTRAINT pipelines_metadata_check CHECK (jsonb_typeof(metadata) = 'object')
);

-- Archived pipelines keep their names, which new ones may use again.
CREATE UNIQUE INDEX pipelines_name_key ON pipelines (tenant_id, @extension@.crm_name_key(name) COLLATE "C") WHERE archived_at IS NULL;
-- With an expression, as mappers ignore the predicate: from an index on columns alone
-- they would make a constraint that allows only one pipeline that is not the default.
CREATE UNIQUE INDEX pipelines_default_key ON pipelines (tenant_id, (is_default IS TRUE)) WHERE is_default;

COMMENT ON TABLE pipelines IS 'A sales process: an ordered list of stages that deals run through';
COMMENT ON COLUMN pipelines.id IS 'Identifier, time-ordered; may be chosen by the client, never changes';
COMMENT ON COLUMN pipelines.tenant_id IS 'The tenant the row belongs to; filled in, never changes';
COMMENT ON COLUMN pipelines.name IS 'Name, unique per tenant among pipelines that are not archived; compared by crm_name_key';
COMMENT ON COLUMN pipelines.description IS 'What the pipeline is for';
COMMENT ON COLUMN pipelines.is_default IS 'Whether deals created without a pipeline go here; at most one per tenant, changed by set_default_pipeline';
COMMENT ON COLUMN pipelines.currency IS 'ISO 4217 code: the currency of deals whose amount is given without one';
COMMENT ON COLUMN pipelines.external_id IS 'Identifier in the system the row was synchronised from; unique per tenant';
COMMENT ON COLUMN pipelines.metadata IS 'Further data of your own, a JSON object';
COMMENT ON COLUMN pipelines.archived_at IS 'When the pipeline was archived; from then on it takes no new deals';
COMMENT ON COLUMN pipelines.created_at IS 'When the row was created';
COMMENT ON COLUMN pipelines.updated_at IS 'When the row was last updated; set by a trigger';
