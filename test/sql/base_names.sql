-- The keys by which names are compared.

-- Names that are the same.
SELECT n, crm_name_key(a) AS key, crm_name_key(a) = crm_name_key(b) AS same
FROM (VALUES
	(1, 'Hot', 'hOT'),
	(2, 'Hot', E' Hot\t'),
	(3, 'Hot lead', E'Hot \r\n  lead'),
	(4, 'Hot lead', E'Hot\u00A0lead'),
	(5, 'Hot lead', E'Hot\u2003\u3000lead\u2029'),
	(6, 'Hot', E'H\u200Bo\u200Dt\uFEFF'),
	(7, 'Hot', E'H\u00ADo\u2060t\uFE0F'),
	(8, 'Hot', E'\u202EHot\u202C'),
	(9, 'Hot', E'H\u0001ot\u009F'),
	(10, E'Caf\u00E9', E'Cafe\u0301'),
	(11, E'CAF\u00C9', E'cafe\u200D\u0301'),
	(12, 'Hot', E'\uFF28\uFF4F\uFF54'),
	(13, E'stra\u00DFe', 'STRASSE'),
	(14, E'stra\u00DFe', E'STRA\u1E9EE'),
	(15, E'\u0130', E'i\u0307'),
	(16, E'\u039F\u0394\u039F\u03A3', E'\u03BF\u03B4\u03BF\u03C2'),
	(17, 'office', E'o\uFB03ce'),
	(18, E'K\u212A', 'kK'),
	(19, E'\u1FB3', E'\u0391\u0399'),
	(20, E'\U00010400', E'\U00010428'),
	(21, E'\u2764', E'\u2764\uFE0F')
) AS v (n, a, b) ORDER BY n;
-- Names that are not: case is folded the same way in every locale.
SELECT n, crm_name_key(a) <> crm_name_key(b) AS differ
FROM (VALUES
	(1, 'Hot lead', 'Hotlead'),
	(2, 'I', E'\u0131'),
	(3, 'I', E'\u0130'),
	(4, 'Cafe', E'Caf\u00E9'),
	(5, E'\U0001F600', E'\U0001F601'),
	(6, 'o', E'\u043E')
) AS v (n, a, b) ORDER BY n;
-- Nothing to see.
SELECT crm_name_key(a) = '' AS nothing
FROM (VALUES (''), (' '), (E'\t\n'), (E'\u00A0\u2007\u3000'), (E'\u200B\uFEFF\u00AD'), (E'\u2800'), (E'\u3164\u115F\uFFA0'), (E'\u200F \u0007')) AS v (a);
SELECT crm_name_key(NULL) IS NULL AS strict;
-- A key is its own key: all characters.
SELECT count(*) AS characters, count(*) FILTER (WHERE key <> crm_name_key(key)) AS unstable
FROM (SELECT crm_name_key('a' || chr(c) || 'b') AS key
	FROM generate_series(1, x'2FFFF'::integer) AS c WHERE c NOT BETWEEN x'D800'::integer AND x'DFFF'::integer) AS k;
-- Indexes hold keys, which never change: those of the scripts that are in use most.
SELECT count(DISTINCT key) AS keys, md5(string_agg(key, ',' ORDER BY c)) AS digest
FROM (SELECT c, crm_name_key('a' || chr(c) || 'b') AS key FROM generate_series(1, x'1FFF'::integer) AS c) AS k;
-- Limits.
SELECT length(crm_name_key(repeat(E'\uFDFA', 21845)));
SELECT crm_name_key(repeat('x', 65537));
