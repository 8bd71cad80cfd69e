-- Time-ordered uuids.

CREATE TABLE uuids AS
SELECT n, crm_uuid_v7() AS id FROM generate_series(1, 100000) AS n;
-- Version 7, variant 10.
SELECT count(*) FROM uuids WHERE id::text !~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$';
-- Strictly increasing, as made.
SELECT count(*) FROM (SELECT id, lag(id) OVER (ORDER BY n) AS previous FROM uuids) s WHERE id <= previous;
-- The first 48 bits are the clock's milliseconds.
SELECT abs(extract(epoch FROM clock_timestamp()) * 1000 -
	('x' || translate(left(crm_uuid_v7()::text, 13), '-', ''))::bit(48)::bigint) < 1000 AS milliseconds;
-- The last 62 bits are random: all different, each bit set about half the time.
SELECT count(DISTINCT right(id::text, 17)) FROM uuids;
SELECT bit, ones FROM (
	SELECT bit, count(*) FILTER (WHERE get_bit(uuid_send(id), bit) = 1) AS ones
	FROM uuids, generate_series(64, 127) AS bit GROUP BY bit) s
WHERE bit NOT IN (70, 71) AND ones NOT BETWEEN 49000 AND 51000;
-- Parallel workers make ids of their own.
CREATE TABLE uuid_pages (filler text) WITH (fillfactor = 10);
INSERT INTO uuid_pages SELECT repeat('x', 400) FROM generate_series(1, 2000);
BEGIN;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SELECT count(*), count(DISTINCT right(id::text, 17))
FROM (SELECT crm_uuid_v7() AS id FROM uuid_pages OFFSET 0) s;
COMMIT;
DROP TABLE uuids, uuid_pages;

-- Uuids of external ids: computed elsewhere, by Python's uuid.uuid5().
SELECT source, left(id, 10) AS id, crm_external_uuid(source, id) = uuid AS same
FROM (VALUES
	('hubspot', '42', '3fd013c8-a44f-58ae-a4d4-a576ae4f0379'::uuid),
	('tenant', 'acme', 'fa4ccd69-024a-5717-85cd-fe922dbb70fb'),
	('tenant', 'org_2abc', 'f570993c-6749-56d1-a067-1f37156a182b'),
	('Zürich', 'é–😀', '84b90d90-31c4-555d-9dd6-35c81bc27679'),
	('x', repeat('a', 1000), '4cffb2a3-be10-50e3-80fa-f110d7d8fa48')) AS v (source, id, uuid);
SELECT crm_external_uuid('hubspot', '42');
-- Source and id do not run into each other; case and blanks count.
SELECT count(DISTINCT crm_external_uuid(source, id))
FROM (VALUES ('ab', 'c'), ('a', 'bc'), ('A', 'bc'), ('a', 'bc '), (' a', 'bc')) AS v (source, id);
SELECT crm_external_uuid(NULL, '42') IS NULL AS no_source, crm_external_uuid('hubspot', NULL) IS NULL AS no_id;
SELECT crm_external_uuid('hubspot', '');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_external_uuid('', '42');
\echo :LAST_ERROR_SQLSTATE

SELECT proname, provolatile, proisstrict, proparallel
FROM pg_proc WHERE proname IN ('crm_uuid_v7', 'crm_external_uuid') ORDER BY proname;
