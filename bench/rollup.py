"""The rollup: the cost of reading it, and how many rows are pending under load."""
import math
import os
import statistics
import subprocess
import tempfile
import time

from pq import Connection

PENDING = 1000
HOUR = 36000                    # moves: ten a second for an hour
HELD = (0, 1000, 3000, 10000, 30000)    # moves made while a snapshot is held


def other_stage(bench):
    one, two = bench.stage(1), bench.stage(3)
    return f"CASE stage_id WHEN '{one}' THEN '{two}' ELSE '{one}' END::uuid"


def pending_rows(bench):
    return int(bench.db.sql("SELECT count(*) FROM stage_totals"))


def leave_pending(bench):
    """Makes one-row moves until PENDING rows wait to be summed up."""
    bench.db.sql("SELECT crm_compact_totals('crm')")
    session = Connection()
    # Writers at this isolation level do not sum up.
    session.sql("SET default_transaction_isolation = 'repeatable read'; SET synchronous_commit = off")
    session.prepare("move", f"UPDATE deals SET stage_id = {other_stage(bench)} WHERE id = (SELECT id FROM bench_hot WHERE n = $1)")
    number = 0
    while pending_rows(bench) < PENDING:
        for _ in range(20):
            number += 1
            session.execute("move", str(number % 8000 + 1))


def read(bench):
    """pipeline_summary() with PENDING differences to add up."""
    what = "pipeline_summary()"
    if bench.has_totals:
        bench.enable("crm")
        leave_pending(bench)
        what += f", {pending_rows(bench):,} rows pending"
    session = Connection()
    query = f"SELECT pipeline_summary('{bench.PIPELINE}')"
    session.sql(query)
    times = [session.timed(lambda: session.sql(query)) for _ in range(10 * bench.rounds)]
    bench.report(what, {"crm": times}, "crm", 1, "µs")
    median = statistics.median(w for w, _ in times)
    curves = bench.curves["rollup"]
    curves.setdefault("pipeline_summary()", []).append((bench.size, median * 1e3))
    if bench.group_by:
        bench.ratio("GROUP BY ÷ pipeline_summary() (wall)", f"{bench.group_by / median:.1f}")
        curves.setdefault("GROUP BY", []).append((bench.size, bench.group_by * 1e3))
    points = curves["pipeline_summary()"]
    if len(points) > 1:
        bench.ratio("slope of log time over log deals, by rollup", f"{slope(points):.3f}")


def slope(points):
    """The slope of the least-squares line through the logarithms."""
    xs, ys = ([math.log(p[i]) for p in points] for i in (0, 1))
    mean_x, mean_y = statistics.mean(xs), statistics.mean(ys)
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys)) / sum((x - mean_x) ** 2 for x in xs)


def hour(bench):
    """The moves of an hour, as fast as four clients make them; how many rows are pending meanwhile."""
    if not bench.has_totals:
        return
    bench.enable("crm")
    # Other parts moved deals while the triggers were disabled.
    bench.db.sql("SELECT crm_rebuild_totals('crm')")
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write("\\set n :client_id * 2000 + random(1, 2000)\n"
                     f"UPDATE deals SET stage_id = {other_stage(bench)} WHERE id = (SELECT id FROM bench_hot WHERE n = :n);\n")
        script.flush()
        load = subprocess.Popen([bench.options.pgbench, "-n", "-M", "prepared", "-c", "4", "-j", "2", "-t", str(HOUR // 4),
                                 "-f", script.name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                env=dict(os.environ, PGOPTIONS="-c synchronous_commit=off"))
        pending = []
        while load.poll() is None:
            pending.append(pending_rows(bench))
            time.sleep(0.05)
    if load.returncode != 0:
        raise RuntimeError("pgbench failed")
    bench.ratio(f"{HOUR:,} moves by 4 clients, synchronous_commit off: rows pending, most", f"{max(pending):,}")
    bench.ratio(f"{HOUR:,} moves by 4 clients, synchronous_commit off: rows pending, median", f"{statistics.median(pending):,.0f}")
    bench.ratio(f"{HOUR:,} moves by 4 clients, synchronous_commit off: rows pending, at the end", f"{pending_rows(bench):,}")
    differing = bench.db.sql("SELECT count(*) FROM crm_check_totals('crm')")
    bench.ratio(f"{HOUR:,} moves by 4 clients, synchronous_commit off: totals that differ from the deals", differing)
    bench.clean()


def snapshot(bench):
    """Reads while an old snapshot prevents VACUUM from removing rows that were summed up."""
    if not bench.has_totals:
        return
    bench.enable("crm")
    bench.db.sql("SELECT crm_compact_totals('crm')")
    bench.clean()
    holder, mover, reader = Connection(), Connection(), Connection()
    holder.sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM stage_totals")
    mover.sql("SET synchronous_commit = off")
    mover.prepare("move", f"UPDATE deals SET stage_id = {other_stage(bench)} WHERE id = (SELECT id FROM bench_hot WHERE n = $1)")
    query = f"SELECT crm_pipeline_totals('crm', '{bench.PIPELINE}')"
    moved = 0
    for moves in HELD:
        while moved < moves:
            moved += 1
            mover.execute("move", str(moved % 8000 + 1))
        bench.db.sql("VACUUM stage_totals")     # as autovacuum would, in vain
        for who, session in (("others", reader), ("the holder", holder)):
            session.sql(query)
            times = [session.timed(lambda s=session: s.sql(query))[0] for _ in range(5 * bench.rounds)]
            median = statistics.median(times)
            bench.ratio(f"rollup read by {who}, {moves:,} moves after a snapshot that is still held, µs", f"{median * 1e6:,.0f}")
            bench.curves["snapshot"].setdefault(f"read by {who}", []).append((max(moves, 100), median * 1e3))
    holder.sql("COMMIT")
    bench.clean()
