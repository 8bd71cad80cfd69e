-- A pipeline of deals; run by bench.py, which fills in {size}, {few} and
-- {many}: how many deals stand in the stages that bulk moves empty.
SELECT extensions.crm_install();
SET search_path = crm, extensions;
INSERT INTO pipelines (id, name) VALUES ('00000000-0000-0000-0000-0000000000aa', 'Bench');
INSERT INTO stages (id, pipeline_id, name, position, deal_status, probability)
    SELECT ('00000000-0000-0000-0000-00000000000' || to_hex(n))::uuid, '00000000-0000-0000-0000-0000000000aa',
        'Stage ' || n, n, CASE n WHEN 7 THEN 'won' WHEN 8 THEN 'lost' ELSE 'open' END,
        CASE n WHEN 7 THEN 1 WHEN 8 THEN 0 ELSE n / 20.0 END
    FROM generate_series(1, 12) AS n;
SET session_replication_role = replica;
INSERT INTO deals (id, tenant_id, pipeline_id, stage_id, amount, currency, probability, value_period, status,
        stage_entered_at, title, owner_id, expected_close_date, won_at, lost_at, external_id, created_at)
    SELECT crm_uuid_v7(), '00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-0000000000aa',
        ('00000000-0000-0000-0000-00000000000' || to_hex(s))::uuid,
        CASE WHEN n % 50 > 0 THEN ((n * 7919) % 10000000) / 100.0 END,
        (ARRAY['USD', 'EUR', 'GBP'])[n % 3 + 1],
        CASE s WHEN 7 THEN 1 WHEN 8 THEN 0 ELSE s / 20.0 END,
        CASE WHEN n % 10 = 0 THEN 'monthly' ELSE 'one_time' END,
        CASE s WHEN 7 THEN 'won' WHEN 8 THEN 'lost' ELSE 'open' END,
        '2025-01-01'::timestamptz + n % 300 * interval '1 day', 'Deal number ' || n,
        ('00000000-0000-0000-0001-0000000000' || lpad(to_hex(n % 200), 2, '0'))::uuid, '2026-01-01'::date + (n % 700)::integer,
        CASE s WHEN 7 THEN '2025-12-01'::timestamptz END, CASE s WHEN 8 THEN '2025-12-01'::timestamptz END,
        'ext-' || n, '2025-01-01'
    FROM (SELECT n, CASE WHEN n <= {few} THEN 9 WHEN n <= {few} + {many} THEN 11 ELSE (n % 8 + 1)::integer END AS s
            FROM generate_series(1::bigint, {size}) AS n) AS g;
RESET session_replication_role;
-- Deals for one-row moves, by number.
CREATE TABLE bench_hot AS
    SELECT row_number() OVER () AS n, id FROM (SELECT id FROM deals WHERE stage_id = '00000000-0000-0000-0000-000000000001' LIMIT 8000) AS d;
ALTER TABLE bench_hot ADD PRIMARY KEY (n);
-- The same table with its keys and indexes, but without CHECKs and triggers.
CREATE TABLE bench_bare (LIKE deals INCLUDING DEFAULTS INCLUDING INDEXES INCLUDING STORAGE);
ALTER TABLE bench_bare ADD FOREIGN KEY (pipeline_id) REFERENCES pipelines (id), ADD FOREIGN KEY (stage_id) REFERENCES stages (id);
SET session_replication_role = replica;
INSERT INTO bench_bare SELECT * FROM deals;
RESET session_replication_role;
