-- The tables of a CRM: every column, constraint, index, trigger and comment.
BEGIN;
\ir include/setup.sql
SET LOCAL search_path = crm, extensions, t, pg_catalog;
SELECT plan(32);

CREATE TABLE t.tables (name text, relid regclass);
INSERT INTO t.tables SELECT n, ('crm.' || n)::regclass
FROM unnest(ARRAY['pipelines', 'stages', 'deals', 'deal_contacts', 'stage_changes', 'deal_changes', 'tags', 'deal_tags', 'exchange_rates']) AS n;

SELECT set_has($$SELECT relname::text FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relkind = 'r'$$, $$SELECT name FROM t.tables$$, 'the tables');
SELECT set_eq($$SELECT relowner::regrole::text, relkind::text, relpersistence::text FROM pg_class JOIN t.tables ON oid = relid$$,
    $$VALUES (current_user::text, 'r', 'p')$$, 'ordinary tables of who installed them');

-- Columns: type, NOT NULL, default.
CREATE FUNCTION t.columns(tab text) RETURNS TABLE (name text, type text, not_null boolean, default_value text) LANGUAGE sql STABLE AS $$
    SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
    FROM t.tables AS t JOIN pg_attribute AS a ON a.attrelid = t.relid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE t.name = tab ORDER BY a.attnum
$$;
SELECT results_eq($$SELECT * FROM t.columns('pipelines')$$, $$VALUES
    ('id', 'uuid', true, 'crm_defaults.new_id()'),
    ('tenant_id', 'uuid', true, '''00000000-0000-0000-0000-000000000000''::uuid'),
    ('name', 'text', true, NULL),
    ('description', 'text', false, NULL),
    ('is_default', 'boolean', true, 'false'),
    ('currency', 'text', true, '''USD''::text'),
    ('external_id', 'text', false, NULL),
    ('metadata', 'jsonb', true, '''{}''::jsonb'),
    ('archived_at', 'timestamp with time zone', false, NULL),
    ('created_at', 'timestamp with time zone', true, 'now()'),
    ('updated_at', 'timestamp with time zone', true, 'now()')$$, 'columns of pipelines');
SELECT results_eq($$SELECT * FROM t.columns('stages')$$, $$VALUES
    ('id', 'uuid', true, 'crm_defaults.new_id()'),
    ('tenant_id', 'uuid', true, '''00000000-0000-0000-0000-000000000000''::uuid'),
    ('pipeline_id', 'uuid', true, NULL),
    ('name', 'text', true, NULL),
    ('position', 'integer', true, 'crm_defaults.filled_in_integer()'),
    ('deal_status', 'text', true, '''auto''::text'),
    ('probability', 'numeric(38,4)', false, NULL),
    ('rotting_days', 'integer', false, NULL),
    ('forecast_category', 'text', false, NULL),
    ('external_id', 'text', false, NULL),
    ('metadata', 'jsonb', true, '''{}''::jsonb'),
    ('archived_at', 'timestamp with time zone', false, NULL),
    ('created_at', 'timestamp with time zone', true, 'now()'),
    ('updated_at', 'timestamp with time zone', true, 'now()')$$, 'columns of stages');
SELECT results_eq($$SELECT * FROM t.columns('deals')$$, $$VALUES
    ('id', 'uuid', true, 'crm_defaults.new_id()'),
    ('tenant_id', 'uuid', true, '''00000000-0000-0000-0000-000000000000''::uuid'),
    ('pipeline_id', 'uuid', true, 'crm_defaults.filled_in_uuid()'),
    ('stage_id', 'uuid', true, 'crm_defaults.filled_in_uuid()'),
    ('archived_at', 'timestamp with time zone', false, NULL),
    ('amount', 'numeric(38,4)', false, NULL),
    ('currency', 'text', false, NULL),
    ('probability', 'numeric(38,4)', false, NULL),
    ('value_period', 'text', true, '''one_time''::text'),
    ('status', 'text', true, '''auto''::text'),
    ('stage_entered_at', 'timestamp with time zone', true, 'crm_defaults.filled_in_time()'),
    ('move_no', 'integer', true, '0'),
    ('version', 'integer', true, '1'),
    ('title', 'text', true, NULL),
    ('description', 'text', false, NULL),
    ('owner_id', 'uuid', false, NULL),
    ('organization_id', 'uuid', false, NULL),
    ('expected_close_date', 'date', false, NULL),
    ('forecast_category', 'text', false, NULL),
    ('won_at', 'timestamp with time zone', false, NULL),
    ('lost_at', 'timestamp with time zone', false, NULL),
    ('lost_reason', 'text', false, NULL),
    ('external_id', 'text', false, NULL),
    ('rank', 'text', false, NULL),
    ('metadata', 'jsonb', true, '''{}''::jsonb'),
    ('created_at', 'timestamp with time zone', true, 'crm_defaults.filled_in_time()'),
    ('updated_at', 'timestamp with time zone', true, 'now()'), ('merged_into', 'uuid', false, NULL)$$, 'columns of deals');
SELECT results_eq($$SELECT * FROM t.columns('deal_contacts')$$, $$VALUES
    ('id', 'uuid', true, 'crm_defaults.new_id()'),
    ('tenant_id', 'uuid', true, '''00000000-0000-0000-0000-000000000000''::uuid'),
    ('deal_id', 'uuid', true, NULL),
    ('contact_id', 'uuid', true, NULL),
    ('role', 'text', false, NULL),
    ('is_primary', 'boolean', true, 'false'),
    ('metadata', 'jsonb', true, '''{}''::jsonb'),
    ('created_at', 'timestamp with time zone', true, 'now()'),
    ('updated_at', 'timestamp with time zone', true, 'now()')$$, 'columns of deal_contacts');
SELECT results_eq($$SELECT * FROM t.columns('stage_changes')$$, $$VALUES
    ('id', 'uuid', true, 'crm_defaults.new_id()'),
    ('tenant_id', 'uuid', true, NULL),
    ('deal_id', 'uuid', true, NULL),
    ('from_pipeline_id', 'uuid', true, NULL),
    ('from_stage_id', 'uuid', true, NULL),
    ('to_pipeline_id', 'uuid', true, NULL),
    ('to_stage_id', 'uuid', true, NULL),
    ('entered_at', 'timestamp with time zone', true, NULL),
    ('changed_at', 'timestamp with time zone', true, NULL),
    ('recorded_at', 'timestamp with time zone', true, 'clock_timestamp()'),
    ('move_no', 'integer', true, NULL),
    ('reverts_no', 'integer', false, NULL),
    ('from_status', 'text', true, NULL),
    ('to_status', 'text', true, NULL),
    ('from_probability', 'numeric(5,4)', false, NULL),
    ('amount', 'numeric(19,4)', false, NULL),
    ('currency', 'text', false, NULL),
    ('value_period', 'text', true, '''one_time''::text'),
    ('probability', 'numeric(5,4)', false, NULL),
    ('changed_by', 'text', true, NULL),
    ('recorded_by', 'text', true, NULL),
    ('reverts_id', 'uuid', false, NULL),
    ('closing', 'jsonb', false, NULL),
    ('correction_id', 'uuid', false, NULL)$$, 'columns of stage_changes');
SELECT results_eq($$SELECT * FROM t.columns('deal_changes')$$, $$VALUES
    ('id', 'uuid', true, 'crm_defaults.new_id()'),
    ('tenant_id', 'uuid', true, NULL),
    ('deal_id', 'uuid', true, NULL),
    ('pipeline_id', 'uuid', true, NULL),
    ('stage_id', 'uuid', true, NULL),
    ('stage_entered_at', 'timestamp with time zone', true, NULL),
    ('changed_at', 'timestamp with time zone', true, NULL),
    ('recorded_at', 'timestamp with time zone', true, 'clock_timestamp()'),
    ('move_no', 'integer', true, NULL),
    ('version', 'integer', true, NULL),
    ('change', 'text', true, NULL),
    ('status', 'text', true, NULL),
    ('old_amount', 'numeric(19,4)', false, NULL),
    ('old_currency', 'text', false, NULL),
    ('old_value_period', 'text', false, NULL),
    ('old_archived_at', 'timestamp with time zone', false, NULL),
    ('old_probability', 'numeric(5,4)', false, NULL),
    ('old_owner_id', 'uuid', false, NULL),
    ('old_expected_close_date', 'date', false, NULL),
    ('new_amount', 'numeric(19,4)', false, NULL),
    ('new_currency', 'text', false, NULL),
    ('new_value_period', 'text', false, NULL),
    ('new_archived_at', 'timestamp with time zone', false, NULL),
    ('new_probability', 'numeric(5,4)', false, NULL),
    ('new_owner_id', 'uuid', false, NULL),
    ('new_expected_close_date', 'date', false, NULL),
    ('changed_by', 'text', true, NULL),
    ('recorded_by', 'text', true, NULL),
    ('with_move', 'integer', false, NULL),
    ('other', 'jsonb', false, NULL),
    ('reason', 'text', false, NULL),
    ('superseded', 'jsonb', false, NULL),
    ('correction_id', 'uuid', false, NULL)$$, 'columns of deal_changes');
SELECT results_eq($$SELECT * FROM t.columns('tags')$$, $$VALUES
    ('id', 'uuid', true, 'crm_defaults.new_id()'),
    ('tenant_id', 'uuid', true, '''00000000-0000-0000-0000-000000000000''::uuid'),
    ('name', 'text', true, NULL),
    ('color', 'text', false, NULL),
    ('created_at', 'timestamp with time zone', true, 'now()'),
    ('updated_at', 'timestamp with time zone', true, 'now()')$$, 'columns of tags');
SELECT results_eq($$SELECT * FROM t.columns('deal_tags')$$, $$VALUES
    ('deal_id', 'uuid', true, NULL),
    ('tag_id', 'uuid', true, NULL),
    ('tenant_id', 'uuid', true, '''00000000-0000-0000-0000-000000000000''::uuid'),
    ('id', 'uuid', true, 'crm_defaults.new_id()'), ('created_at', 'timestamp with time zone', true, 'now()'),
    ('updated_at', 'timestamp with time zone', true, 'now()')$$, 'columns of deal_tags');
SELECT set_eq($$SELECT t.name, a.attname::text FROM t.tables AS t JOIN pg_attribute AS a ON a.attrelid = t.relid JOIN pg_type AS ty ON ty.oid = a.atttypid
        WHERE a.attnum > 0 AND a.attcollation <> ty.typcollation$$,
    $$VALUES ('deals', 'rank'), ('exchange_rates', 'base'), ('exchange_rates', 'quote')$$, 'a collation of their own');
SELECT is(collname, 'C', attname || ': which compares bytes') FROM pg_attribute JOIN pg_collation AS c ON c.oid = attcollation
WHERE attrelid = 'crm.deals'::regclass AND attname = 'rank' OR attrelid = 'crm.exchange_rates'::regclass AND attname IN ('base', 'quote');

-- No column depends on a type of the extension: DROP EXTENSION ... CASCADE would take it along.
SELECT is_empty($$SELECT a.attrelid::regclass, a.attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
        JOIN pg_depend AS d ON d.classid = 'pg_type'::regclass AND d.objid = a.atttypid AND d.deptype = 'e'
        WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p') AND a.attnum > 0$$, 'no column has a type of an extension');
SELECT set_eq($$SELECT DISTINCT format_type(a.atttypid, NULL) FROM pg_attribute AS a JOIN t.tables AS t ON t.relid = a.attrelid WHERE a.attnum > 0$$,
    ARRAY['uuid', 'text', 'boolean', 'integer', 'numeric', 'jsonb', 'timestamp with time zone', 'date'], 'only types that every client knows');
SELECT is_empty($$SELECT oid::regclass FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND EXISTS
        (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')$$, 'no table is a member of an extension');

-- What the common columns are.
SELECT set_eq($$SELECT t.name FROM t.tables AS t WHERE EXISTS (SELECT FROM t.columns(t.name) AS c WHERE (c.name, c.type, c.not_null, c.default_value) = ('id', 'uuid', true, 'crm_defaults.new_id()'))$$,
    ARRAY['pipelines', 'stages', 'deals', 'deal_contacts', 'stage_changes', 'deal_changes', 'tags', 'deal_tags', 'exchange_rates'], 'an id everywhere');
-- Mappers read the columns of an index and not its predicate, and make a constraint of them.
SELECT set_eq($$SELECT i.indexrelid::regclass::text FROM pg_index AS i JOIN t.tables AS t ON t.relid = i.indrelid
        WHERE i.indisunique AND i.indpred IS NOT NULL AND i.indexprs IS NULL$$,
    ARRAY['stages_position_key'], 'a unique index with a predicate has an expression, too, but where archived rows alone are not unique');
SELECT set_eq($$SELECT t.name FROM t.tables AS t JOIN t.columns(t.name) AS c ON (c.name, c.type, c.not_null) = ('tenant_id', 'uuid', true)$$, $$SELECT name FROM t.tables$$, 'a tenant_id everywhere');
-- A client generated from the schema must be able to leave out what is filled in.
SELECT set_eq($$SELECT t.name || '.' || c.name FROM t.tables AS t, t.columns(t.name) AS c WHERE c.not_null AND c.default_value IS NULL AND t.name NOT IN ('stage_changes', 'deal_changes')$$,
    ARRAY['pipelines.name', 'stages.pipeline_id', 'stages.name', 'deals.title', 'deal_contacts.deal_id', 'deal_contacts.contact_id', 'tags.name', 'deal_tags.deal_id', 'deal_tags.tag_id',
        'exchange_rates.base', 'exchange_rates.quote', 'exchange_rates.rate'],
    'what must be given');

-- The values that columns of deals take: of domains, to which the CHECK casts.
SELECT set_eq($$SELECT t.typname::text, c.conname::text, pg_get_constraintdef(c.oid) FROM pg_constraint AS c JOIN pg_type AS t ON t.oid = c.contypid
        WHERE t.typnamespace = 'crm'::regnamespace$$,
    $$VALUES ('deal_status', 'deals_status_check', 'CHECK ((VALUE = ANY (ARRAY[''open''::text, ''won''::text, ''lost''::text])))'),
        ('value_period', 'deals_value_period_check', 'CHECK ((VALUE = ANY (ARRAY[''one_time''::text, ''monthly''::text, ''quarterly''::text, ''annual''::text])))'),
        ('forecast_category', 'deals_forecast_category_check', 'CHECK ((VALUE = ANY (ARRAY[''pipeline''::text, ''best_case''::text, ''commit''::text, ''omitted''::text])))'),
        ('deal_metadata', 'deals_metadata_check', 'CHECK ((jsonb_typeof(VALUE) = ''object''::text))')$$, 'domains');
SELECT is_empty($$SELECT attrelid::regclass, attname FROM pg_attribute JOIN pg_type AS t ON t.oid = atttypid WHERE attrelid IN (SELECT relid FROM t.tables) AND typtype = 'd'$$,
    'no column has one: mappers do not know them');

-- Constraints.
SELECT set_eq($$SELECT t.name, c.conname::text, regexp_replace(pg_get_constraintdef(c.oid), '\s+', ' ', 'g'), c.condeferrable, c.convalidated
        FROM pg_constraint AS c JOIN t.tables AS t ON t.relid = c.conrelid WHERE c.contype <> 'n'$$,
    $$SELECT name, conname, definition, false AS condeferrable, true AS convalidated FROM (VALUES
        ('pipelines', 'pipelines_external_id_key', 'UNIQUE (tenant_id, external_id)'),
        ('pipelines', 'pipelines_pkey', 'PRIMARY KEY (id)'),
        ('pipelines', 'pipelines_currency_check', 'CHECK (crm_is_currency(currency))'),
        ('pipelines', 'pipelines_times_check', 'CHECK (crm_are_times(archived_at, created_at, updated_at))'),
        ('pipelines', 'pipelines_metadata_check', 'CHECK ((jsonb_typeof(metadata) = ''object''::text))'),
        ('pipelines', 'pipelines_name_check', 'CHECK ((crm_name_key(name) <> ''''::text))'),
        ('pipelines', 'pipelines_tenant_id_check', 'CHECK ((tenant_id = ''00000000-0000-0000-0000-000000000000''::uuid))'),
        ('stages', 'stages_external_id_key', 'UNIQUE (external_id, tenant_id)'),
        ('stages', 'stages_pkey', 'PRIMARY KEY (id)'),
        ('stages', 'stages_pipeline_id_fkey', 'FOREIGN KEY (pipeline_id) REFERENCES pipelines(id) ON DELETE CASCADE'),
        ('stages', 'stages_deal_status_check', 'CHECK ((deal_status = ANY (ARRAY[''open''::text, ''won''::text, ''lost''::text])))'),
        ('stages', 'stages_times_check', 'CHECK (crm_are_times(archived_at, created_at, updated_at))'),
        ('stages', 'stages_metadata_check', 'CHECK ((jsonb_typeof(metadata) = ''object''::text))'),
        ('stages', 'stages_name_check', 'CHECK ((crm_name_key(name) <> ''''::text))'),
        ('stages', 'stages_probability_check', 'CHECK ( CASE deal_status WHEN ''won''::text THEN COALESCE((probability = (1)::numeric), false) WHEN ''lost''::text THEN COALESCE((probability = (0)::numeric), false) ELSE ((probability >= (0)::numeric) AND (probability <= (1)::numeric)) END)'),
        ('stages', 'stages_forecast_category_check', 'CHECK ( CASE deal_status WHEN ''won''::text THEN (forecast_category = ANY (ARRAY[''closed''::text, ''omitted''::text])) WHEN ''lost''::text THEN (forecast_category = ''omitted''::text) ELSE (forecast_category = ANY (ARRAY[''pipeline''::text, ''best_case''::text, ''commit''::text, ''omitted''::text])) END)'),
        ('stages', 'stages_rotting_days_check', 'CHECK ((rotting_days > 0))'),
        ('deals', 'deals_external_id_key', 'UNIQUE (external_id, tenant_id)'),
        ('deals', 'deals_pkey', 'PRIMARY KEY (id)'),
        ('deals', 'deals_pipeline_id_fkey', 'FOREIGN KEY (pipeline_id) REFERENCES pipelines(id)'),
        ('deals', 'deals_stage_id_fkey', 'FOREIGN KEY (stage_id) REFERENCES stages(id)'),
        ('deals', 'deals_check', 'CHECK (crm_check_deal(title, amount, currency, probability, ((status)::deal_status)::text, (value_period)::value_period, (forecast_category)::forecast_category, (metadata)::deal_metadata, won_at, lost_at, lost_reason, archived_at, stage_entered_at, expected_close_date, created_at, updated_at))'),
        ('deal_contacts', 'deal_contacts_deal_id_contact_id_key', 'UNIQUE (deal_id, contact_id)'),
        ('deal_contacts', 'deal_contacts_pkey', 'PRIMARY KEY (id)'),
        ('deal_contacts', 'deal_contacts_deal_id_fkey', 'FOREIGN KEY (deal_id) REFERENCES deals(id) ON DELETE CASCADE'),
        ('deal_contacts', 'deal_contacts_role_check', 'CHECK ((crm_name_key(role) <> ''''::text))'),
        ('deal_contacts', 'deal_contacts_times_check', 'CHECK (crm_are_times(created_at, updated_at))'),
        ('deal_contacts', 'deal_contacts_metadata_check', 'CHECK ((jsonb_typeof(metadata) = ''object''::text))'),
        ('stage_changes', 'stage_changes_deal_id_move_no_key', 'UNIQUE (deal_id, move_no)'),
        ('stage_changes', 'stage_changes_pkey', 'PRIMARY KEY (id)'),
        ('deal_changes', 'deal_changes_pkey', 'PRIMARY KEY (id)'),
        ('deal_changes', 'deal_changes_change_check', 'CHECK ((change = ANY (ARRAY[''created''::text, ''updated''::text, ''edited''::text, ''archived''::text, ''unarchived''::text, ''deleted''::text, ''restored''::text, ''recreated''::text, ''corrected''::text, ''erased''::text])))'),
        ('exchange_rates', 'exchange_rates_pkey', 'PRIMARY KEY (id)'),
        ('exchange_rates', 'exchange_rates_valid_from_key', 'UNIQUE (tenant_id, base, quote, valid_from)'),
        ('exchange_rates', 'exchange_rates_base_check', 'CHECK (crm_is_currency(base))'),
        ('exchange_rates', 'exchange_rates_quote_check', 'CHECK ((crm_is_currency(quote) AND (quote <> base)))'),
        ('exchange_rates', 'exchange_rates_rate_check', 'CHECK (((rate > (0)::numeric) AND (rate < ''Infinity''::numeric)))'),
        ('exchange_rates', 'exchange_rates_times_check', 'CHECK (crm_are_times(valid_from, created_at, updated_at))'),
        ('exchange_rates', 'exchange_rates_tenant_id_check', 'CHECK ((tenant_id = ''00000000-0000-0000-0000-000000000000''::uuid))'),
        ('tags', 'tags_pkey', 'PRIMARY KEY (id)'),
        ('tags', 'tags_times_check', 'CHECK (crm_are_times(created_at, updated_at))'),
        ('tags', 'tags_name_check', 'CHECK ((crm_name_key(name) <> ''''::text))'),
        ('tags', 'tags_tenant_id_check', 'CHECK ((tenant_id = ''00000000-0000-0000-0000-000000000000''::uuid))'),
        ('deal_tags', 'deal_tags_times_check', 'CHECK (crm_are_times(created_at, updated_at))'),
        ('deal_tags', 'deal_tags_id_key', 'UNIQUE (id)'),
        ('deal_tags', 'deal_tags_pkey', 'PRIMARY KEY (deal_id, tag_id)'),
        ('deal_tags', 'deal_tags_deal_id_fkey', 'FOREIGN KEY (deal_id) REFERENCES deals(id) ON DELETE CASCADE'),
        ('deal_tags', 'deal_tags_tag_id_fkey', 'FOREIGN KEY (tag_id) REFERENCES tags(id) ON DELETE CASCADE')
    ) AS v (name, conname, definition)$$, 'the constraints, none deferrable');
SELECT is_empty($$SELECT c.conrelid::regclass, c.conname FROM pg_constraint AS c JOIN t.tables AS t ON t.relid = c.conrelid WHERE c.contype = 'f'
        AND (cardinality(c.conkey) <> 1 OR NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.conrelid AND i.indkey[0] = c.conkey[1] AND i.indpred IS NULL))$$,
    'each foreign key is of one column and has an index');
SELECT is_empty($$SELECT c.conname FROM pg_constraint AS c JOIN t.tables AS t ON t.relid = c.conrelid WHERE t.name IN ('stage_changes', 'deal_changes') AND c.contype = 'f'$$, 'the history has none');

-- Indexes.
SELECT set_eq($$SELECT pg_get_indexdef(i.indexrelid), i.indisvalid FROM pg_index AS i JOIN t.tables AS t ON t.relid = i.indrelid$$,
    $$SELECT definition, true FROM (VALUES
        ('CREATE UNIQUE INDEX pipelines_pkey ON crm.pipelines USING btree (id)'),
        ('CREATE UNIQUE INDEX pipelines_external_id_key ON crm.pipelines USING btree (tenant_id, external_id)'),
        ('CREATE UNIQUE INDEX pipelines_name_key ON crm.pipelines USING btree (tenant_id, crm_name_key(name) COLLATE "C") WHERE (archived_at IS NULL)'),
        ('CREATE UNIQUE INDEX pipelines_default_key ON crm.pipelines USING btree (tenant_id, ((is_default IS TRUE))) WHERE is_default'),
        ('CREATE UNIQUE INDEX stages_pkey ON crm.stages USING btree (id)'),
        ('CREATE UNIQUE INDEX stages_position_key ON crm.stages USING btree (pipeline_id, "position") WHERE (archived_at IS NULL)'),
        ('CREATE INDEX stages_pipeline_id_idx ON crm.stages USING btree (pipeline_id)'),
        ('CREATE UNIQUE INDEX stages_external_id_key ON crm.stages USING btree (external_id, tenant_id)'),
        ('CREATE UNIQUE INDEX stages_name_key ON crm.stages USING btree (pipeline_id, crm_name_key(name) COLLATE "C") WHERE (archived_at IS NULL)'),
        ('CREATE UNIQUE INDEX deals_pkey ON crm.deals USING btree (id)'),
        ('CREATE UNIQUE INDEX deals_external_id_key ON crm.deals USING btree (external_id, tenant_id)'),
        ('CREATE INDEX deals_stage_id_rank_idx ON crm.deals USING btree (stage_id, rank)'),
        ('CREATE INDEX deals_pipeline_id_idx ON crm.deals USING btree (pipeline_id)'),
        ('CREATE INDEX deals_expected_close_date_idx ON crm.deals USING btree (tenant_id, expected_close_date) WHERE (status = ''open''::text)'),
        ('CREATE INDEX deals_merged_into_idx ON crm.deals USING btree (merged_into) WHERE (merged_into IS NOT NULL)'),
        ('CREATE INDEX deals_owner_id_idx ON crm.deals USING btree (owner_id) WHERE (status = ''open''::text)'),
        ('CREATE UNIQUE INDEX deal_contacts_pkey ON crm.deal_contacts USING btree (id)'),
        ('CREATE UNIQUE INDEX deal_contacts_deal_id_contact_id_key ON crm.deal_contacts USING btree (deal_id, contact_id)'),
        ('CREATE INDEX deal_contacts_contact_id_idx ON crm.deal_contacts USING btree (contact_id)'),
        ('CREATE UNIQUE INDEX deal_contacts_primary_key ON crm.deal_contacts USING btree (deal_id, ((is_primary IS TRUE))) WHERE is_primary'),
        ('CREATE INDEX stage_changes_pipeline_idx ON crm.stage_changes USING btree (from_pipeline_id, to_pipeline_id)'),
        ('CREATE INDEX stage_changes_to_pipeline_id_idx ON crm.stage_changes USING btree (to_pipeline_id) WHERE (from_pipeline_id <> to_pipeline_id)'),
        ('CREATE INDEX stage_changes_reverts_no_idx ON crm.stage_changes USING btree (to_pipeline_id) WHERE (reverts_no IS NOT NULL)'),
        ('CREATE UNIQUE INDEX stage_changes_pkey ON crm.stage_changes USING btree (id)'),
        ('CREATE UNIQUE INDEX stage_changes_deal_id_move_no_key ON crm.stage_changes USING btree (deal_id, move_no)'),
        ('CREATE INDEX stage_changes_changed_at_idx ON crm.stage_changes USING brin (changed_at, entered_at) WITH (pages_per_range=''32'')'),
        ('CREATE INDEX deal_changes_changed_at_idx ON crm.deal_changes USING btree (changed_at) WHERE (change <> ''created''::text)'),
        ('CREATE INDEX deal_changes_changed_at_brin_idx ON crm.deal_changes USING brin (changed_at) WITH (pages_per_range=''32'')'),
        ('CREATE INDEX deal_changes_pipeline_id_idx ON crm.deal_changes USING btree (pipeline_id, changed_at) WHERE (change = ANY (ARRAY[''deleted''::text, ''restored''::text, ''recreated''::text, ''erased''::text]))'),
        ('CREATE INDEX deal_changes_recreated_idx ON crm.deal_changes USING btree (deal_id) WHERE (change = ''recreated''::text)'),
        ('CREATE UNIQUE INDEX deal_changes_pkey ON crm.deal_changes USING btree (id)'),
        ('CREATE INDEX deal_changes_old_owner_id_idx ON crm.deal_changes USING btree (old_owner_id) WHERE ((old_owner_id IS NOT NULL) AND (old_owner_id IS DISTINCT FROM new_owner_id))'),
        ('CREATE INDEX deal_changes_deal_id_changed_at_idx ON crm.deal_changes USING btree (deal_id, changed_at)'),
        ('CREATE UNIQUE INDEX exchange_rates_pkey ON crm.exchange_rates USING btree (id)'),
        ('CREATE UNIQUE INDEX exchange_rates_valid_from_key ON crm.exchange_rates USING btree (tenant_id, base, quote, valid_from)'),
        ('CREATE UNIQUE INDEX tags_pkey ON crm.tags USING btree (id)'),
        ('CREATE UNIQUE INDEX tags_name_key ON crm.tags USING btree (tenant_id, crm_name_key(name) COLLATE "C")'),
        ('CREATE UNIQUE INDEX deal_tags_id_key ON crm.deal_tags USING btree (id)'),
        ('CREATE UNIQUE INDEX deal_tags_pkey ON crm.deal_tags USING btree (deal_id, tag_id)'),
        ('CREATE INDEX deal_tags_tag_id_idx ON crm.deal_tags USING btree (tag_id)')
    ) AS v (definition)$$, 'the indexes');

-- Triggers: enabled, with the version of the CRM as their argument.
SELECT set_has($$SELECT t.name, g.tgname::text, regexp_replace(pg_get_triggerdef(g.oid), '^.* EXECUTE FUNCTION ', '')
        FROM pg_trigger AS g JOIN t.tables AS t ON t.relid = g.tgrelid WHERE NOT g.tgisinternal AND g.tgenabled = 'O'$$,
    $$SELECT name, tgname, replace(function, '@', quote_literal(crm_version())) FROM (VALUES
        ('pipelines', 'zz_crm_pipeline_rules', 'crm_pipeline_rules(@)'),
        ('stages', 'zz_crm_stage_rules', 'crm_stage_rules(@, ''pipeline_id'')'),
        ('deals', 'zz_crm_deal_rules', 'crm_deal_rules(@)'),
        ('deals', 'zz_crm_deal_audit_insert', 'crm_deal_audit(@, ''changes'', ''totals'')'),
        ('deals', 'zz_crm_deal_audit_update', 'crm_deal_audit(@, ''history'', ''changes'', ''totals'')'),
        ('deals', 'zz_crm_deal_audit_delete', 'crm_deal_audit(@, ''changes'', ''totals'')'),
        ('deals', 'zz_crm_deal_truncate', 'crm_deal_truncate(@)'),
        ('stage_changes', 'zz_crm_history_guard', 'crm_history_guard(@)'),
        ('stage_changes', 'zz_crm_history_row_guard', 'crm_history_guard(@)'),
        ('stage_changes', 'zz_crm_history_erased', 'crm_history_erased(@)'),
        ('stage_changes', 'zz_crm_history_truncated', 'crm_history_erased(@)'),
        ('deal_changes', 'zz_crm_history_guard', 'crm_history_guard(@)'),
        ('deal_changes', 'zz_crm_history_row_guard', 'crm_history_guard(@)'),
        ('deal_changes', 'zz_crm_history_erased', 'crm_history_erased(@)'),
        ('deal_changes', 'zz_crm_history_truncated', 'crm_history_erased(@)'),
        ('deal_contacts', 'zz_crm_deal_contact_rules', 'crm_deal_contact_rules(@, ''deal_id'')'),
        ('tags', 'zz_crm_row_rules', 'crm_row_rules(@)'),
        ('deal_tags', 'zz_crm_row_rules', 'crm_row_rules(@, ''deal_id'', ''tag_id'')'),
        ('deal_tags', '00_crm_cascade_guard', 'crm_cascade_guard(@)'),
        ('deal_contacts', '00_crm_cascade_guard', 'crm_cascade_guard(@)'),
        ('stages', '00_crm_cascade_guard', 'crm_cascade_guard(@)')
    ) AS v (name, tgname, function)$$, 'the triggers of the rules');
SELECT is_empty($$SELECT g.tgname FROM pg_trigger AS g JOIN t.tables AS t ON t.relid = g.tgrelid WHERE NOT g.tgisinternal AND g.tgname NOT LIKE 'zz\_crm\_%' AND g.tgname <> '00_crm_cascade_guard'$$,
    'all run after users'' own but the one that looks at these');

-- Comments become the documentation of the API.
SELECT is_empty($$SELECT c.oid::regclass FROM pg_class AS c WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'v')
        AND coalesce(obj_description(c.oid, 'pg_class'), '') = ''$$, 'a comment on each table and view');
SELECT is_empty($$SELECT c.oid::regclass, a.attname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'v') AND coalesce(col_description(c.oid, a.attnum), '') = ''$$, 'and on each column');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc AS p WHERE p.pronamespace = 'crm'::regnamespace AND coalesce(obj_description(p.oid, 'pg_proc'), '') = ''$$, 'and on each function');

SELECT * FROM finish();
ROLLBACK;
