// node-postgres (pg): plain SQL.
import pg from 'pg';
import { check, refused } from './check.mjs';

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
const rows = async (sql, values) => (await pool.query(sql, values)).rows;
const row = async (sql, values) => (await rows(sql, values))[0];

// A row as an UPDATE of all its columns, as a form sends it back.
async function save(deal) {
  const columns = Object.keys(deal).filter((name) => name !== 'id');
  const set = columns.map((name, i) => `"${name}" = $${i + 2}`).join(', ');
  return row(`UPDATE deals SET ${set} WHERE id = $1 RETURNING *`, [deal.id, ...columns.map((name) => deal[name])]);
}

const columns = await rows(`SELECT column_name, column_default FROM information_schema.columns
  WHERE table_schema = 'crm' AND table_name = 'deals'`);
check('introspects', columns.find((c) => c.column_name === 'stage_id').column_default.startsWith('crm_defaults.'));

const pipeline = await row('SELECT * FROM create_pipeline($1, $2)', ['pg', JSON.stringify([
  { name: 'Lead', probability: 0.1 }, { name: 'Proposal', probability: 0.6 }, { name: 'Won', deal_status: 'won' }])]);
const [lead, proposal] = await rows('SELECT * FROM stages WHERE pipeline_id = $1 ORDER BY position', [pipeline.id]);
const owner = await row('SELECT * FROM owners');

let deal = await row('INSERT INTO deals (title, amount, pipeline_id, owner_id) VALUES ($1, $2, $3, $4) RETURNING *',
  ['Presses', '48000.50', pipeline.id, owner.id]);
check('creates, and reads what was filled in', deal.stage_id === lead.id && deal.status === 'open'
  && deal.currency === 'USD' && deal.probability === '0.1000' && deal.version === 1);

deal = await save(await save(deal));
check('saves the whole row twice', deal.version === 3 && deal.move_no === 0);
deal = await save({ id: deal.id, title: 'Presses', stage_id: null, status: null, probability: null, currency: null, version: null });
check('null is not given', deal.probability === '0.1000' && deal.currency === 'USD' && deal.version === 4);

deal = await row('SELECT * FROM move_deal($1, $2, expected_stage_id => $3)', [deal.id, proposal.id, lead.id]);
check('moves', deal.stage_id === proposal.id && deal.probability === '0.6000' && deal.move_no === 1);
await refused('refuses a stale move',
  pool.query('SELECT move_deal($1, $2, expected_stage_id => $2)', [deal.id, lead.id]), 'PT409', /./);
const stale = await pool.query('UPDATE deals SET amount = 1 WHERE id = $1 AND version = $2', [deal.id, deal.version - 1]);
check('a stale version updates no row', stale.rowCount === 0);
await refused('refuses a status without a stage', pool.query(`UPDATE deals SET status = 'lost' WHERE id = $1`, [deal.id]), '23514', /./);

await pool.query('INSERT INTO deals (title, pipeline_id) SELECT t, $1 FROM unnest($2::text[]) AS t', [pipeline.id, ['One', 'Two', 'Three']]);
const upsert = `INSERT INTO deals (external_id, title, amount, pipeline_id) VALUES ('pg-1', 'Synced', $1, $2)
  ON CONFLICT (tenant_id, external_id) DO UPDATE SET title = excluded.title, amount = excluded.amount RETURNING *`;
await pool.query(upsert, [10, pipeline.id]);
check('creates in bulk, and upserts', (await row(upsert, [20, pipeline.id])).amount === '20.0000');

const full = await row(`SELECT d.title, s.name AS stage, p.name AS pipeline, o.name AS owner FROM deals d
  JOIN stages s ON s.id = d.stage_id JOIN pipelines p ON p.id = d.pipeline_id LEFT JOIN owners o ON o.id = d.owner_id
  WHERE d.id = $1`, [deal.id]);
check('joins', full.stage === 'Proposal' && full.pipeline === 'pg' && full.owner === 'Ada');
const history = await rows('SELECT * FROM stage_changes WHERE deal_id = $1', [deal.id]);
const { summary } = await row('SELECT pipeline_summary($1) AS summary', [pipeline.id]);
check('history and summary', history[0].to_stage_id === proposal.id && summary.open.total_deals === 5);
await pool.query('DELETE FROM deals WHERE pipeline_id = $1', [pipeline.id]);
check('deletes', (await row('SELECT count(*) FROM deals WHERE pipeline_id = $1', [pipeline.id])).count === '0');
await pool.end();
