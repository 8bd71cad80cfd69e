-- Who is given totals: those for whom they are what the deals say, and nobody
-- learns more from them than from the deals.
BEGIN;
\set tenancy shared
\ir include/setup.sql
SELECT no_plan();
CREATE ROLE totals_app;
CREATE ROLE totals_owner;
CREATE ROLE totals_all BYPASSRLS;
GRANT USAGE ON SCHEMA crm, extensions, t TO totals_app, totals_owner, totals_all;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA crm TO totals_app, totals_all;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA crm TO totals_app, totals_all;

SET LOCAL crm.tenant_id = '11111111-1111-4111-8111-111111111111';
INSERT INTO pipelines (id, name, is_default) VALUES (id('one'), 'Sales', true);
INSERT INTO stages (id, pipeline_id, name) VALUES (id('one lead'), id('one'), 'Lead');
INSERT INTO deals (title, amount) VALUES ('a', 1), ('b', 2);
SET LOCAL crm.tenant_id = '22222222-2222-4222-8222-222222222222';
INSERT INTO pipelines (id, name, is_default) VALUES (id('two'), 'Sales', true);
INSERT INTO stages (id, pipeline_id, name) VALUES (id('two lead'), id('two'), 'Lead');
INSERT INTO deals (title, amount) VALUES ('c', 30);

-- How many deals the user sees in a pipeline, and where that comes from.
CREATE FUNCTION t.seen(pipeline text, function_schema text DEFAULT 'crm') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    summary jsonb;
BEGIN
    EXECUTE format('SELECT %I.pipeline_summary($1)', function_schema) INTO summary USING t.id(pipeline);
    RETURN concat_ws(' ', summary ->> 'total_deals', summary ->> 'source');
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate;
END $$;
CREATE FUNCTION t.totals(pipeline text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT extensions.crm_pipeline_totals('crm', t.id(pipeline))::jsonb
$$;

-- A tenant's own totals, and no others.
SET LOCAL ROLE totals_app;
SELECT is(seen('two'), '1 totals', 'a tenant''s own totals');
SELECT is(seen('one'), 'PT404', 'another''s pipeline does not exist');
SELECT is(totals('one'), '[]', 'another''s totals are empty');
SELECT is(jsonb_array_length(totals('two')), 1, 'its own are not');
INSERT INTO deals (title, amount) VALUES ('d', 4);
SELECT is(seen('two'), '2 totals', 'a write of its own');
SELECT is((SELECT count(*) FROM stage_totals), 0::bigint, 'the table shows nothing, even to who may select from it');
SELECT is_empty('DELETE FROM stage_totals RETURNING 1', 'nor is there anything to delete');
SELECT is(t.error_of('SELECT extensions.crm_check_totals()'),
    E'42501\nmust be owner of the CRM in schema "crm"\nIts owner is ' || quote_ident(session_user) || '.', 'checking is the owner''s');
SELECT is(left(t.error_of('SELECT extensions.crm_compact_totals()'), 5), '42501', 'so is summing up');
SELECT is(left(t.error_of('SELECT extensions.crm_rebuild_totals()'), 5), '42501', 'and rebuilding');
SET LOCAL crm.tenant_id = '11111111-1111-4111-8111-111111111111';
SELECT is(seen('one'), '2 totals', 'the other tenant''s');
SELECT is(totals('two'), '[]', 'by itself');
SET LOCAL crm.tenant_id = '';
SELECT is(seen('one'), '42501', 'nobody''s');
SELECT is(left(t.error_of($$SELECT totals('one')$$), 5), '42501', 'are not given');
SET LOCAL row_security = off;
SET LOCAL crm.tenant_id = '11111111-1111-4111-8111-111111111111';
SELECT is(totals('one'), NULL, 'row security off: nothing');
SELECT is(seen('one'), '42501', 'as the deals');
SET LOCAL row_security = on;

-- Those who see every row.
SET LOCAL ROLE totals_all;
SELECT is(seen('one') || ', ' || seen('two'), '2 totals, 2 totals', 'who bypasses row security');
RESET ROLE;
SELECT is(seen('one') || ', ' || seen('two'), '2 totals, 2 totals', 'the owner, a superuser');

-- Other policies: what one may not see is not in the totals either.
CREATE POLICY only_big ON deals AS RESTRICTIVE FOR SELECT TO totals_app USING (amount > 1);
SET LOCAL ROLE totals_app;
SELECT is(seen('one'), '1 deals', 'a restrictive policy');
SELECT is(totals('one'), NULL, 'no totals beside it');
RESET ROLE;
SELECT is(seen('one'), '2 totals', 'does not concern the owner');
DROP POLICY only_big ON deals;
CREATE POLICY public_deals ON deals FOR SELECT USING (amount > 1);
SET LOCAL ROLE totals_app;
SELECT is(seen('one'), '2 deals', 'a further permissive one');
RESET ROLE;
DROP POLICY public_deals ON deals;
CREATE POLICY writers ON deals FOR UPDATE USING (false);
SET LOCAL ROLE totals_app;
SELECT is(seen('one'), '2 totals', 'one that is about writing');
RESET ROLE;
DROP POLICY writers ON deals;
ALTER POLICY tenant ON deals USING (tenant_id = (SELECT extensions.crm_current_tenant()) AND amount > 1);
SET LOCAL ROLE totals_app;
SELECT is(seen('one'), '1 deals', 'the tenant''s, altered');
RESET ROLE;
ALTER POLICY tenant ON deals USING (organization_id = (SELECT extensions.crm_current_tenant()));
SET LOCAL ROLE totals_app;
SELECT is(seen('one'), '0 deals', 'so that it is about another column');
RESET ROLE;
ALTER POLICY tenant ON deals USING (tenant_id = (SELECT extensions.crm_current_tenant() WHERE false));
SET LOCAL ROLE totals_app;
SELECT is(seen('one'), '0 deals', 'so that there is no tenant');
RESET ROLE;
ALTER POLICY tenant ON deals USING (tenant_id <> (SELECT extensions.crm_current_tenant()));
SET LOCAL ROLE totals_app;
SELECT is(totals('one'), NULL, 'into its contrary');
RESET ROLE;
ALTER POLICY tenant ON deals TO totals_all USING (tenant_id = (SELECT extensions.crm_current_tenant()));
SET LOCAL ROLE totals_app;
SELECT is(seen('one'), '0 deals', 'for others only');
RESET ROLE;
ALTER POLICY tenant ON deals TO public;
SET LOCAL ROLE totals_app;
SELECT is(seen('one'), '2 totals', 'as it was');

-- Rights on columns.
RESET ROLE;
REVOKE SELECT ON deals FROM totals_app;
GRANT SELECT (id, tenant_id, pipeline_id, stage_id, currency, value_period, archived_at, probability) ON deals TO totals_app;
SET LOCAL ROLE totals_app;
SELECT is(seen('one'), '42501', 'who may not see the amounts');
SELECT is(totals('one'), NULL, 'does not see their sum');
RESET ROLE;
GRANT SELECT (amount, owner_id, expected_close_date) ON deals TO totals_app;
SET LOCAL ROLE totals_app;
SELECT is(seen('one'), '2 deals', 'rights on columns will do, for the deals');
RESET ROLE;
GRANT SELECT ON deals TO totals_app;

-- Whether the totals are kept.
ALTER TABLE deals DISABLE TRIGGER zz_crm_deal_audit_delete;
SELECT is(seen('one'), '2 deals', 'a disabled trigger');
ALTER TABLE deals ENABLE REPLICA TRIGGER zz_crm_deal_audit_delete;
SELECT is(seen('one'), '2 deals', 'one for replicas only');
ALTER TABLE deals ENABLE ALWAYS TRIGGER zz_crm_deal_audit_delete;
SELECT is(seen('one'), '2 totals', 'one that always fires');
DROP TRIGGER zz_crm_deal_audit_truncate ON deals;
SELECT is(seen('one'), '2 deals', 'a trigger that is not there');
SELECT format('CREATE TRIGGER zz_crm_deal_audit_truncate AFTER TRUNCATE ON deals
    FOR EACH STATEMENT EXECUTE FUNCTION extensions.crm_deal_audit(%L)', extensions.crm_version()) \gexec
SELECT is(seen('one'), '2 deals', 'that keeps no totals');
DROP TRIGGER zz_crm_deal_audit_truncate ON deals;
SELECT format('CREATE TRIGGER zz_crm_deal_audit_truncate AFTER TRUNCATE ON deals
    FOR EACH STATEMENT EXECUTE FUNCTION extensions.crm_deal_audit(%L, %L)', extensions.crm_version(), 'totals') \gexec
SELECT is(seen('one'), '2 totals', 'that keeps them');
CREATE TABLE more_deals () INHERITS (deals);
SELECT is(seen('one'), '2 deals', 'a child of deals, whose triggers are not ours');
DROP TABLE more_deals;
SELECT is(seen('one'), '2 deals', 'which may come back');
ANALYZE deals;
SELECT is(seen('one'), '2 totals', 'until the server has noticed');

-- Filters are for the deals.
SELECT is(pipeline_summary(id('one'), owner_id => id('nobody')) ->> 'source', 'deals', 'of an owner');
SELECT is(pipeline_summary(id('one'), tag_id => id('none')) ->> 'source', 'deals', 'with a tag');
SELECT is(pipeline_summary(id('one'), closing_from => '2024-01-01') ->> 'source', 'deals', 'from a day');
SELECT is(pipeline_summary(id('one'), closing_to => '2024-01-01') ->> 'source', 'deals', 'to a day');

-- Not a CRM.
SELECT is(left(error_of($$SELECT extensions.crm_pipeline_totals('pg_catalog', id('one'))$$), 5), 'PT404', 'the catalogs');
SELECT is(left(error_of($$SELECT extensions.crm_pipeline_totals(0, id('one'))$$), 5), 'PT404', 'no schema');
SELECT is(extensions.crm_pipeline_totals(NULL, id('one'))::jsonb, NULL, 'null');

-- Tables of others: owner's rights end where the owner's tables do.
ALTER TABLE stage_totals OWNER TO totals_owner;
SELECT matches(error_of($$INSERT INTO deals (title) VALUES ('x')$$), '^42501\ntables "deals" and "stage_totals" .* have different owners',
    'stage_totals of another owner is not written');
SELECT is(seen('one'), '42501', 'nor read');
ALTER TABLE stage_totals OWNER TO CURRENT_USER;
CREATE RULE nothing AS ON INSERT TO stage_totals DO INSTEAD NOTHING;
SELECT is(error_of($$INSERT INTO deals (title) VALUES ('x')$$), E'39P01\na rule of table "stage_totals" replaces the extension\'s INSERT\nDrop the rule.', 'a rule is in the way');
DROP RULE nothing ON stage_totals;
ALTER TABLE stage_totals ALTER weighted_value DROP NOT NULL;
UPDATE stage_totals SET weighted_value = NULL;
SELECT is(left(error_of($$SELECT extensions.crm_pipeline_totals('crm', id('one'))$$), 30), E'22000\nstage totals are damaged', 'damage is noticed');
SELECT extensions.crm_rebuild_totals() \g /dev/null
SELECT is(seen('one'), '2 totals', 'and repaired');
DROP TABLE stage_totals;
SELECT is(seen('one'), '2 deals', 'no table of totals');

SELECT * FROM finish();
ROLLBACK;
