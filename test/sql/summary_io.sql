-- crm_summary as text, as JSON and on the wire.

CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	detail text;
BEGIN
	EXECUTE command INTO result;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(' | ', SQLSTATE, SQLERRM, nullif(detail, ''));
END
$$;

CREATE FUNCTION read(input text) RETURNS text LANGUAGE sql AS
$$ SELECT attempt(format('SELECT %L::crm_summary', input)) $$;

-- What is absent is null, one_time or 0; what is zero vanishes.
SELECT read('[]');
SELECT read(' [ ] ');
SELECT read('[{}]');
SELECT read('[{"deals": 1}]');
SELECT read('[{"stage_id": null, "currency": null, "value_period": null, "deals": 1}]');
SELECT read('[{"currency": "USD"}, {"deals": 0, "value": 0.0}]');
SELECT read('[{"deals": -1, "deals_without_amount": -2, "deals_without_probability": -3, "value": -0.0001, "weighted_value": -0.00000001}]');

-- Canonical order: stage, currency, then period by its length; nulls last.
SELECT replace(read($$[
	{"deals": 1, "value_period": "annual"},
	{"deals": 2, "currency": "USD"},
	{"deals": 3, "currency": "EUR", "value_period": "quarterly"},
	{"deals": 4, "currency": "EUR", "value_period": "monthly"},
	{"deals": 5, "stage_id": "ffffffff-ffff-ffff-ffff-ffffffffffff", "currency": "EUR"},
	{"deals": 6, "stage_id": "00000000-0000-0000-0000-000000000001", "currency": "AAA"},
	{"deals": 7, "stage_id": "01000000-0000-0000-0000-000000000000", "currency": "ZZZ"},
	{"deals": 8, "stage_id": "00000000-0000-0000-0000-000000000000"}
]$$), '}, ', E'},\n');

-- Digits: all of them, to the limits of 64 and 128 bits.
SELECT read('[{"deals": 9223372036854775807, "deals_without_amount": -9223372036854775808}]');
SELECT read('[{"deals_without_probability": 9223372036854775807}]');
SELECT read('[{"deals_without_probability": -9223372036854775809}]');
SELECT read('[{"deals": 9223372036854775808}]');
SELECT read('[{"deals": 1.5}]');
SELECT read('[{"value": 17014118346046923173168730371588410.5727, "weighted_value": 1701411834604692317316873037158.84105727}]');
SELECT read('[{"value": -17014118346046923173168730371588410.5728, "weighted_value": -1701411834604692317316873037158.84105728}]');
SELECT read('[{"value": 17014118346046923173168730371588410.5728}]');
SELECT read('[{"value": -17014118346046923173168730371588410.5729}]');
SELECT read('[{"value": 99999999999999999999999999999999999.9999}]');
SELECT read('[{"value": 1e40}]');
SELECT read('[{"value": 0.00001}]');
SELECT read('[{"weighted_value": 0.000000001}]');
SELECT read('[{"value": 1e3, "weighted_value": 10000.50}]');
SELECT read('[{"value": 100000000, "weighted_value": 1e-8}]');

-- Refused
SELECT read('');
SELECT read('[');
SELECT read('{}');
SELECT read('null');
SELECT read('"[]"');
SELECT read('7');
SELECT read('[7]');
SELECT read('[[]]');
SELECT read('[{}, null]');
SELECT read('[{"deal": 1}]');
SELECT read('[{"deals": "1"}]');
SELECT read('[{"deals": null}]');
SELECT read('[{"deals": []}]');
SELECT read('[{"deals": {"deals": 1}}]');
SELECT read('[{"stage_id": 1}]');
SELECT read('[{"stage_id": "x"}]');
SELECT read('[{"currency": "usd"}]');
SELECT read('[{"currency": "US"}]');
SELECT read('[{"currency": ""}]');
SELECT read('[{"currency": "U$D"}]');
SELECT read('[{"currency": true}]');
SELECT read('[{"value_period": "weekly"}]');
SELECT read('[{"deals": 1}, {"deals": 2}]');
SELECT read('[{"deals": 1, "currency": "EUR"}, {"deals": 2, "currency": "EUR", "value_period": "one_time"}]');

-- As JSON: casts, and whatever makes JSON of a row.
CREATE TABLE kept (id int, s crm_summary);
INSERT INTO kept VALUES
	(1, '[]'),
	(2, '[{"deals": 2, "currency": "USD", "value": 10.5, "weighted_value": 1.05}]'),
	(3, '[{"deals": -1, "deals_without_amount": 3, "deals_without_probability": 5, "stage_id": "00000000-0000-0000-0000-00000000000a", "value_period": "annual"}, {"deals": 7}]'),
	(4, NULL);
SELECT id, s::json AS json FROM kept ORDER BY id;
SELECT id, s::jsonb AS jsonb FROM kept ORDER BY id;
SELECT json_build_object('summary', s) FROM kept WHERE id = 2;
SELECT to_jsonb(k) FROM kept k WHERE id = 2;
CREATE TABLE as_json (j json, b jsonb);
INSERT INTO as_json SELECT s, s FROM kept WHERE id = 2;
SELECT * FROM as_json;
SELECT r.* FROM kept, json_to_recordset(s::json) AS r (stage_id uuid, currency text, value_period text,
	deals bigint, deals_without_amount bigint, deals_without_probability bigint, value numeric, weighted_value numeric) WHERE id = 3;
SELECT r.* FROM kept, crm_summary_rows(s) r ORDER BY id;
SELECT bool_and(s = s::text::crm_summary AND s = s::json::text::crm_summary) FROM kept;

-- Text and rows of random summaries agree with numeric and come back the same.
SELECT setseed(0.42);
CREATE TABLE random_rows AS
SELECT g % 200 AS id, gen_random_uuid() AS stage_id,
	(ARRAY['USD', 'EUR', NULL])[1 + g % 3] AS currency,
	(ARRAY['one_time', 'monthly', 'quarterly', 'annual'])[1 + g % 4] AS value_period,
	(random() * 1e18)::bigint - (5e17)::bigint AS deals, (random() * 10)::bigint AS deals_without_amount,
	(random() * 10)::bigint AS deals_without_probability,
	round((random() - 0.5)::numeric * 10::numeric ^ (random() * 30)::int, (random() * 4)::int) AS value,
	round((random() - 0.5)::numeric * 10::numeric ^ (random() * 30)::int, (random() * 8)::int) AS weighted_value
FROM generate_series(1, 2000) g;
CREATE TABLE random_summaries AS
SELECT id, json_agg(to_jsonb(r) - 'id')::text::crm_summary AS s FROM random_rows r GROUP BY id;
SELECT count(*) FROM (
	SELECT id, r.* FROM random_summaries, crm_summary_rows(s) r
	EXCEPT ALL
	SELECT * FROM random_rows
) differences;
SELECT count(*) FROM random_summaries, crm_summary_rows(s) r
WHERE scale(value) <> 4 OR scale(weighted_value) <> 8;
-- and are numerics as the server makes them, to the bit
SELECT count(*) FROM random_summaries, crm_summary_rows(s) r
WHERE numeric_send(value) <> numeric_send(round(value, 4)) OR numeric_send(weighted_value) <> numeric_send(round(weighted_value, 8));
SELECT count(*) AS same FROM random_summaries
WHERE s = s::text::crm_summary AND s::text = s::text::crm_summary::text AND s::jsonb = s::text::jsonb;

-- The wire format, to the byte.
SELECT id, crm_summary_send(s) FROM kept ORDER BY id;
SELECT octet_length(crm_summary_send('[]'));

-- Reading it is for the server alone, so these go through COPY.
CREATE TABLE received (id int GENERATED ALWAYS AS IDENTITY, s crm_summary);

CREATE FUNCTION receive(image bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	octal text;
BEGIN
	SELECT string_agg('\0' || to_char((get_byte(b, i) / 64) * 100 + (get_byte(b, i) / 8 % 8) * 10 + get_byte(b, i) % 8, 'FM000'), '' ORDER BY i)
	INTO octal
	FROM (SELECT '\x5047434f50590aff0d0a00'::bytea || int4send(0) || int4send(0) || int2send(1::int2)
		|| int4send(octet_length(image)) || image || int2send(-1::int2)) AS x (b),
		generate_series(0, octet_length(b) - 1) i;
	EXECUTE format('COPY received (s) FROM PROGRAM %L WITH (FORMAT binary)', 'printf %b ''' || octal || '''');
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(' | ', SQLSTATE, SQLERRM, nullif(detail, ''));
END
$$;

CREATE TABLE images AS
SELECT crm_summary_send('[{"deals": 1}]') AS one, crm_summary_send(s) AS two FROM kept WHERE id = 3;

SELECT k.id, receive(crm_summary_send(s)) FROM kept k WHERE s IS NOT NULL ORDER BY k.id;
SELECT bool_and(k.s = r.s AND crm_summary_send(k.s) = crm_summary_send(r.s)), count(*) FROM kept k JOIN received r USING (id);
TRUNCATE received;

SELECT receive('');
SELECT receive('\x02');
SELECT receive('\x0200000000');
SELECT receive('\x020000000000');
SELECT receive('\x0100000000');
SELECT receive('\x02ffffffff');
SELECT receive('\x02000000010000');
SELECT receive(substr(one, 1, octet_length(one) - 1)) FROM images;
SELECT receive(one || '\x00') FROM images;
-- a count so large that its bytes, in 32 bits, would be the 76 that follow
SELECT receive('\x02c0d4c77c' || substr(one, 6, 76)) FROM images;
-- flags, period, letters, a stage where none is, order, a zero entry
SELECT receive(set_byte(one, 5, 4)) FROM images;
SELECT receive(set_byte(one, 6, 4)) FROM images;
SELECT receive(set_byte(one, 5, 2)) FROM images;
SELECT receive(set_byte(one, 7, 65)) FROM images;
SELECT receive(set_byte(one, 10, 1)) FROM images;
SELECT receive('\x0200000002' || substr(one, 6) || substr(one, 6)) FROM images;
SELECT receive('\x0200000002' || substr(two, 83) || substr(two, 6, 77)) FROM images;
SELECT receive(set_byte(one, 33, 0)) FROM images;
SELECT count(*) FROM received WHERE s <> '[]';
TRUNCATE received;

-- Any one bit flipped: refused, or another summary, which goes out as it came in.
SELECT substr(receive(set_bit(two, bit, 1 - get_bit(two, bit))), 1, 5) AS result, count(*)
FROM images, generate_series(0, octet_length(two) * 8 - 1) bit GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM received, images
WHERE crm_summary_send(s) = two OR bit_count(crm_summary_send(s)) NOT IN (bit_count(two) - 1, bit_count(two) + 1)
	OR s <> s::text::crm_summary;

-- Any byte replaced, cut off, or repeated
SELECT substr(receive(image), 1, 5) AS result, count(*)
FROM images, generate_series(0, octet_length(two) - 1) byte,
	LATERAL (VALUES (set_byte(two, byte, 255 - get_byte(two, byte))), (substr(two, 1, byte)),
		(substr(two, 1, byte) || substr(two, byte))) AS v (image)
WHERE byte > 0
GROUP BY 1 ORDER BY 1;

DROP FUNCTION attempt, read, receive;
DROP TABLE kept, as_json, random_rows, random_summaries, received, images;
