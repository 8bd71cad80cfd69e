-- Linked contacts are in a table that is not the CRM's.  A role that may read the
-- CRM, but not that table, is given the context of a deal and of a person
-- without the contact's row.
BEGIN;
\set owner ctx_owner
\ir include/setup.sql
\ir include/roles.sql
SELECT plan(16);
SELECT t.make_pipelines() \g /dev/null
CREATE ROLE ctx_reader;
CREATE ROLE ctx_people;
CREATE SCHEMA app AUTHORIZATION ctx_people;
SET LOCAL ROLE ctx_people;
CREATE TABLE app.people (id uuid PRIMARY KEY, name text, salary integer);
INSERT INTO app.people VALUES (t.id('Grace'), 'Grace', 1), (t.id('Ada'), 'Ada', 2);
GRANT USAGE ON SCHEMA app TO ctx_owner;
GRANT SELECT, REFERENCES ON app.people TO ctx_owner;
SET LOCAL ROLE ctx_owner;
SELECT extensions.crm_link('crm', 'deal_contacts.contact_id', 'app.people') \g /dev/null
SELECT extensions.crm_grant_access('crm', 'ctx_reader', 'read') \g /dev/null
INSERT INTO crm.deals (id, title) VALUES (t.id('d'), 'd');
INSERT INTO crm.deal_contacts (deal_id, contact_id, role) VALUES (t.id('d'), t.id('Grace'), 'buyer');
RESET ROLE;

CREATE FUNCTION t.deal_for(who name) RETURNS text LANGUAGE sql AS $$
    SELECT t.seen_by(who, format('SELECT c -> ''contacts'' -> 0 ->> ''role'', c -> ''contacts'' -> 0 -> ''contact'' ->> ''name'', c -> ''deal'' ->> ''title'' FROM crm.context_for_deal(%L) AS c', t.id('d')))
$$;
CREATE FUNCTION t.person_for(who name, person text) RETURNS text LANGUAGE sql AS $$
    SELECT t.seen_by(who, format('SELECT c -> ''person'' ->> ''name'', c -> ''deals'' -> 0 ->> ''title'' FROM crm.context_for_person(%L) AS c', t.id(person)))
$$;
SELECT is(deal_for('ctx_owner'), 'buyer|Grace|d', 'who may read people: a deal');
SELECT is(person_for('ctx_owner', 'Grace'), 'Grace|d', 'a person');
SELECT is(outcome('ctx_owner', format('SELECT crm.context_for_person(%L)', id('nobody'))), 'PT404', 'nobody');
SELECT is(deal_for('ctx_reader'), 'buyer||d', 'who may not: a deal without its contact');
SELECT is(person_for('ctx_reader', 'Grace'), '|d', 'the deals of a person');
SELECT is(person_for('ctx_reader', 'nobody'), '|', 'whom one knows nothing of');
SELECT is(outcome('ctx_reader', 'SELECT * FROM crm.contacts'), '42501', 'the view itself is refused');
SELECT is(extensions.crm_linked_row('crm', 'contacts', id('Grace')) ->> 'name', 'Grace', 'a superuser');
SELECT is(seen_by('ctx_reader', format('SELECT extensions.crm_linked_row(''crm'', ''contacts'', %L) IS NULL', id('Grace'))), 't', 'crm_linked_row()');

-- Some columns are not enough: a contact is all of its row.
GRANT SELECT (id, name) ON app.people TO ctx_reader;
SELECT is(deal_for('ctx_reader'), 'buyer||d', 'with rights on some columns');
REVOKE SELECT (id, name) ON app.people FROM ctx_reader;
GRANT SELECT ON app.people TO ctx_reader;
SELECT is(deal_for('ctx_reader'), 'buyer|Grace|d', 'with the GRANT that the documentation names: a deal');
SELECT is(person_for('ctx_reader', 'Grace'), 'Grace|d', 'a person');
SELECT is(outcome('ctx_reader', format('SELECT crm.context_for_person(%L)', id('nobody'))), 'PT404', 'nobody');
REVOKE SELECT ON crm.contacts FROM ctx_reader;
SELECT is(deal_for('ctx_reader'), 'buyer||d', 'without the view');
GRANT SELECT ON crm.contacts TO ctx_reader;
-- Another error is none of rights, and is told.
SET LOCAL ROLE ctx_people;
ALTER TABLE app.people ENABLE ROW LEVEL SECURITY;
CREATE POLICY broken ON app.people USING (1 / (salary - 1) > 0);
RESET ROLE;
SELECT is(outcome('ctx_reader', format('SELECT crm.context_for_deal(%L)', id('d'))), '22012', 'an error of a policy of people');
SELECT is(person_for('ctx_reader', 'Ada'), 'Ada|', 'which hides nobody else');
SELECT * FROM finish();
ROLLBACK;
