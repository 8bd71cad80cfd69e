"""Every report: what a call costs of a small pipeline beside a large one, and with jit.

The reports and what else clients call most.  {p} is the pipeline, {d} a deal of it,
{t} the stage that the deal goes to.
"""
import hashlib

from pq import Connection

REPORTS = {
    "pipeline_summary": "SELECT pipeline_summary({p}) - 'as_of'",
    "pipeline_summary by owner": "SELECT pipeline_summary({p}, owner_id => '00000000-0000-0000-0001-000000000001') - 'as_of'",
    "pipeline_summary_as_of": "SELECT pipeline_summary_as_of({p}, '2024-06-01') - 'as_of'",
    "pipeline_trend, 12 months": "SELECT t FROM pipeline_trend({p}, '2024-01-01', '2025-01-01', 'month') AS t",
    "pipeline_trend by owner": "SELECT t FROM pipeline_trend({p}, '2024-01-01', '2025-01-01', 'month', group_by => 'owner') AS t",
    "pipeline_trend by created_month": "SELECT t FROM pipeline_trend({p}, '2024-01-01', '2025-01-01', 'month', group_by => 'created_month') AS t",
    "pipeline_waterfall": "SELECT t FROM pipeline_waterfall({p}, '2024-06-01') AS t",
    "forecast": "SELECT t FROM forecast({p}, today => '2026-06-01') AS t",
    "win_rate": "SELECT t FROM win_rate({p}) AS t",
    "sales_cycle": "SELECT t FROM sales_cycle({p}) AS t",
    "sales_velocity": "SELECT t FROM sales_velocity({p}) AS t",
    "recurring_revenue": "SELECT t FROM recurring_revenue({p}) AS t",
    "time_in_stage": "SELECT t FROM time_in_stage({p}) AS t",
    "funnel": "SELECT t FROM funnel({p}) AS t",
    "stage_conversion": "SELECT t FROM stage_conversion({p}) AS t",
    "stage_flow": "SELECT t FROM stage_flow({p}) AS t",
    "stage_probabilities": "SELECT t FROM stage_probabilities({p}) AS t",
    "lost_reasons": "SELECT t FROM lost_reasons({p}, by_stage => true) AS t",
    "slippage": "SELECT t FROM slippage({p}) AS t",
    "rotting_deals": "SELECT t.deal_id FROM rotting_deals({p}) AS t",
    "changes_since": "SELECT t.summary FROM changes_since('2024-01-01', {p}) AS t",
    "context_for_deal": "SELECT context_for_deal({d}) IS NULL",
    "deal_history": "SELECT t FROM deal_history({d}) AS t",
}
# The server's own thresholds, and none: then what the client's statement adds is compiled as well.
JIT = {
    "jit = on": "SET jit = on",
    "jit = on, jit_above_cost = 0": "SET jit = on; SET jit_above_cost = 0; SET jit_inline_above_cost = 0; SET jit_optimize_above_cost = 0",
    "jit = off": "SET jit = off",
}
MOVE = "SELECT (move_deal({d}, {t})).status"
LARGE = "'00000000-0000-0000-0000-0000000000aa'"
SMALL = "'00000000-0000-0000-0000-0000000000ab'"

ADD_SMALL = f"""INSERT INTO pipelines (id, name) VALUES ({SMALL}, 'Small');
    INSERT INTO stages (pipeline_id, name, deal_status, position)
        SELECT {SMALL}, s.name, s.deal_status, s.n FROM (VALUES (1, 'One', 'open'), (2, 'Two', 'open'), (3, 'Won', 'won'), (4, 'Lost', 'lost')) AS s (n, name, deal_status);
    INSERT INTO deals (pipeline_id, title, amount, expected_close_date) SELECT {SMALL}, 'Small ' || n, n, '2025-01-01' FROM generate_series(1, {{size}}) AS n;
    UPDATE deals SET stage_id = (SELECT id FROM stages WHERE pipeline_id = {SMALL} AND position = 1 + length(deals.title) % 2), expected_close_date = '2025-03-01'
        WHERE pipeline_id = {SMALL};
    UPDATE deals SET stage_id = (SELECT id FROM stages WHERE pipeline_id = {SMALL} AND position = 3 + amount::integer % 2)
        WHERE pipeline_id = {SMALL} AND amount <= {{size}} / 2;
    ANALYZE deals; ANALYZE stage_changes; ANALYZE deal_changes"""


class Reports:
    """Parts of the benchmark; analytics is the one that loads the history."""

    def __init__(self, bench, analytics):
        self.bench = bench
        self.analytics = analytics

    def queries(self, db, pipeline):
        deal = "'" + db.sql(f"SELECT id FROM deals WHERE pipeline_id = {pipeline} AND status = 'open' ORDER BY id LIMIT 1") + "'"
        other = (f"(SELECT s.id FROM stages AS s WHERE s.pipeline_id = {pipeline} AND s.deal_status = 'open' "
                 f"AND s.id <> (SELECT d.stage_id FROM deals AS d WHERE d.id = {deal}) ORDER BY s.position LIMIT 1)")
        return {name: text.format(p=pipeline, d=deal, t=other) for name, text in {**REPORTS, "move_deal": MOVE}.items()}

    def session(self):
        session = Connection()
        session.sql("SET search_path = crm_history, extensions, public")
        return session

    def small_pipeline(self):
        """A pipeline of 10 deals beside the large one: the first call of a session, and those after it."""
        self.analytics.load()
        self.bench.db.sql(ADD_SMALL.format(size=10))
        queries = {"SELECT 1": "SELECT 1", **self.queries(self.bench.db, SMALL)}
        first = {name: [] for name in queries}

        def measure(name):
            session = self.session()
            session.prepare("call", queries[name])
            first[name].append(session.timed(lambda: session.execute("call")))
            for _ in range(10):         # PostgreSQL plans the first ones anew
                session.execute("call")
            wall, cpu = session.timed(lambda: [session.execute("call") for _ in range(50)])
            session.close()
            return wall / 50, cpu / 50

        result = self.bench.compare(list(queries), measure)
        self.bench.report("a call, of a pipeline of 10 deals beside the large one", result, "SELECT 1", 1, "µs")
        self.bench.report("the first call of a session", {name: times[-len(result[name]):] for name, times in first.items()}, "SELECT 1", 1, "µs")
        self.finish()

    def jit(self):
        """Every report of the large pipeline with jit and without: the same answers; CPU time with it ÷ without."""
        self.analytics.load()
        sessions = {setting: self.session() for setting in JIT}
        for setting, session in sessions.items():
            session.sql(JIT[setting])
        for name, query in self.queries(self.bench.db, LARGE).items():
            if name == "move_deal":
                continue
            answer = f"SELECT string_agg(t.a::text, ' ') FROM ({query}) AS t (a)"
            told = {hashlib.md5((session.sql(answer) or "").encode()).hexdigest() for session in sessions.values()}
            if len(told) > 1:
                raise RuntimeError(f"{name}: jit changes the answer")
            result = self.bench.compare(list(sessions), lambda setting: sessions[setting].timed(lambda: sessions[setting].sql(query)))
            self.bench.report(f"jit, {name}", result, "jit = off", 1, "µs")
        for session in sessions.values():
            session.close()
        self.finish()

    def finish(self):
        self.analytics.loaded = 0
        self.bench.db.sql("SET search_path = crm, extensions, public")
