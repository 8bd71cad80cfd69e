-- Tags, and the deals that have them.

CREATE TABLE tags (
    id uuid NOT NULL DEFAULT crm_defaults.new_id(),
    tenant_id uuid NOT NULL DEFAULT @tenant@,
    name text NOT NULL,
    color text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT tags_pkey PRIMARY KEY (id),
    CONSTRAINT tags_times_check CHECK (@extension@.crm_are_times(created_at, updated_at)),
    @single@ CONSTRAINT tags_tenant_id_check CHECK (tenant_id = @tenant@),
    CONSTRAINT tags_name_check CHECK (@extension@.crm_name_key(name) <> '')
);

CREATE UNIQUE INDEX tags_name_key ON tags (tenant_id, @extension@.crm_name_key(name) COLLATE "C");

-- The primary key is the pair, so that PostgREST sees that deals and tags are many to
-- many.  Mappers that need a key of one column can take id, which is unique too.
CREATE TABLE deal_tags (
    deal_id uuid NOT NULL,
    tag_id uuid NOT NULL,
    tenant_id uuid NOT NULL DEFAULT @tenant@,
    id uuid NOT NULL DEFAULT crm_defaults.new_id(),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT deal_tags_pkey PRIMARY KEY (deal_id, tag_id),
    CONSTRAINT deal_tags_id_key UNIQUE (id),
    CONSTRAINT deal_tags_times_check CHECK (@extension@.crm_are_times(created_at, updated_at)),
    CONSTRAINT deal_tags_deal_id_fkey FOREIGN KEY (deal_id) REFERENCES deals (id) ON DELETE CASCADE,
    CONSTRAINT deal_tags_tag_id_fkey FOREIGN KEY (tag_id) REFERENCES tags (id) ON DELETE CASCADE
);

CREATE INDEX deal_tags_tag_id_idx ON deal_tags (tag_id);

COMMENT ON TABLE tags IS 'A label that deals can carry';
COMMENT ON COLUMN tags.id IS 'Identifier, time-ordered; may be chosen by the client, never changes';
COMMENT ON COLUMN tags.tenant_id IS 'The tenant the row belongs to; filled in, never changes';
COMMENT ON COLUMN tags.name IS 'Name, unique per tenant; compared by crm_name_key';
COMMENT ON COLUMN tags.color IS 'Color of the tag on a screen, such as #1e90ff';
COMMENT ON COLUMN tags.created_at IS 'When the row was created';
COMMENT ON COLUMN tags.updated_at IS 'When the row was last updated; set by a trigger';
COMMENT ON TABLE deal_tags IS 'The tags of deals';
COMMENT ON COLUMN deal_tags.deal_id IS 'The deal';
COMMENT ON COLUMN deal_tags.tag_id IS 'The tag';
COMMENT ON COLUMN deal_tags.tenant_id IS 'The tenant of the deal and the tag; filled in, never changes';
COMMENT ON COLUMN deal_tags.id IS 'Identifier, time-ordered; may be chosen by the client, never changes';
COMMENT ON COLUMN deal_tags.created_at IS 'When the deal was tagged';
COMMENT ON COLUMN deal_tags.updated_at IS 'When the row was last updated; set by a trigger';
