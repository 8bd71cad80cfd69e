#!/usr/bin/env python3
"""Compares crm with a floor and with hand-written SQL.

Every comparison runs in rounds.  In each round all variants run one after the
other, each time in another order.  A ratio is taken within a round; the median
over the rounds is reported.  CPU is that of the backend, wall time the client's.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile

import rollup
import svg
from analytics import Analytics
from pq import Connection
from reports import Reports

HERE = os.path.dirname(os.path.abspath(__file__))
PIPELINE = "00000000-0000-0000-0000-0000000000aa"
MOVE_BY_NUMBER = "move_no = move_no + 1"


def stage(number):
    return f"00000000-0000-0000-0000-00000000000{number:x}"


def say(text):
    print(text, file=sys.stderr, flush=True)


class Bench:
    PIPELINE = PIPELINE
    stage = staticmethod(stage)

    def __init__(self, options):
        self.options = options
        self.rounds = options.rounds
        self.db = Connection()
        self.db.sql("CREATE SCHEMA extensions; CREATE EXTENSION crm SCHEMA extensions")
        self.db.sql("ALTER DATABASE postgres SET search_path = crm, extensions, public")
        self.version = self.db.sql("SHOW server_version")
        self.has_totals = False
        self.rows = []
        self.failed = []
        self.group_by = 0
        self.curves = {"move": {}, "summary": {}, "rollup": {}, "snapshot": {}}

    # ---- the data

    def load(self, size):
        say(f"loading {size:,} deals ...")
        self.few = min(size * 6 // 10, 60000)
        self.many = 200000 if size >= 500000 else 0
        self.size = size
        self.db.sql("SET client_min_messages = warning; DROP SCHEMA IF EXISTS crm CASCADE")
        with open(f"{HERE}/load.sql", encoding="ascii") as file:
            text = file.read()
        for name, value in (("size", size), ("few", self.few), ("many", self.many)):
            text = text.replace("{%s}" % name, str(value))
        self.db.sql(text)
        # Triggers that are disabled in a new CRM stay disabled.
        self.disabled = (self.db.sql("SELECT string_agg(tgname, ' ') FROM pg_trigger WHERE tgenabled = 'D' "
                                     "AND tgrelid = 'deals'::regclass") or "").split()
        with open(f"{HERE}/plpgsql.sql", encoding="ascii") as file:
            self.db.sql(file.read())
        self.has_totals = self.db.sql("SELECT to_regclass('crm.stage_totals') IS NOT NULL") == "t"
        self.add_audit_alone()
        self.take_other_triggers()
        if self.has_totals:
            self.db.sql("SELECT crm_rebuild_totals('crm')")
        self.at = {"few": (9, 10), "many": (11, 12)}
        self.off()
        self.clean("ANALYZE")
        self.db.sql("CHECKPOINT")

    def add_audit_alone(self):
        """A trigger that keeps the history and nothing else."""
        version = self.db.sql("SELECT extversion FROM pg_extension WHERE extname = 'crm'")
        self.db.sql("CREATE TRIGGER bench_audit AFTER UPDATE ON deals REFERENCING OLD TABLE AS old_deals "
                    f"NEW TABLE AS new_deals FOR EACH STATEMENT EXECUTE FUNCTION crm_deal_audit('{version}', 'history')")

    def take_other_triggers(self):
        """Drops the triggers of the other ways, and remembers them: every statement copies the
        triggers of its table with their conditions, also those that are disabled."""
        where = "FROM pg_trigger WHERE tgrelid = 'deals'::regclass AND NOT tgisinternal AND tgname !~ '^zz_'"
        names = self.db.sql(f"SELECT string_agg(tgname, ' ') {where}").split()
        self.others = {name: self.db.sql(f"SELECT pg_get_triggerdef(oid) {where} AND tgname = '{name}'") for name in names}
        self.off()

    def off(self):
        for name in self.others:
            self.db.sql(f"DROP TRIGGER IF EXISTS {name} ON deals")
        self.db.sql("ALTER TABLE deals DISABLE TRIGGER USER")

    def only(self, *patterns):
        """Enables the triggers of deals whose names match, and no others."""
        names = self.db.sql("SELECT string_agg(tgname, ' ') FROM pg_trigger WHERE NOT tgisinternal "
                            "AND tgrelid = 'deals'::regclass AND tgname ~ '^zz_'").split()
        self.off()
        for pattern in patterns:
            for name in names:
                if re.fullmatch(pattern, name) and name not in self.disabled:
                    self.db.sql(f"ALTER TABLE deals ENABLE TRIGGER {name}")
            for name, definition in self.others.items():
                if re.fullmatch(pattern, name):
                    self.db.sql(definition)

    VARIANTS = {
        "bare": (),
        "floor": (),
        "audit": ("bench_audit",),
        "no totals": ("zz_crm_deal_rules", "bench_audit"),
        "crm": ("zz_.*",),
        "PL/pgSQL audit": ("plpgsql_audit",),
        "CTE": (),
        "counter row": ("plpgsql_counters",),
    }

    def enable(self, variant):
        if variant == "PL/pgSQL":
            self.only("plpgsql_rules", "plpgsql_audit", "plpgsql_changes.*", "plpgsql_totals.*")
        else:
            self.only(*self.VARIANTS[variant])

    def clean(self, analyze=""):
        self.db.sql(f"VACUUM {analyze} deals, bench_bare")
        if self.has_totals:
            self.db.sql(f"VACUUM {analyze} stage_totals")

    # ---- comparing

    def compare(self, variants, measure):
        """{variant: [(wall, cpu) a round]}; a first round warms up."""
        result = {v: [] for v in variants}
        for number in range(self.rounds + 1):
            turn = number % len(variants)
            for variant in variants[turn:] + variants[:turn]:
                times = measure(variant)
                if number > 0:
                    result[variant].append(times)
        return result

    def report(self, what, result, floor, unit, label):
        """A row of the table for each variant; unit: the number of operations."""
        for variant, times in result.items():
            wall, cpu = (statistics.median(t[i] for t in times) / unit for i in (0, 1))
            ratios = [statistics.median(t[i] / f[i] if f[i] else 0 for t, f in zip(times, result[floor])) for i in (0, 1)]
            self.rows.append((f"{self.size:,}", what, variant, f"{wall * 1e6:,.2f}", f"{cpu * 1e6:,.2f}",
                              f"{ratios[0]:.2f}", f"{ratios[1]:.2f}", label))
            self.say_row()

    def ratio(self, text, value):
        self.rows.append((f"{self.size:,}", text, "", "", "", "", value, ""))
        self.say_row()

    def say_row(self):
        """Writes the table after each part, so that a failure loses no measurement."""
        say("| " + " | ".join(self.rows[-1][:7]) + " |")

    def overheads(self, what, result, crm, other):
        gains = [(o[1] - f[1]) / (c[1] - f[1]) for f, c, o in zip(result["floor"], result[crm], result[other]) if c[1] > f[1]]
        if gains:
            self.ratio(f"{what}: overhead of {other} ÷ overhead of {crm} (CPU)", f"{statistics.median(gains):.2f}")

    # ---- the writes

    def bulk(self, which):
        count = getattr(self, which)

        def measure(variant):
            source, target = self.at[which]
            self.enable(variant)
            update = f"UPDATE deals SET stage_id = '{stage(target)}', {MOVE_BY_NUMBER} WHERE stage_id = '{stage(source)}'"
            if variant == "CTE":
                update = f"""WITH moved AS ({update} RETURNING *)
                    INSERT INTO plpgsql_changes (tenant_id, deal_id, from_pipeline_id, from_stage_id, to_pipeline_id,
                        to_stage_id, entered_at, changed_at, move_no, from_status, to_status, amount, currency,
                        probability, from_probability, changed_by)
                    SELECT tenant_id, id, pipeline_id, '{stage(source)}', pipeline_id, stage_id, stage_entered_at,
                        clock_timestamp(), move_no, status, status, amount, currency, probability, probability,
                        crm_current_actor() FROM moved"""
            times = self.db.timed(lambda: self.db.sql(update))
            self.at[which] = (target, source)
            self.clean()
            return times

        variants = ["floor", "audit", "no totals", "crm", "CTE", "PL/pgSQL audit", "PL/pgSQL"]
        if not self.has_totals:
            variants.remove("no totals")
        result = self.compare(variants, measure)
        what = f"bulk move of {count:,}, per deal"
        self.report(what, result, "floor", count, "µs")
        self.overheads(what, result, "audit", "PL/pgSQL audit")
        self.overheads(what, result, "crm", "PL/pgSQL")
        if which == "few":
            for variant in ("floor", "audit", "crm", "PL/pgSQL"):
                self.curves["move"].setdefault(variant, []).append(
                    (self.size, statistics.median(c for _, c in result[variant]) / count * 1e6))

    def nothing_moves(self):
        source = self.at["few"][0]

        def measure(variant):
            self.enable(variant)
            times = self.db.timed(lambda: self.db.sql(f"UPDATE deals SET title = title WHERE stage_id = '{stage(source)}'"))
            self.clean()
            return times

        result = self.compare(["floor", "audit", "crm", "PL/pgSQL"], measure)
        self.report("UPDATE that moves nothing, per deal", result, "floor", self.few, "µs")

    def one_row(self, sync):
        """
        Many short turns, as other work on the machine changes what a move costs from one
        tenth of a second to the next: variants are compared within some milliseconds.
        """
        turn, turns = (10, 5) if sync else (40, 25)
        ids = self.db.sql(f"SELECT string_agg(id::text, ' ' ORDER BY n) FROM bench_hot WHERE n <= {turn * turns}").split()
        where = dict.fromkeys(ids, 1)
        session = Connection()
        session.sql(f"SET synchronous_commit = {'on' if sync else 'off'}")
        bare = dict.fromkeys(ids, 1)    # where they stand in the bare table
        for name, table in ("move", "deals"), ("move bare", "bench_bare"):
            session.prepare(name, f"UPDATE {table} SET stage_id = $2, {MOVE_BY_NUMBER} WHERE id = $1")

        def moved(variant, deals):
            name, places = ("move bare", bare) if variant == "bare" else ("move", where)
            for deal in deals:
                places[deal] = 3 - places[deal]
                session.execute(name, deal, stage(places[deal]))

        # The floor is the table without its triggers, bare also without its CHECKs.
        variants = ["bare", "floor", "audit", "no totals", "crm", "PL/pgSQL audit", "PL/pgSQL"]
        if not self.has_totals:
            variants.remove("no totals")
        result = {v: [] for v in variants}
        for number in range(turns * (self.rounds + 1)):
            start = number * turn % len(ids)
            for variant in variants[number % len(variants):] + variants[:number % len(variants)]:
                self.enable(variant)
                moved(variant, ids[start:start + 3])    # plans and caches anew
                times = session.timed(lambda: moved(variant, ids[start:start + turn]))
                if number >= turns:
                    result[variant].append(times)
            # The other variants share deals: as many dead rows in the bare table as there.
            for _ in variants[2:]:
                moved("bare", ids[start:start + turn])
            if number % turns == 0:
                self.clean()
        what = f"one-row move, synchronous_commit {'on' if sync else 'off'}"
        self.report(what, result, "floor", turn, "µs")
        self.overheads(what, result, "crm", "PL/pgSQL")
        self.overheads(f"{what}, audit alone", result, "audit", "PL/pgSQL audit")
        against = statistics.median(c[1] / b[1] for b, c in zip(result["bare"], result["crm"]))
        self.ratio(f"{what}: crm ÷ bare table (CPU)", f"{against:.2f}")
        if self.has_totals:
            share = statistics.median(c[1] / n[1] for n, c in zip(result["no totals"], result["crm"]))
            self.ratio(f"{what}: with the rollup ÷ without (CPU)", f"{share:.2f}")

    def clients(self):
        script = tempfile.NamedTemporaryFile("w", suffix=".sql")
        script.write(r"\set n :client_id * 400 + random(1, 400)" "\n"
                     f"UPDATE deals SET stage_id = CASE stage_id WHEN '{stage(1)}' THEN '{stage(2)}' ELSE '{stage(1)}' END::uuid,"
                     f" {MOVE_BY_NUMBER} WHERE id = (SELECT id FROM bench_hot WHERE n = :n);\n")
        script.flush()

        def measure(variant):
            self.enable(variant)
            out = subprocess.run([self.options.pgbench, "-n", "-M", "prepared", "-c", "8", "-j", "2", "-T",
                                  str(self.options.seconds), "-f", script.name], check=True, capture_output=True, text=True,
                                 env=dict(os.environ, PGOPTIONS="-c synchronous_commit=off")).stdout
            self.clean()
            tps = float(re.search(r"tps = ([0-9.]+)", out).group(1))
            return 1 / tps, 0       # of eight backends: not measured

        variants = ["floor", "no totals", "crm", "counter row"]
        result = self.compare(variants, measure)
        self.report("8 clients, two hot stages, synchronous_commit off, per move (wall only)", result, "floor", 1, "µs")
        share = statistics.median(n[0] / c[0] for n, c in zip(result["no totals"], result["crm"]))
        if self.has_totals:
            self.ratio("8 clients: throughput with the rollup ÷ without", f"{share:.2f}")

    def copy(self):
        count = min(self.size, 1000000)
        columns = ("tenant_id, pipeline_id, stage_id, amount, currency, probability, value_period, status, title, "
                   "owner_id, expected_close_date")
        path = self.db.sql("SELECT current_setting('data_directory')") + "/bench.copy"
        self.db.sql(f"COPY (SELECT {columns} FROM deals WHERE status = 'open' AND "
                    f"currency IS NOT NULL LIMIT {count}) TO '{path}'")
        # The floor has no trigger that fills these in.
        defaults = "stage_entered_at SET DEFAULT now(), ALTER created_at SET DEFAULT now()"
        loaded = int(self.db.sql(f"WITH n AS (SELECT count(*) FROM deals WHERE status = 'open') SELECT least(count, {count}) FROM n"))

        def measure(variant):
            self.enable(variant)
            self.db.sql("BEGIN")
            if variant != "crm":
                self.db.sql(f"ALTER TABLE deals ALTER {defaults}")
            times = self.db.timed(lambda: self.db.sql(f"COPY deals ({columns}) FROM '{path}'"))
            self.db.sql("ROLLBACK")
            self.clean()
            return times

        rounds, self.rounds = self.rounds, min(self.rounds, 3)
        result = self.compare(["floor", "crm", "PL/pgSQL"], measure)
        self.rounds = rounds
        self.report(f"COPY of {loaded:,} deals, per deal", result, "floor", loaded, "µs")
        self.overheads("COPY", result, "crm", "PL/pgSQL")

    # ---- the reads

    WHERE = f"FROM deals WHERE pipeline_id = '{PIPELINE}' AND archived_at IS NULL"
    READS = {
        "count(*)": f"SELECT count(*) {WHERE}",
        "sum(amount)": f"SELECT sum(amount) {WHERE}",
        "crm_pipeline_summary": f"SELECT crm_pipeline_summary(stage_id, amount, currency, probability, value_period) {WHERE}",
        "GROUP BY": f"""SELECT jsonb_agg(jsonb_build_object('stage_id', stage_id, 'currency', currency, 'value_period', value_period,
                'deals', deals, 'deals_without_amount', without, 'deals_without_probability', unweighted, 'value', value, 'weighted_value', weighted))
            FROM (SELECT stage_id, currency, value_period, count(*) AS deals, count(*) - count(amount) AS without,
                    count(*) - count(probability) AS unweighted,
                    sum(amount) AS value, sum(amount * probability) AS weighted {WHERE}
                GROUP BY stage_id, currency, value_period) AS g""",
    }

    def reads(self, what, names, keep=False):
        def measure(name):
            repeat = max(1, 200000 // self.size)
            wall, cpu = self.db.timed(lambda: [self.db.sql(self.READS[name]) for _ in range(repeat)])
            return wall / repeat, cpu / repeat

        result = self.compare(names, measure)
        self.report(what, result, "count(*)", 1, "µs")
        ratio = statistics.median(c[0] / g[0] for c, g in zip(result["crm_pipeline_summary"], result["GROUP BY"]))
        self.ratio(f"{what}: crm_pipeline_summary ÷ GROUP BY (wall)", f"{ratio:.2f}")
        if keep:
            for name in names:
                self.curves["summary"].setdefault(name, []).append(
                    (self.size, statistics.median(w for w, _ in result[name]) * 1e3))
        return result

    def summaries(self):
        self.clean("ANALYZE")
        serial = self.reads("summary, serial", list(self.READS), keep=True)
        if self.size >= 1000000:
            self.db.sql("SET max_parallel_workers_per_gather = 2")
            parallel = self.reads("summary, max_parallel_workers_per_gather = 2", list(self.READS))
            for name in ("count(*)", "crm_pipeline_summary"):
                speedup = statistics.median(s[0] / p[0] for s, p in zip(serial[name], parallel[name]))
                self.ratio(f"parallel speed-up of {name}", f"{speedup:.2f}")
            self.db.sql("RESET max_parallel_workers_per_gather")
        if self.size == self.options.scale:
            self.db.sql("CREATE INDEX bench_covering ON deals (pipeline_id) INCLUDE (stage_id, amount, currency, "
                        "probability, value_period) WHERE archived_at IS NULL")
            self.clean("ANALYZE")
            index_only = self.reads("summary, covering index", list(self.READS))
            ratio = statistics.median(i[0] / s[0] for i, s in zip(index_only["crm_pipeline_summary"], serial["GROUP BY"]))
            self.ratio("crm_pipeline_summary with covering index ÷ GROUP BY without (wall)", f"{ratio:.2f}")
            self.db.sql("DROP INDEX bench_covering")
        self.group_by = statistics.median(w for w, _ in serial["GROUP BY"])

    def calls(self):
        """What a call costs beside what it reads: a statement each, as clients send them; the first one of a session apart."""
        self.only("zz_.*")
        deal = self.db.sql("SELECT id FROM bench_hot WHERE n = 1")
        other = f"(SELECT CASE stage_id WHEN '{stage(1)}' THEN '{stage(2)}' ELSE '{stage(1)}' END::uuid FROM deals WHERE id = '{deal}')"
        calls = {"SELECT 1": "SELECT 1",
                 "pipeline_summary": f"SELECT pipeline_summary('{PIPELINE}')",
                 "context_for_deal": f"SELECT context_for_deal('{deal}')",
                 "move_deal": f"SELECT move_deal('{deal}', {other})"}
        if self.has_totals:
            self.db.sql("SELECT crm_rebuild_totals('crm')")
        first = {name: [] for name in calls}

        def measure(name):
            session = Connection()
            first[name].append(session.timed(lambda: session.sql(calls[name])))
            for _ in range(10):         # PostgreSQL plans the first ones anew
                session.sql(calls[name])
            wall, cpu = session.timed(lambda: [session.sql(calls[name]) for _ in range(50)])
            session.close()
            return wall / 50, cpu / 50

        result = self.compare(list(calls), measure)
        self.report("call, a statement each", result, "SELECT 1", 1, "µs")
        self.report("first call of a session", {name: times[1:] for name, times in first.items()}, "SELECT 1", 1, "µs")

    # ---- all of it

    def run(self):
        size = 10000
        history = Analytics(self)
        reports = Reports(self, history)
        largest = ["many", "nothing", "one_row", "sync", "clients", "hour", "snapshot", "copy", "calls", "time_in_stage", "funnel", "as_of", "trend", "waterfall",
                   "small_pipeline", "jit"]
        work = {"summary": self.summaries, "rollup": lambda: rollup.read(self), "bulk": lambda: self.bulk("few"),
                "many": lambda: self.bulk("many"), "nothing": self.nothing_moves,
                "one_row": lambda: self.one_row(sync=False), "sync": lambda: self.one_row(sync=True),
                "clients": self.clients, "hour": lambda: rollup.hour(self), "snapshot": lambda: rollup.snapshot(self),
                "copy": self.copy, "calls": self.calls, "time_in_stage": history.time_in_stage, "funnel": history.funnel, "as_of": history.as_of,
                "trend": history.trend, "waterfall": history.waterfall,
                "small_pipeline": reports.small_pipeline, "jit": reports.jit}
        only = self.options.only.split(",") if self.options.only else list(work)
        if set(only) - set(work):
            sys.exit(f"--only: of {', '.join(work)}")
        if not set(only) - set(largest):
            size = self.options.scale
        while size <= self.options.scale:
            self.load(size)
            for name in only:
                if name == "many" and not self.many or name in largest and size < self.options.scale:
                    continue
                say(f"{name} ...")
                try:
                    work[name]()
                except RuntimeError as error:   # what was measured stays, what comes is tried
                    say(f"{name} failed: {error}")
                    self.failed.append(name)
                self.draw()
            size *= 10

    def write(self):
        totals = "with" if self.has_totals else "without"
        print(f"PostgreSQL {self.version}, {os.cpu_count()} cores, {self.rounds} rounds, {totals} stage_totals; load {os.getloadavg()[0]:.0f}\n")
        print("Settings that are not the server's defaults: " + self.db.sql("""SELECT string_agg(name || ' = ' || current_setting(name), ', ' ORDER BY name)
            FROM pg_settings WHERE source = 'configuration file' AND name IN ('autovacuum', 'checkpoint_timeout', 'jit', 'maintenance_work_mem',
                'max_parallel_workers_per_gather', 'max_wal_size', 'random_page_cost', 'shared_buffers', 'work_mem')""") + "\n")
        print("| deals | what | variant | wall, µs | CPU, µs | × wall | × CPU |")
        print("|--:|---|---|--:|--:|--:|--:|")
        for row in self.rows:
            print("| " + " | ".join(row[:7]) + " |")

    def draw(self):
        charts = {"move": ("Moving a deal, in bulk", "CPU, µs per deal"),
                  "summary": ("Summary of a pipeline from its deals", "ms"),
                  "rollup": ("Summary by rollup", "ms"),
                  "snapshot": ("Reading the rollup while an old snapshot is held", "ms")}
        for name, (title, label) in charts.items():
            if not self.curves[name]:
                continue
            with open(f"{self.options.results}/{name}.svg", "w", encoding="utf-8") as file:
                file.write(svg.chart(title, label, self.curves[name],
                                     "moves since the snapshot" if name == "snapshot" else "deals in the table"))


def number(text):
    factor = {"k": 1000, "M": 1000000}.get(text[-1], 1)
    return int(text.rstrip("kM")) * factor


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", type=number, default=100000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--pgbench", default="pgbench")
    parser.add_argument("--results", default=".")
    bench = Bench(parser.parse_args())
    try:
        bench.run()
    finally:
        bench.write()
    if bench.failed:
        sys.exit(f"failed: {', '.join(bench.failed)}")


if __name__ == "__main__":
    main()
