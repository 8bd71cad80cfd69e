-- Currency codes.

SELECT code, crm_is_currency(code)
FROM unnest(ARRAY['USD', 'EUR', 'JPY', 'XXX', 'XTS', 'XCG', 'ADP', 'DEM', 'ZWR', 'AAA', 'ZZZ', 'usd', 'Usd', 'US', 'USDX', 'US ', ' USD', 'U$D', 'USÉ', 'É1', '840', '', NULL]) AS code;
-- A CHECK over rows, with short and long headers.
SELECT count(*) FROM generate_series(1, 1000) AS n WHERE crm_is_currency(repeat('USD', n));
-- All there are. Codes are added, never removed.
CREATE TABLE codes AS
SELECT chr(a) || chr(b) || chr(c) AS code
FROM generate_series(65, 90) AS a, generate_series(65, 90) AS b, generate_series(65, 90) AS c;
SELECT left(code, 1) AS letter, count(*), string_agg(code, ' ' ORDER BY code COLLATE "C") AS codes
FROM codes WHERE crm_is_currency(code) GROUP BY 1 ORDER BY 1;
DROP TABLE codes;
