-- Deal contacts: the people of a deal, whose data is in another table or system.

CREATE TABLE deal_contacts (
    id uuid NOT NULL DEFAULT crm_defaults.new_id(),
    tenant_id uuid NOT NULL DEFAULT @tenant@,
    deal_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    role text,
    is_primary boolean NOT NULL DEFAULT false,
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT deal_contacts_pkey PRIMARY KEY (id),
    CONSTRAINT deal_contacts_deal_id_fkey FOREIGN KEY (deal_id) REFERENCES deals (id) ON DELETE CASCADE,
    CONSTRAINT deal_contacts_deal_id_contact_id_key UNIQUE (deal_id, contact_id),
    CONSTRAINT deal_contacts_times_check CHECK (@extension@.crm_are_times(created_at, updated_at)),
    CONSTRAINT deal_contacts_role_check CHECK (@extension@.crm_name_key(role) <> ''),
    CONSTRAINT deal_contacts_metadata_check CHECK (jsonb_typeof(metadata) = 'object')
);

CREATE INDEX deal_contacts_contact_id_idx ON deal_contacts (contact_id);
-- With an expression, as mappers ignore the predicate: see pipelines_default_key.
CREATE UNIQUE INDEX deal_contacts_primary_key ON deal_contacts (deal_id, (is_primary IS TRUE)) WHERE is_primary;

COMMENT ON TABLE deal_contacts IS 'A person linked to a deal';
COMMENT ON COLUMN deal_contacts.id IS 'Identifier, time-ordered; may be chosen by the client, never changes';
COMMENT ON COLUMN deal_contacts.tenant_id IS 'The tenant of the deal; filled in, never changes';
COMMENT ON COLUMN deal_contacts.deal_id IS 'The deal';
COMMENT ON COLUMN deal_contacts.contact_id IS 'The person: a row of the linked contacts table, or any uuid while none is linked';
COMMENT ON COLUMN deal_contacts.role IS 'The person''s role in the deal, such as decision maker';
COMMENT ON COLUMN deal_contacts.is_primary IS 'Whether this is the deal''s main contact; at most one per deal, changed by set_primary_contact';
COMMENT ON COLUMN deal_contacts.metadata IS 'Further data of your own, a JSON object';
COMMENT ON COLUMN deal_contacts.created_at IS 'When the row was created';
COMMENT ON COLUMN deal_contacts.updated_at IS 'When the row was last updated; set by a trigger';
