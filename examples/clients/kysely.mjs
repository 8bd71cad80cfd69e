// Kysely; `kysely-codegen` writes the types (./kysely/db.d.ts).
import { readFileSync } from 'node:fs';
import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { check, refused } from './check.mjs';

/** @type {Kysely<import('./kysely/db.d.ts').DB>} */
const db = new Kysely({ dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: process.env.DATABASE_URL }) }) });
const call = async (query) => (await query.execute(db)).rows;

check('introspects', /stage_id: Generated<string>/.test(readFileSync('kysely/db.d.ts', 'utf8')));

const list = JSON.stringify([{ name: 'Lead', probability: 0.1 }, { name: 'Proposal', probability: 0.6 }, { name: 'Won', deal_status: 'won' }]);
const [pipeline] = await call(sql`SELECT * FROM create_pipeline('kysely', ${list}::jsonb)`);
const [lead, proposal] = await db.selectFrom('stages').selectAll().where('pipeline_id', '=', pipeline.id).orderBy('position').execute();
const owner = await db.selectFrom('owners').selectAll().executeTakeFirstOrThrow();

let deal = await db.insertInto('deals')
  .values({ title: 'Presses', amount: '48000.50', pipeline_id: pipeline.id, owner_id: owner.id }).returningAll().executeTakeFirstOrThrow();
check('creates, and reads what was filled in', deal.stage_id === lead.id && deal.status === 'open'
  && deal.currency === 'USD' && deal.probability === '0.1000' && deal.version === 1);

const save = ({ id, ...values }) => db.updateTable('deals').set(values).where('id', '=', id).returningAll().executeTakeFirstOrThrow();
deal = await save(await save(deal));
check('saves the whole row twice', deal.version === 3 && deal.move_no === 0);
deal = await save({ id: deal.id, title: 'Presses', stage_id: null, status: null, probability: null, currency: null, version: null });
check('null is not given', deal.probability === '0.1000' && deal.currency === 'USD' && deal.version === 4);

deal = await save({ id: deal.id, stage_id: proposal.id });
check('moves', deal.stage_id === proposal.id && deal.probability === '0.6000' && deal.move_no === 1);
await refused('refuses a stale move', call(sql`SELECT move_deal(${deal.id}, ${lead.id}, expected_stage_id => ${lead.id})`), 'PT409', /./);
const stale = await db.updateTable('deals').set({ amount: 1 }).where('id', '=', deal.id).where('version', '=', deal.version - 1).executeTakeFirst();
check('a stale version updates no row', stale.numUpdatedRows === 0n);
await refused('refuses a status without a stage', save({ id: deal.id, status: 'lost' }), '23514', /./);

await db.insertInto('deals').values(['One', 'Two', 'Three'].map((title) => ({ title, pipeline_id: pipeline.id }))).execute();
const upsert = (amount) => db.insertInto('deals').values({ external_id: 'kysely-1', title: 'Synced', amount, pipeline_id: pipeline.id })
  .onConflict((oc) => oc.columns(['tenant_id', 'external_id']).doUpdateSet((eb) => ({ amount: eb.ref('excluded.amount') })))
  .returningAll().executeTakeFirstOrThrow();
await upsert(10);
check('creates in bulk, and upserts', (await upsert(20)).amount === '20.0000');

const full = await db.selectFrom('deals as d').innerJoin('stages as s', 's.id', 'd.stage_id').innerJoin('pipelines as p', 'p.id', 'd.pipeline_id')
  .leftJoin('owners as o', 'o.id', 'd.owner_id').where('d.id', '=', deal.id)
  .select(['d.title', 's.name as stage', 'p.name as pipeline', 'o.name as owner']).executeTakeFirstOrThrow();
check('joins', full.stage === 'Proposal' && full.pipeline === 'kysely' && full.owner === 'Ada');
const history = await db.selectFrom('stage_changes').selectAll().where('deal_id', '=', deal.id).execute();
const [{ summary }] = await call(sql`SELECT pipeline_summary(${pipeline.id}) AS summary`);
check('history and summary', history[0].to_stage_id === proposal.id && summary.open.total_deals === 5);
const deleted = await db.deleteFrom('deals').where('pipeline_id', '=', pipeline.id).executeTakeFirst();
check('deletes', deleted.numDeletedRows === 5n);
await db.destroy();
