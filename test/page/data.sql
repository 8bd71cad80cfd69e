-- What the pages are tested with: a pipeline of several currencies and periods with
-- texts that are hostile to HTML, and one of 10,000 deals.
--	psql -f data.sql

CREATE EXTENSION crm;
SELECT crm_install() \g /dev/null
SET search_path = crm, public;
SELECT p.id AS sales FROM create_pipeline('Sales </script><script>hacked()</script>', '[
	{"name": "Lead", "probability": 0.1, "rotting_days": 5}, {"name": "<b>Offer</b>", "probability": 0.5},
	{"name": "Won", "deal_status": "won"}, {"name": "Lost", "deal_status": "lost"}]') AS p \gset
SELECT set_default_pipeline(:'sales') \g /dev/null
UPDATE pipelines SET currency = 'EUR' WHERE id = :'sales';
INSERT INTO deals (title, amount, currency, expected_close_date, created_at) VALUES
	('<img src=x onerror="hacked()">', 1234.56, 'EUR', current_date + 40, now() - interval '30 days'),
	('</script><script>hacked()</script>', 999999999999999.1234, 'EUR', current_date + 10, now() - interval '20 days'),
	('<!--<script>', 5000, 'JPY', NULL, now() - interval '10 days'),
	('"quoted" & ''apostrophe'' ' || chr(8232) || chr(128640), 10, 'EUR', current_date - 5, now() - interval '9 days'),
	('Without an amount', NULL, NULL, NULL, now()),
	('To be moved', 700, 'EUR', current_date + 70, now() - interval '2 hours'),
	('To be lost', 800, 'EUR', NULL, now() - interval '3 hours'),
	('To be refused', 900, 'EUR', NULL, now() - interval '4 hours'),
	('Won', 400, 'EUR', current_date, now() - interval '8 days'),
	('Lost', 300, 'EUR', current_date, now() - interval '8 days');
UPDATE deals SET value_period = 'monthly' WHERE title LIKE '"quoted"%';
SELECT count(move_deal(d.id, s.id, lost_reason => CASE s.name WHEN 'Lost' THEN '<i>price</i>' END)) AS moved
FROM deals AS d JOIN stages AS s ON s.name = d.title AND s.pipeline_id = d.pipeline_id \g /dev/null

SELECT p.id AS big FROM create_pipeline('Big', '[{"name": "One"}, {"name": "Two"}, {"name": "Three"}, {"name": "Four"},
	{"name": "Five"}, {"name": "Won", "deal_status": "won"}, {"name": "Lost", "deal_status": "lost"}]') AS p \gset
INSERT INTO deals (title, amount, currency, stage_id)
SELECT 'Deal ' || n, n, 'USD', s.id
FROM generate_series(1, 10000) AS n JOIN stages AS s ON s.pipeline_id = :'big' AND s.position = n % 5 + 1;
