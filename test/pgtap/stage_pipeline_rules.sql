-- The rules of pipelines, tags, contacts: the default pipeline, names, what is fixed.
BEGIN;
\ir include/setup.sql
SELECT plan(48);

-- The default pipeline: at most one.
INSERT INTO pipelines (id, name) VALUES (id('A'), 'A');
SELECT results_eq($$SELECT is_default, currency, metadata::text, archived_at, tenant_id FROM pipelines WHERE id = id('A')$$,
    $$VALUES (false, 'USD', '{}', NULL::timestamptz, '00000000-0000-0000-0000-000000000000'::uuid)$$, 'what is filled in');
UPDATE pipelines SET is_default = true WHERE id = id('A');
INSERT INTO pipelines (id, name) VALUES (id('B'), 'B');
SELECT is(error_of($$UPDATE pipelines SET is_default = true WHERE id = id('B')$$),
    E'23505\nthere is a default pipeline already\nIt is "A".\nCall set_default_pipeline to make another one the default.', 'a second default by UPDATE');
SELECT is(error_of($$INSERT INTO pipelines (name, is_default) VALUES ('C', true)$$),
    E'23505\nthere is a default pipeline already\nIt is "A".\nCall set_default_pipeline to make another one the default.', 'a second default by INSERT');
SELECT throws_ok($$UPDATE pipelines SET is_default = true$$, '23505', 'there is a default pipeline already', 'both by one statement');
SELECT lives_ok($$UPDATE pipelines SET is_default = true, name = 'a' WHERE id = id('A')$$, 'the default may be saved as it is');
SELECT lives_ok($$UPDATE pipelines SET is_default = is_default, description = 'saved'$$, 'all may');
UPDATE pipelines SET is_default = NULL WHERE id = id('A');
SELECT ok(is_default, 'NULL is not given') FROM pipelines WHERE id = id('A');
SELECT throws_ok($$INSERT INTO pipelines (id, name, is_default) VALUES (id('B'), 'B', true) ON CONFLICT (id) DO UPDATE SET is_default = EXCLUDED.is_default$$,
    '23505', 'there is a default pipeline already', 'upsert of a second default');
SELECT lives_ok($$INSERT INTO pipelines (id, name, is_default) VALUES (id('A'), 'A', true) ON CONFLICT (id) DO UPDATE SET is_default = EXCLUDED.is_default, name = EXCLUDED.name$$,
    'upsert of the default itself');
SELECT results_eq($$SELECT id FROM set_default_pipeline(id('B'))$$, $$VALUES (id('B'))$$, 'set_default_pipeline');
SELECT set_eq($$SELECT name FROM pipelines WHERE is_default$$, ARRAY['B'], 'clears the other one');
UPDATE pipelines SET is_default = false;
SELECT lives_ok($$UPDATE pipelines SET is_default = true WHERE id = id('A')$$, 'none, then one');
UPDATE pipelines SET is_default = false WHERE is_default;
SELECT throws_ok($$INSERT INTO pipelines (name, is_default) VALUES ('D', true), ('E', true)$$, '23505', 'there is a default pipeline already', 'two new ones by one statement');
SAVEPOINT s;
UPDATE pipelines SET is_default = true WHERE id = id('A');
ROLLBACK TO s;
SELECT lives_ok($$UPDATE pipelines SET is_default = true WHERE id = id('B')$$, 'one that was rolled back is none');
DELETE FROM pipelines WHERE id = id('B');
SELECT lives_ok($$UPDATE pipelines SET is_default = true WHERE id = id('A')$$, 'nor is one that was deleted');

-- Names, currencies, metadata.
SELECT throws_ok($$INSERT INTO pipelines (name) VALUES ('a')$$, '23505', 'duplicate key value violates unique constraint "pipelines_name_key"', 'a name once, whatever its case');
SELECT throws_ok($$INSERT INTO pipelines (name) VALUES ('  ')$$, '23514', NULL, 'a blank name is none');
SELECT throws_ok($$INSERT INTO pipelines (name) VALUES (NULL)$$, '23502', NULL, 'nor is NULL');
SELECT throws_ok($$INSERT INTO pipelines (name, currency) VALUES ('F', 'EURO')$$, '23514',
    'currency must be a currency code of ISO 4217, not "EURO"', 'no such currency');
INSERT INTO pipelines (id, name, currency) VALUES (id('G'), 'G', NULL);
SELECT is(currency, 'USD', 'NULL as currency is not given') FROM pipelines WHERE id = id('G');
SELECT throws_ok($$INSERT INTO pipelines (name, metadata) VALUES ('H', '[]')$$, '23514', NULL, 'metadata is an object');
SELECT throws_ok($$UPDATE pipelines SET metadata = 'null' WHERE id = id('A')$$, '23514', NULL, 'the JSON null is none');
SELECT lives_ok($$INSERT INTO pipelines (name, external_id) VALUES ('I', 'x'), ('J', NULL), ('K', NULL)$$, 'external_id may be null many times');
SELECT throws_ok($$INSERT INTO pipelines (name, external_id) VALUES ('L', 'x')$$, '23505', 'duplicate key value violates unique constraint "pipelines_external_id_key"', 'but is given once');

-- What never changes.
SELECT throws_ok($$UPDATE pipelines SET id = id('other') WHERE id = id('A')$$, '23514', 'column "id" of table "pipelines" never changes', 'the id');
SELECT throws_ok($$UPDATE pipelines SET tenant_id = id('other') WHERE id = id('A')$$, '23514', 'column "tenant_id" of table "pipelines" never changes', 'the tenant');
UPDATE pipelines SET id = NULL, tenant_id = NULL, created_at = NULL, updated_at = NULL, metadata = NULL, name = 'A!' WHERE id = id('A');
SELECT ok(name = 'A!' AND updated_at BETWEEN now() AND clock_timestamp() AND updated_at > now(), 'NULLs are not given, updated_at is kept') FROM pipelines WHERE id = id('A');
SELECT throws_ok($$INSERT INTO pipelines (name, tenant_id) VALUES ('M', id('tenant'))$$, '23514',
    'tenant_id cannot be adfb6898-97b2-b525-5adc-aee72945c791 in a CRM for one tenant', 'single tenancy knows no other tenant');

-- Tags.
INSERT INTO tags (id, name) VALUES (id('hot'), 'Hot');
SELECT throws_ok($$INSERT INTO tags (name) VALUES ('HOT')$$, '23505', 'duplicate key value violates unique constraint "tags_name_key"', 'a tag''s name once');
SELECT throws_ok($$INSERT INTO tags (name) VALUES ('')$$, '23514', NULL, 'a blank one is none');
SELECT throws_ok($$UPDATE tags SET id = id('other') WHERE id = id('hot')$$, '23514', 'column "id" of table "tags" never changes', 'a tag''s id');
UPDATE tags SET color = '#f00' WHERE id = id('hot');
SELECT ok(updated_at > now(), 'updated_at is kept') FROM tags WHERE id = id('hot');
INSERT INTO stages (id, pipeline_id, name) VALUES (id('S'), id('A'), 'S');
INSERT INTO deals (id, title) VALUES (id('one'), 'One'), (id('two'), 'Two');
INSERT INTO deal_tags (deal_id, tag_id) VALUES (id('one'), id('hot'));
SELECT throws_ok($$INSERT INTO deal_tags (deal_id, tag_id) VALUES (id('one'), id('hot'))$$, '23505', NULL, 'a tag once on a deal');
SELECT is(error_of($$INSERT INTO deal_tags (deal_id, tag_id) VALUES (id('nobody'), id('hot'))$$),
    format(E'23503\ndeal_id "%s" does not exist\nKey is not present in table "deals".\nGive the id of a row that is there.', id('nobody')), 'on a deal that is there');
SELECT is(error_of($$INSERT INTO deal_tags (deal_id, tag_id) VALUES (id('one'), id('cold'))$$),
    format(E'23503\ntag_id "%s" does not exist\nKey is not present in table "tags".\nGive the id of a row that is there.', id('cold')), 'a tag that is there');
DELETE FROM tags WHERE id = id('hot');
SELECT is((SELECT count(*) FROM deal_tags), 0::bigint, 'a tag goes from its deals');

-- Contacts of deals: any uuid while none are linked.
INSERT INTO deal_contacts (deal_id, contact_id, is_primary, role) VALUES (id('one'), id('ann'), true, 'buyer'), (id('one'), id('bob'), false, NULL);
SELECT throws_ok($$INSERT INTO deal_contacts (deal_id, contact_id) VALUES (id('one'), id('ann'))$$, '23505', NULL, 'a contact once on a deal');
SELECT throws_ok($$UPDATE deal_contacts SET is_primary = true WHERE contact_id = id('bob')$$, '23505',
    'deal f97c5d29-941b-fb1b-2fda-b0874906ab82 has a primary contact already', 'one primary contact');
SELECT lives_ok($$INSERT INTO deal_contacts (deal_id, contact_id, is_primary) VALUES (id('two'), id('ann'), true)$$, 'for each deal');
SELECT lives_ok($$SELECT set_primary_contact(id('one'), id('bob'))$$, 'set_primary_contact');
SELECT set_eq($$SELECT contact_id FROM deal_contacts WHERE deal_id = id('one') AND is_primary$$, ARRAY[id('bob')], 'swaps');
SELECT throws_ok($$INSERT INTO deal_contacts (deal_id, contact_id) VALUES (id('nobody'), id('ann'))$$, '23503',
    format('deal_id "%s" does not exist', id('nobody')), 'on a deal that is there');
SELECT throws_ok($$UPDATE deal_contacts SET deal_id = id('nobody') WHERE contact_id = id('bob')$$, '23503',
    format('deal_id "%s" does not exist', id('nobody')), 'also by UPDATE');
SELECT throws_ok($$INSERT INTO deal_contacts (deal_id, contact_id, metadata) VALUES (id('two'), id('bob'), '1')$$, '23514', NULL, 'metadata is an object');
SELECT throws_ok($$INSERT INTO deal_contacts (deal_id, contact_id) VALUES (id('two'), NULL)$$, '23502', NULL, 'a contact is somebody');
DELETE FROM deals WHERE id = id('one');
SELECT is((SELECT count(*) FROM deal_contacts WHERE deal_id = id('one')), 0::bigint, 'contacts go with their deal');
DELETE FROM deals;
SELECT throws_ok($$DELETE FROM pipelines$$, '23503', NULL, 'a pipeline whose stages history speaks of stays');
DELETE FROM stage_changes;
DELETE FROM deal_changes;
SELECT lives_ok($$DELETE FROM pipelines$$, 'pipelines go with their stages once neither deals nor history are left');

SELECT * FROM finish();
ROLLBACK;
