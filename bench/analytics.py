"""Reports on the history, compared with the best SQL with window functions.

Both answer the same question, and their results are compared: archived and
deleted deals and moves that were taken back do not count.  The window
functions have an index from which they read their rows in order, by an
index-only scan.
"""
import os

HERE = os.path.dirname(os.path.abspath(__file__))
PIPELINE = "'00000000-0000-0000-0000-0000000000aa'"

LARGEST = 2500000               # deals, with four moves each

# Moves that count.  NOT IN keeps the order of the index, a join would not.
KEPT = """FROM stage_changes WHERE reverts_no IS NULL
    AND (deal_id, move_no) NOT IN (SELECT deal_id, reverts_no FROM stage_changes WHERE reverts_no IS NOT NULL)"""

# The deals have the present visits; to_stage_id has the visit after a move.
QUERIES = {
    "time_in_stage": {
        "crm": f"""SELECT string_agg(concat(stage_id, ' ', visits, ' ', round(average_days, 4), ' ', round(max_days, 4)), ';' ORDER BY stage_id)
            FROM time_in_stage({PIPELINE}, percentiles => false) WHERE visits > 0""",
        "window functions": f"""SELECT string_agg(concat(stage_id, ' ', visits, ' ', round(extract(epoch FROM average) / 86400, 4), ' ',
                round(extract(epoch FROM longest) / 86400, 4)), ';' ORDER BY stage_id)
            FROM (SELECT stage_id, count(*) AS visits, avg(duration) AS average, max(duration) AS longest
                FROM (SELECT v.stage_id, v.changed_at - coalesce(v.since, d.created_at) AS duration
                    FROM (SELECT deal_id, from_stage_id AS stage_id, changed_at, lag(changed_at) OVER (PARTITION BY deal_id ORDER BY move_no) AS since
                        {KEPT}) AS v
                        JOIN deals AS d ON d.id = v.deal_id
                    WHERE d.archived_at IS NULL) AS v
                GROUP BY stage_id) AS s""",
        "with percentiles": f"SELECT count(*) FROM time_in_stage({PIPELINE})",
    },
    "funnel": {
        "crm": f"""SELECT string_agg(concat(stage_id, ' ', deals, ' ', coalesce(converted, 0), ' ', won), ';' ORDER BY stage_id)
            FROM funnel({PIPELINE}) WHERE deals > 0""",
        "window functions": f"""WITH ranks AS MATERIALIZED (
                SELECT id, CASE deal_status WHEN 'open' THEN position WHEN 'won' THEN 1000 END AS rank,
                    CASE deal_status WHEN 'open' THEN coalesce((SELECT min(position) FROM stages AS n
                        WHERE n.deal_status = 'open' AND n.position > s.position), 1000) END AS next
                FROM stages AS s
            ), visits AS (
                SELECT v.deal_id, v.from_stage_id AS stage_id, max(r.rank) OVER (PARTITION BY v.deal_id ORDER BY v.move_no DESC) AS furthest
                FROM (SELECT deal_id, move_no, from_stage_id, to_stage_id {KEPT}) AS v
                    JOIN ranks AS r ON r.id = v.to_stage_id
                UNION ALL
                SELECT id, stage_id, NULL FROM deals
            )
            SELECT string_agg(concat(stage_id, ' ', deals, ' ', converted, ' ', won), ';' ORDER BY stage_id)
            FROM (SELECT v.stage_id, count(*) AS deals, count(*) FILTER (WHERE v.furthest >= r.next) AS converted,
                    count(*) FILTER (WHERE d.status = 'won') AS won
                FROM (SELECT deal_id, stage_id, max(furthest) AS furthest FROM visits GROUP BY deal_id, stage_id) AS v
                    JOIN ranks AS r ON r.id = v.stage_id
                    JOIN deals AS d ON d.id = v.deal_id
                WHERE d.archived_at IS NULL
                GROUP BY v.stage_id) AS s""",
        "stage_conversion": f"SELECT count(*) FROM stage_conversion({PIPELINE})",
    },
}

# A yardstick for the percentiles: approximate ones, of all moves, of Debian's
# postgresql-15-tdigest.
TDIGEST = """SELECT count(*) FROM (SELECT from_stage_id,
        tdigest_percentile(extract(epoch FROM changed_at - entered_at)::double precision, 100, ARRAY[0.5, 0.9])
    FROM stage_changes GROUP BY from_stage_id) AS t"""

INDEXES = {
    "time_in_stage": "CREATE INDEX best ON stage_changes (deal_id, move_no) INCLUDE (from_stage_id, changed_at, reverts_no)",
    "funnel": "CREATE INDEX best ON stage_changes (deal_id, move_no DESC) INCLUDE (from_stage_id, to_stage_id, reverts_no)",
}


class Analytics:
    """Parts of the benchmark: a method for each, with the size as argument."""

    def __init__(self, bench):
        self.bench = bench
        self.db = bench.db
        self.loaded = 0

    def load(self):
        size = min(self.bench.size, LARGEST)
        if self.loaded != size:
            self.db.sql("SET client_min_messages = warning; DROP SCHEMA IF EXISTS crm_history CASCADE; SET work_mem = '256MB'")
            with open(f"{HERE}/history.sql", encoding="ascii") as file:
                self.db.sql(file.read().replace("{size}", str(size)))
            self.db.sql("RESET work_mem")
            self.db.sql("RESET search_path")
            for table in ("deals", "stage_changes", "deal_changes"):
                self.db.sql(f"VACUUM ANALYZE crm_history.{table}")
            self.loaded = size
        self.db.sql("SET search_path = crm_history, extensions, public")

    def compare(self, part):
        bench = self.bench
        self.load()
        self.db.sql(f"DROP INDEX IF EXISTS best; {INDEXES[part]}")
        self.db.sql("VACUUM ANALYZE stage_changes")
        queries = {"count(*)": "SELECT count(*) FROM stage_changes", **QUERIES[part]}
        if part == "time_in_stage" and self.db.sql("SELECT count(*) FROM pg_available_extensions WHERE name = 'tdigest'") == "1":
            self.db.sql("CREATE EXTENSION IF NOT EXISTS tdigest SCHEMA public")
            queries["tdigest"] = TDIGEST
        answers = [self.db.sql(queries[name]) for name in ("crm", "window functions")]
        if answers[0] != answers[1]:
            raise RuntimeError(f"{part}: answers differ: {answers}")
        changes = self.db.sql("SELECT count(*) FROM stage_changes")
        result = bench.compare(list(queries), lambda name: self.db.timed(lambda: self.db.sql(queries[name])))
        what = f"{part}, {int(changes):,} changes"
        bench.report(what, result, "count(*)", 1, "µs")
        shares = [c[1] / w[1] for c, w in zip(result["crm"], result["window functions"])]
        bench.ratio(f"{what}: crm ÷ window functions (CPU)", f"{sorted(shares)[len(shares) // 2]:.2f}")
        self.db.sql("DROP INDEX best; SET search_path = crm, extensions, public")

    def time_in_stage(self):
        self.compare("time_in_stage")

    def funnel(self):
        self.compare("funnel")

    def as_of(self):
        """The summary after half of the moves, and now, compared with the aggregate over the deals."""
        middle, last = self.moments()
        self.beside("as of", "live aggregate", {
            "live aggregate": "SELECT crm_pipeline_summary(stage_id, amount, currency, probability, value_period) "
                              f"FROM deals WHERE pipeline_id = {PIPELINE} AND archived_at IS NULL",
            "as of the middle": f"SELECT pipeline_summary_as_of({PIPELINE}, '{middle}')",
            "as of the end": f"SELECT pipeline_summary_as_of({PIPELINE}, '{last}')",
        })

    def trend(self):
        """365 days from the middle of the moves on, by day, compared with the first of them."""
        middle, _ = self.moments()
        self.beside("trend of 365 days", "as of its beginning", {
            "as of its beginning": f"SELECT pipeline_summary_as_of({PIPELINE}, '{middle}')",
            "trend": f"SELECT count(*) FROM pipeline_trend({PIPELINE}, '{middle}', '{middle}'::timestamptz + interval '364 days')",
            "by stage": f"SELECT count(*) FROM pipeline_trend({PIPELINE}, '{middle}', '{middle}'::timestamptz + interval '364 days', by_stage => true)",
            "by owner": f"SELECT count(*) FROM pipeline_trend({PIPELINE}, '{middle}', '{middle}'::timestamptz + interval '364 days', group_by => 'owner')",
        })
        self.beside("stage flow", "time in stage", {
            "time in stage": f"SELECT count(*) FROM time_in_stage({PIPELINE})",
            "stage flow": f"SELECT count(*) FROM stage_flow({PIPELINE})",
        })

    def waterfall(self):
        """Of a month beside the summary as of its beginning, of the whole history beside a scan of it."""
        middle, _ = self.moments()
        self.beside("waterfall of a month", "as of its beginning", {
            "as of its beginning": f"SELECT pipeline_summary_as_of({PIPELINE}, '{middle}')",
            "waterfall": f"SELECT count(*) FROM pipeline_waterfall({PIPELINE}, '{middle}', '{middle}'::timestamptz + interval '1 month')",
        })
        self.beside("waterfall of all", "scan of both histories", {
            "scan of both histories": "SELECT (SELECT sum(move_no) FROM stage_changes) + (SELECT sum(version) FROM deal_changes)",
            "waterfall": f"SELECT count(*) FROM pipeline_waterfall({PIPELINE}, '-infinity')",
        })

    def moments(self):
        """When half of the moves were made, and when all were."""
        self.load()
        middle = self.db.sql("SELECT changed_at FROM stage_changes ORDER BY changed_at OFFSET (SELECT count(*) / 2 FROM stage_changes) LIMIT 1")
        return middle, self.db.sql("SELECT max(changed_at) FROM stage_changes")

    def beside(self, what, base, queries):
        self.load()
        bench = self.bench
        changes = int(self.db.sql("SELECT count(*) FROM stage_changes"))
        result = bench.compare(list(queries), lambda name: self.db.timed(lambda: self.db.sql(queries[name])))
        bench.report(f"{what}, {changes:,} changes", result, base, 1, "µs")
        self.db.sql("SET search_path = crm, extensions, public")
