#!/usr/bin/env python3
"""Prints SQL for psql that uses all of a CRM: test/citus/run compares what it tells on a
cluster with what it tells on a plain server.

    statements.py writes|columns|rest|reads SCHEMA

"writes" makes deals and moves them, "columns" is DDL for the owner, "rest" writes what needs
that, and "reads" asks for all reports.  Ids and times are given, so that the results can be
compared line by line; errors are among them.
"""
import json
import sys

HEAD = r"""\set ON_ERROR_STOP 0
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET search_path = %s, public;"""

DEALS = 48
SALES, RENEWALS, EMPTY = (f"'00000000-0000-0000-0000-0000000000{n}'" for n in ("01", "02", "03"))
STAGES = [  # id, pipeline, name, status, probability, rotting days
    ("a1", SALES, "Lead", "open", 0.1, None), ("a2", SALES, "Qualified", "open", 0.4, 14),
    ("a3", SALES, "Proposal", "open", 0.7, 10), ("a4", SALES, "Won", "won", 1, None),
    ("a5", SALES, "Lost", "lost", 0, None), ("b1", RENEWALS, "Up", "open", 0.5, 7),
    ("b2", RENEWALS, "Talks", "open", None, None), ("b3", RENEWALS, "Renewed", "won", 1, None),
    ("b4", RENEWALS, "Gone", "lost", 0, None), ("c1", EMPTY, "One", "open", 0.3, None),
    ("c2", EMPTY, "Done", "won", 1, None)]
DIMENSIONS = ["pipeline", "owner", "organization", "tag", "currency", "value_period", "stage",
              "lost_reason", "forecast_category", "region"]


def row(n):
    """The id of a row that is no deal."""
    return f"'00000000-0000-0000-0000-0000000000{n}'"


def deal(n):
    return f"'00000000-0000-0000-0000-0000000001{n:02x}'"


def null(value):
    return "NULL" if value is None else f"'{value}'"


def block(settings, statement):
    """A transaction with settings of the session, as an application has them."""
    sets = "".join(f"SET LOCAL {name} = '{value}'; " for name, value in settings.items())
    return f"BEGIN; {sets}{statement} COMMIT;"


def at(time, statement, actor="anna"):
    return block({"crm.actor": actor, "crm.effective_at": time}, statement)


def mcp(tool, **arguments):
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
               "params": {"name": tool, "arguments": arguments}}
    return f"SELECT mcp('{json.dumps(message)}');"


# ---- writes ----

def structure():
    yield (f"INSERT INTO pipelines (id, name, is_default, currency, external_id, metadata) VALUES ({SALES}, 'Sales', true, 'EUR', 'p1', '{{\"a\": 1}}'), "
           f"({RENEWALS}, 'Renewals', false, 'USD', 'p2', '{{}}'), ({EMPTY}, 'Empty', false, NULL, NULL, '{{}}');")
    for stage, pipeline, name, status, probability, days in STAGES:
        yield (f"INSERT INTO stages (id, pipeline_id, name, deal_status, probability, rotting_days, external_id) VALUES ({row(stage)}, {pipeline}, "
               f"'{name}', '{status}', {null(probability)}, {null(days)}, 's-{stage}') RETURNING name, position, probability;")
    yield "INSERT INTO exchange_rates (base, quote, valid_from, rate) VALUES ('EUR', 'USD', '2024-01-01', 1.10), ('EUR', 'USD', '2025-06-01', 1.15), ('GBP', 'USD', '2024-01-01', 1.3);"
    yield "INSERT INTO exchange_rates (base, quote, valid_from, rate) VALUES ('EUR', 'USD', '2025-06-01', 1.16) ON CONFLICT (tenant_id, base, quote, valid_from) DO UPDATE SET rate = EXCLUDED.rate RETURNING rate;"
    yield "INSERT INTO exchange_rates (base, quote, valid_from, rate) VALUES ('EUR', 'USD', '2025-06-02', 0);"
    yield "SELECT name, currency FROM create_pipeline('Partners', stages => '[\"New\", {\"name\": \"Deal\", \"deal_status\": \"won\"}]', currency => 'GBP', metadata => '{\"k\": [1]}');"
    yield "SELECT name FROM create_pipeline('Partners');"
    yield "SELECT name FROM create_pipeline('Bad', stages => '[{\"name\": \"x\", \"deal_status\": \"what\"}]');"
    yield f"SELECT name, is_default FROM set_default_pipeline({RENEWALS});"
    yield f"SELECT name, is_default FROM set_default_pipeline({SALES});"
    yield f"SELECT name, position FROM reorder_stages({EMPTY}, ARRAY[{row('c2')}, {row('c1')}]::uuid[]);"
    yield f"SELECT name, position FROM reorder_stages({EMPTY}, ARRAY[{row('c1')}]::uuid[]);"
    yield f"INSERT INTO tags (id, name, color) VALUES ({row('e1')}, 'big', 'red'), ({row('e2')}, 'hot', NULL);"
    yield "INSERT INTO tags (name) VALUES ('BIG');"


def deals():
    amounts = [None, 100, 250.5, 999.99, 1234567.8912, 1]
    for n in range(DEALS):
        amount = amounts[n * 7 % 6]
        yield at(f"2025-{1 + n // 28:02d}-{1 + n % 28:02d} {n % 24:02d}:15+00",
                 "INSERT INTO deals (id, title, pipeline_id, amount, currency, owner_id, organization_id, value_period, expected_close_date, external_id, status) VALUES "
                 f"({deal(n)}, 'Deal {n}', {RENEWALS if n % 4 == 3 else SALES}, {null(amount)}, {null([None, 'EUR', 'USD', 'GBP'][n % 4])}, {row(11 + n % 3)}, "
                 f"{row('21') if n % 5 == 0 else 'NULL'}, '{['one_time', 'monthly', 'annual'][n % 3]}', {null(f'2026-{1 + n % 12:02d}-15' if n % 2 else None)}, 'd-{n}', "
                 f"'{'won' if n % 7 == 6 else 'open'}') RETURNING title, status, currency, probability, stage_entered_at;", actor=f"anna {n % 3}")
    many = ", ".join(f"('00000000-0000-0000-0000-0000000002{n:02x}', 'Many {n}', {n * 10}, 'm-{n}')" for n in range(12))
    yield at("2025-02-01 00:00+00", f"INSERT INTO deals (id, title, amount, external_id) VALUES {many};")
    yield "BEGIN; SET LOCAL crm.effective_at = '2025-02-02 00:00+00';\nCOPY deals (id, title, amount, currency, external_id) FROM stdin;"
    for n in range(12):
        yield f"00000000-0000-0000-0000-0000000003{n:02x}\tCopied {n}\t{n}.25\tUSD\tc-{n}"
    yield "\\.\nCOMMIT;"
    yield at("2025-02-04 00:00+00", "INSERT INTO deals (id, title, amount, external_id) SELECT ('00000000-0000-0000-0000-0000000004' || lpad(n::text, 2, '0'))::uuid, "
             "'Made ' || n, n, 'g-' || n FROM generate_series(1, 12) AS n;")
    yield at("2025-02-05 00:00+00", "INSERT INTO deals (title, amount, external_id, pipeline_id) SELECT 'Clone of ' || title, amount, 'k-' || external_id, pipeline_id FROM deals WHERE title LIKE 'Many 1%';")
    yield at("2025-12-20 10:00+00", "INSERT INTO deals (external_id, title, status) VALUES ('m-1', 'Many 1', 'won'), ('m-2', 'Many 2', NULL) "
             "ON CONFLICT (tenant_id, external_id) DO UPDATE SET title = EXCLUDED.title, status = EXCLUDED.status RETURNING title, status, version, move_no;")
    yield "INSERT INTO deals (external_id, title) VALUES ('m-4', 'never') ON CONFLICT DO NOTHING;"
    yield "INSERT INTO stages (external_id, pipeline_id, name) VALUES ('s-b2', %s, 'Talking') ON CONFLICT (tenant_id, external_id) DO UPDATE SET name = EXCLUDED.name RETURNING name, deal_status;" % RENEWALS
    for n in range(0, 24, 2):
        yield f"INSERT INTO deal_tags (deal_id, tag_id) VALUES ({deal(n)}, {row('e1' if n % 3 else 'e2')});"
        yield f"INSERT INTO deal_contacts (deal_id, contact_id, role, is_primary) VALUES ({deal(n)}, {row(f'f{n % 6}')}, 'buyer', true), ({deal(n)}, {row('f9')}, NULL, false);"
    yield f"SELECT contact_id, is_primary FROM set_primary_contact({deal(0)}, {row('f9')});"
    yield f"SELECT contact_id FROM set_primary_contact({deal(0)}, {row('aa')});"
    yield f"DELETE FROM deal_contacts WHERE deal_id = {deal(2)} AND contact_id = {row('f9')};"


def moves():
    for n in range(90):
        stage = row(["a1", "a2", "a3", "a4", "a5", "b1"][n * 5 % 7 % 6])
        one = deal(n * 11 % DEALS)
        time = f"2026-{1 + n // 18:02d}-{1 + n % 18:02d} {n % 24:02d}:00+00"
        yield [
            f"SELECT title, status, move_no FROM move_deal({one}, {stage}, '{time}');",
            at(time, f"UPDATE deals SET stage_id = {stage} WHERE id = {one} RETURNING title, status, move_no, won_at, lost_at;", "bob"),
            at(time, f"UPDATE deals SET status = '{['won', 'lost', 'open'][n % 3]}' WHERE id = {one} RETURNING title, status, stage_id;"),
            at(time, f"UPDATE deals SET amount = COALESCE(amount, 0) + {n}, currency = COALESCE(currency, 'EUR'), expected_close_date = '2026-{1 + n % 12:02d}-20', "
               f"owner_id = {row(11 + n % 3)} WHERE id = {one} RETURNING amount, version;"),
            f"SELECT title, status, lost_reason FROM move_deal({one}, {row('a5')}, '{time}', 'reason {n % 4}');",
            f"UPDATE deals SET stage_id = {stage}, stage_entered_at = '{time}' WHERE id = {one} RETURNING title, status, stage_entered_at;"][n % 6]
    yield from (f"SELECT title, status FROM undo_move({deal(n)});" for n in (3, 11, 22))
    yield f"UPDATE deals SET status = 'undo' WHERE id = {deal(6)} RETURNING title, status, move_no;"
    yield f"SELECT title FROM move_deal({deal(6)}, {row('a3')}, expected_stage_id => {row('c1')});"
    yield at("2026-08-01", f"UPDATE deals SET stage_id = {row('a2')} WHERE title LIKE 'Many %' AND status = 'open'; UPDATE deals SET amount = amount + 1 WHERE title LIKE 'Copied %';")
    yield at("2026-08-02", "UPDATE deals AS d SET stage_id = s.id FROM stages AS s WHERE s.name = 'Proposal' AND s.pipeline_id = d.pipeline_id AND d.title LIKE 'Made %';")
    yield at("2026-08-04", f"WITH moved AS (UPDATE deals SET stage_id = {row('a4')} WHERE title LIKE 'Many %' AND status = 'open' RETURNING id) SELECT count(*) FROM moved;", "cte")
    yield (f"BEGIN; INSERT INTO deals (id, title, amount) VALUES ({deal(240)}, 'Just now', 1); SELECT status FROM move_deal({deal(240)}, {row('a2')}, now()); "
           f"UPDATE deals SET status = 'won', won_at = now() WHERE id = {deal(240)} RETURNING status; DELETE FROM deals WHERE id = {deal(240)}; COMMIT;")
    yield "UPDATE deals SET archived_at = '2026-08-05' WHERE title = 'Copied 3'; UPDATE deals SET archived_at = '2026-08-06' WHERE title = 'Many 5'; UPDATE deals SET archived_at = NULL WHERE title = 'Copied 3';"
    yield "DELETE FROM deals WHERE external_id IN ('c-6', 'c-7') RETURNING title;"


def corrections():
    yield f"SELECT title, created_at FROM correct_move({deal(8)}, '2024-12-30 00:00+00', 0, 'earlier');"
    yield f"SELECT title, move_no FROM correct_move({deal(0)}, '2025-06-30 00:00+00', 1);"
    yield f"SELECT title FROM correct_move({deal(9)}, '2099-01-01');"
    yield f"SELECT version, created_at FROM deals WHERE id = {deal(5)};\nSELECT version FROM correct_move({deal(5)}, '2026-01-01', 1); SELECT version FROM correct_move({deal(5)}, '2026-01-01', 1);"
    yield f"SELECT count(*) FROM deal_changes WHERE deal_id = {deal(5)} AND change = 'corrected';"
    yield block({"crm.reason": "by hand"}, "UPDATE deals SET won_at = '2026-07-31 10:00+00' WHERE title = 'Many 1';")
    for last in ("a1", "a5"):
        history = [{"stage_id": row(stage).strip("'"), "at": time, "actor": "zed"} for stage, time in (("a1", "2024-11-01"), ("a2", "2024-12-01"), (last, "2025-01-20"))]
        yield f"SELECT title, status, move_no FROM replace_history({deal(10)}, '{json.dumps(history)}', 'old CRM');"
    yield block({"crm.actor": "merger"}, f"SELECT title, amount FROM merge_deals({deal(12)}, {deal(14)}); SELECT title FROM merge_deals({deal(16)}, {deal(18)}); "
                f"SELECT title, merged_into FROM unmerge_deals({deal(18)});")
    yield f"SELECT title FROM merge_deals({deal(20)}, {deal(20)});"
    yield f"UPDATE stages SET probability = 0.45 WHERE id = {row('a2')}; SELECT apply_stage_probability({row('a2')});"
    yield at("2026-08-20", f"SELECT delete_stage({row('b2')}, {row('b1')});")
    yield f"SELECT delete_stage({row('a4')}); DELETE FROM stages WHERE id = {row('a3')};"
    yield f"UPDATE stages SET deal_status = 'won' WHERE id = {row('a1')};"


def refusals():
    yield f"INSERT INTO deals (title, pipeline_id, stage_id) VALUES ('bad', {RENEWALS}, {row('a1')});"
    yield "INSERT INTO deals (title, amount, currency) VALUES ('bad', 1, 'XXY');"
    yield "INSERT INTO deals (title, probability) VALUES ('bad', 1.5);"
    yield f"UPDATE deals SET stage_entered_at = '2020-01-01', stage_id = {row('c1')} WHERE id = {deal(15)};"
    yield f"UPDATE deals SET tenant_id = {row('01')} WHERE id = {deal(15)};"
    yield f"UPDATE stage_changes SET amount = 1 WHERE deal_id = {deal(0)};"
    yield "INSERT INTO stage_totals DEFAULT VALUES;"


def sessions(schema):
    yield (f"BEGIN; SET LOCAL crm.actor = 'x'; SAVEPOINT a; UPDATE deals SET amount = 5 WHERE id = {deal(17)}; ROLLBACK TO a; SET LOCAL crm.actor = 'y'; "
           f"UPDATE deals SET title = 'Deal 17 y' WHERE id = {deal(17)}; COMMIT;")
    yield f"BEGIN; UPDATE deals SET amount = 77 WHERE id = {deal(19)}; ROLLBACK;"
    yield (f"DO $$ DECLARE r record; BEGIN PERFORM set_config('crm.actor', 'loop', true); FOR r IN SELECT id FROM {schema}.deals WHERE title LIKE 'Made 1%' ORDER BY title "
           f"LOOP PERFORM {schema}.move_deal(r.id, {row('a4')}, '2026-08-10'); END LOOP; END $$;")
    yield block({"request.jwt.claims": '{"sub": "of a token"}'}, f"UPDATE deals SET description = 'jwt' WHERE id = {deal(21)};")
    yield block({"crm.restoring": "on"}, "INSERT INTO deals (id, title, pipeline_id, stage_id, status, probability, move_no, version, created_at, updated_at, stage_entered_at) VALUES "
                f"({deal(241)}, 'Restored', {SALES}, {row('a2')}, 'open', 0.4, 0, 3, '2025-03-01', '2025-03-02', '2025-03-01');")
    yield "PREPARE added(text, numeric) AS INSERT INTO deals (title, amount) VALUES ($1, $2) RETURNING title, amount, currency;"
    yield from (f"EXECUTE added('prepared {n}', {n});" for n in range(7))
    yield "PREPARE moved(uuid, uuid) AS SELECT title, status FROM move_deal($1, $2, '2026-09-01');"
    yield from (f"EXECUTE moved({deal(22 + n)}, {row(f'a{1 + n % 5}')});" for n in range(7))


def agent():
    yield mcp("deals_create", title="By agent", amount="12.50")
    yield mcp("deals_update", id="Deal 31", amount="13")
    yield mcp("deals_move", deal_id="Deal 31", stage_id="Renewed")
    yield mcp("deals_undo_move", deal_id="Deal 31")
    yield mcp("deals_tag", deal_id="Deal 31", tag_id="hot")
    yield mcp("deals_merge", keep="Deal 32", merge="Deal 33")
    yield mcp("deals_unmerge", merged="Deal 33")
    yield mcp("pipelines_create_with_stages", name="Agents", stages=[{"name": "A"}, {"name": "B", "deal_status": "won"}])
    yield mcp("stages_create", pipeline_id="Agents", name="C")
    yield mcp("stages_apply_probability", stage_id="Proposal")
    yield mcp("pipelines_delete", id="Agents")


def columns(schema):
    yield f"ALTER TABLE deals ADD COLUMN region text; SELECT crm_track_column('{schema}', 'region');"


def rest(schema):
    yield from sessions(schema)
    yield at("2026-09-02", f"UPDATE deals SET region = 'north' WHERE id = {deal(27)};")
    yield from agent()
    yield f"SELECT * FROM crm_forget_actor('{schema}', 'bob');"
    yield f"SELECT * FROM crm_purge_deal('{schema}', {deal(28)});" * 2
    yield f"SELECT * FROM crm_trim_history('{schema}', '2025-01-05');"


# ---- reads ----

def of_pipeline(p):
    yield from (f"pipeline_summary({p}{more})" for more in (
        "", f", owner_id => {row(11)}", f", tag_id => {row('e1')}", ", closing_from => '2026-01-01', closing_to => '2026-06-30'", ", in_currency => 'USD'",
        ", in_currency => 'USD', max_rate_age => 30"))
    yield from (f"pipeline_summary_as_of({p}, '{time}'{more})" for time in ("2026-03-01", "2025-01-03") for more in ("", ", in_currency => 'USD'"))
    yield from (f"pipeline_waterfall({p}, '2026-01-01', '2026-09-01'{more})" for more in ("", f", owner_id => {row(11)}", ", in_currency => 'USD'", ", currency => 'USD'"))
    for step in ("day", "week", "month"):
        yield from (f"pipeline_trend({p}, '2026-02-01', '2026-03-15', step => '{step}'{more})" for more in (
            "", ", in_currency => 'USD', by_stage => true", ", calendar => true, time_zone => 'America/New_York'"))
    for report in ("funnel", "stage_conversion"):
        yield from (f"{report}({p}, rule => '{rule}', cohort => '{cohort}')" for rule in ("reached", "direct") for cohort in ("created", "entered"))
        yield from (f"{report}({p}{more})" for more in (f", owner_id => {row(11)}", ", currency => 'USD'", ", period_from => '2025-03-01', period_before => '2025-09-01'"))
    yield from (f"time_in_stage({p}, measure => '{measure}')" for measure in ("visit", "first", "latest", "cumulative"))
    yield f"time_in_stage({p}, percentiles => false, entered_from => '2026-01-01')"
    yield f"stage_probabilities({p}, minimum_deals => 1)"
    yield from (f"stage_flow({p}, period => '{period}', period_from => '2025-01-01', period_before => '2026-10-01')" for period in ("month", "quarter", "week", "year"))
    for by in DIMENSIONS:
        yield f"pipeline_trend({p}, '2026-02-01', '2026-05-15', step => 'month', in_currency => 'USD', group_by => '{by}')"
        yield from (f"{report}({p}, in_currency => 'USD', group_by => '{by}')" for report in ("funnel", "stage_conversion"))
        yield f"time_in_stage({p}, group_by => '{by}')"
        yield f"stage_flow({p}, group_by => '{by}', period_from => '2025-01-01', period_before => '2026-10-01')"
    yield f"changes_since('2025-01-01', {p}, max_rows => 1000)"


def of_any_pipeline(p):
    today = "today => '2026-04-01'"
    yield from (f"forecast({p}, period => '{period}', {today})" for period in ("month", "quarter", "week", "year"))
    yield from (f"forecast({p}, {today}{more})" for more in (
        ", in_currency => 'USD', target => 1000", f", owner_id => {row(11)}", ", currency => 'EUR', value_period => 'monthly'", ", period_from => '2026-01-01', period_before => '2026-07-01'"))
    yield from (f"lost_reasons({p}{more})" for more in ("", ", by_stage => true", ", in_currency => 'USD'", ", lost_from => '2026-02-01', lost_before => '2026-06-01'"))
    yield from (f"win_rate({p}{more})" for more in ("", ", cohort => 'created'", ", in_currency => 'USD'", f", owner_id => {row(11)}, currency => 'USD'"))
    yield from (f"{report}({p}{more})" for report in ("sales_cycle", "sales_velocity", "recurring_revenue", "slippage") for more in ("", f", owner_id => {row(12)}", ", currency => 'EUR'"))
    for by in DIMENSIONS:
        yield f"forecast({p}, {today}, in_currency => 'USD', group_by => '{by}')"
        yield from (f"{report}({p}, in_currency => 'USD', group_by => '{by}')" for report in ("lost_reasons", "win_rate", "sales_velocity", "recurring_revenue"))
        yield f"sales_cycle({p}, group_by => '{by}')"


def odd():
    """What a client may ask by mistake."""
    yield from (f"funnel({SALES}, {wrong})" for wrong in ("rule => 'what'", "cohort => 'what'", "group_by => 'what'", "in_currency => 'what'", "in_currency => 'CHF'",
                                                          "period_from => '2026-02-01', period_before => '2026-01-01'", "max_rate_age => -1"))
    yield from (f"pipeline_trend({SALES}, '2026-02-01', '2026-03-15', {wrong})" for wrong in ("step => 'hour'", "time_zone => 'Mars'", "group_by => 'stage', by_stage => true"))
    yield from (f"pipeline_trend({SALES}, {times})" for times in ("'2026-03-15', '2026-02-01'", "NULL, '2026-02-01'", "'1000-01-01', '2026-02-01', step => 'day'"))
    yield from (f"stage_flow({SALES}, {wrong})" for wrong in ("period => 'day'", "group_by => ''", "period_from => 'infinity'"))
    yield from (f"forecast({SALES}, {wrong})" for wrong in ("period => 'day'", "target => -1", "target => 5", "today => NULL, period_from => '2026-07-01', period_before => '2026-01-01'"))
    yield from (f"changes_since({wrong})" for wrong in ("NULL", "'infinity'", "'2025-01-01', max_rows => 0", "'2025-01-01', max_rows => 100000", "'2025-01-01', after_cursor => 'what'"))
    yield from (f"pipeline_summary_as_of({SALES}, {wrong})" for wrong in ("NULL", "'infinity'", "'-infinity'", "'1000-01-01'"))
    yield from (f"{report}(NULL)" for report in ("pipeline_summary", "funnel", "stage_flow", "time_in_stage", "stage_probabilities", "deal_history", "context_for_person"))
    yield from (f"{report}({row('99')})" for report in ("funnel", "forecast", "lost_reasons", "stage_flow", "rotting_deals", "time_in_stage", "deal_history", "pipeline_chart"))
    yield from ("exchange_rate('EUR', NULL)", "exchange_rate('EUR', 'what')", "lost_reasons(group_by => 'owner', by_stage => true)", "win_rate(cohort => 'what')")


def reports():
    for p in (SALES, RENEWALS, EMPTY):
        yield from of_pipeline(p)
    for p in (SALES, RENEWALS, EMPTY, "NULL::uuid"):
        yield from of_any_pipeline(p)
    for n in range(0, DEALS, 3):
        yield f"deal_history({deal(n)})"
        yield f"context_for_deal({deal(n)})"
    yield f"deal_history({deal(3)}, '2026-01-01', '2026-05-01')"
    yield from (f"context_for_person({row(f'f{n}')})" for n in range(10))
    yield f"context_for_person({row('f1')}, max_deals => 1, skip_deals => 1)"
    yield from ("exchange_rate('EUR', 'USD', '2025-07-01')", "exchange_rate('EUR', 'JPY')", f"pipeline_summary({row('99')})", f"context_for_deal({row('99')})")


def tables():
    ids = "'{id,created_at,updated_at,recorded_at,reverts_id,correction_id,duration,days,age_days,days_open,days_in_stage,days_over}'::text[]"
    for name in ("deals", "pipelines", "stages", "stage_changes", "deal_changes", "deal_contacts", "tags", "deal_tags", "exchange_rates", "deal_pushes", "deal_facts", "move_facts",
                 "pipeline_stage_summary", "rotting_deals", "stage_forecast_categories", "stage_visits", "rotting_deals()", f"rotting_deals({SALES}, owner_id => {row(11)})",
                 f"rotting_deals({RENEWALS})", "rotting_deals(currency => 'EUR')"):
        yield f"SELECT r FROM (SELECT (to_jsonb(t) - {ids})::text AS r FROM {name} AS t) AS rows ORDER BY r COLLATE \"C\";"
    yield "SELECT sum(deals), sum(value), sum(weighted_value) FROM stage_totals;"
    yield "SELECT s.name, count(d.id), sum(d.amount * d.probability) FROM stages AS s LEFT JOIN deals AS d ON d.stage_id = s.id GROUP BY 1 ORDER BY 1;"
    yield "SELECT p.name, f.stage_name, f.deals FROM pipelines AS p, funnel(p.id) AS f ORDER BY 1, 2, 3;"
    yield "SELECT p.name, (SELECT count(*) FROM time_in_stage(p.id)) FROM pipelines AS p ORDER BY 1;"
    yield "SELECT d.title, h.change, h.to_stage FROM deals AS d, deal_history(d.id) AS h WHERE d.title LIKE 'Deal 1%' ORDER BY d.title, h.changed_at, h.change;"
    yield ("SELECT f.pipeline_name, f.is_archived, m.direction, count(*), sum(m.amount), count(DISTINCT f.deal_id), sum(f.first_amount) FROM deal_facts AS f "
           "JOIN move_facts AS m USING (deal_id) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;")
    yield "SELECT created_on, count(*), sum(last_amount) FROM deal_facts WHERE closed_on IS NULL GROUP BY 1 ORDER BY 1;"
    # pages of changes_since(): each by the cursor of the one before
    page = "SELECT c.next_cursor FROM changes_since('2025-01-01', max_rows => 40%s) AS c WHERE c.next_cursor IS NOT NULL LIMIT 1"
    yield f"SELECT change, title, summary, old_value, new_value FROM changes_since('2025-01-01', max_rows => 40, after_cursor => ({page % ''}));"
    yield f"SELECT change, title, summary FROM changes_since('2025-01-01', max_rows => 40, after_cursor => ({page % (', after_cursor => (' + page % '' + ')')}));"
    yield "SELECT * FROM crm_summary_rows((SELECT crm_pipeline_summary(stage_id, amount, currency, probability, value_period) FROM deals WHERE archived_at IS NULL AND stage_id::text LIKE '0000%'));"


def pages():
    yield from (f"SELECT * FROM pipeline_chart({p});" for p in (SALES, RENEWALS, EMPTY))
    for page in (f"pipeline_page({SALES})", f"pipeline_page({RENEWALS})", f"pipeline_page({EMPTY})", f"pipeline_page({row('99')})", "board_page()"):
        # their data, but for what the clock changes
        yield (f"SELECT regexp_replace(substring({page}::text, '\"data\">(.*?)</script>'), "
               "'\"(at|max|p90|median|average|waterfall_from)\": \"?[0-9.:T+-]+\"?', '\\1', 'g');")


def agent_reads():
    yield mcp("deals_list", status="won", limit=5)
    yield mcp("deals_list", stage_id="Proposal")
    yield mcp("deals_get", id="Deal 7")
    yield from (mcp(tool) for tool in ("pipelines_list", "tags_list", "stages_list"))
    yield from (mcp("find", text=text) for text in ("Deal 1", "big"))
    yield mcp("context_for_deal", deal_id="Deal 9")
    yield from (mcp("report_value", report=report, pipeline_id="Sales") for report in ("pipeline_summary", "forecast", "recurring_revenue"))
    yield from (mcp("report_flow", report=report, pipeline_id="Sales") for report in ("funnel", "win_rate", "lost_reasons", "slippage", "stage_conversion"))
    for method in ("tools/list", "resources/list", "prompts/list", "ping"):
        yield f"SELECT mcp('{json.dumps({'jsonrpc': '2.0', 'id': 1, 'method': method})}');"


def reads(_schema):
    yield from (f"SELECT t.* FROM {report} AS t;" for report in reports())
    yield from (f"SELECT t.* FROM {report} AS t;" for report in odd())
    yield from tables()
    yield from pages()
    yield from agent_reads()


def writes(_schema):
    for part in (structure, deals, moves, corrections, refusals):
        yield from part()


if __name__ == "__main__":
    parts = {"writes": writes, "columns": columns, "rest": rest, "reads": reads}
    part, name = sys.argv[1:]
    print(HEAD % name)
    print("\n".join(parts[part](name)))
