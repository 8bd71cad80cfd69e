// Drizzle, with the schema that `drizzle-kit pull` writes.
import { and, eq, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import * as schema from './drizzle/schema.ts';
import * as relations from './drizzle/relations.ts';
import { check, refused } from './check.mjs';

const db = drizzle(process.env.DATABASE_URL, { schema: { ...schema, ...relations } });
const { dealsInCrm: deals, stagesInCrm: stages, stageChangesInCrm: stageChanges, ownersInCrm: owners } = schema;
const call = async (query) => (await db.execute(query)).rows;

check('introspects', deals.stageId.hasDefault && deals.id.primary);

const list = JSON.stringify([{ name: 'Lead', probability: 0.1 }, { name: 'Proposal', probability: 0.6 }, { name: 'Won', deal_status: 'won' }]);
const [pipeline] = await call(sql`SELECT * FROM create_pipeline('drizzle', ${list}::jsonb)`);
const [lead, proposal] = await db.select().from(stages).where(eq(stages.pipelineId, pipeline.id)).orderBy(stages.position);
const [owner] = await db.select().from(owners);

let [deal] = await db.insert(deals).values({ title: 'Presses', amount: '48000.50', pipelineId: pipeline.id, ownerId: owner.id }).returning();
check('creates, and reads what was filled in', deal.stageId === lead.id && deal.status === 'open'
  && deal.currency === 'USD' && deal.probability === '0.1000' && deal.version === 1);

const save = async ({ id, ...values }) => (await db.update(deals).set(values).where(eq(deals.id, id)).returning())[0];
deal = await save(await save(deal));
check('saves the whole row twice', deal.version === 3 && deal.moveNo === 0);
deal = await save({ id: deal.id, title: 'Presses', stageId: null, status: null, probability: null, currency: null, version: null });
check('null is not given', deal.probability === '0.1000' && deal.currency === 'USD' && deal.version === 4);

deal = await save({ id: deal.id, stageId: proposal.id });
check('moves', deal.stageId === proposal.id && deal.probability === '0.6000' && deal.moveNo === 1);
await refused('refuses a stale move', call(sql`SELECT move_deal(${deal.id}, ${lead.id}, expected_stage_id => ${lead.id})`), 'PT409', /./);
const stale = await db.update(deals).set({ amount: '1' }).where(and(eq(deals.id, deal.id), eq(deals.version, deal.version - 1)));
check('a stale version updates no row', stale.rowCount === 0);
await refused('refuses a status without a stage', save({ id: deal.id, status: 'lost' }), '23514', /./);

await db.insert(deals).values(['One', 'Two', 'Three'].map((title) => ({ title, pipelineId: pipeline.id })));
const upsert = (amount) => db.insert(deals).values({ externalId: 'drizzle-1', title: 'Synced', amount, pipelineId: pipeline.id })
  .onConflictDoUpdate({ target: [deals.tenantId, deals.externalId], set: { amount: sql`excluded.amount` } }).returning();
await upsert('10');
check('creates in bulk, and upserts', (await upsert('20'))[0].amount === '20.0000');

const full = await db.query.dealsInCrm.findFirst({ where: eq(deals.id, deal.id), with: { stagesInCrm: true, pipelinesInCrm: true } });
const [owned] = await db.select({ owner: owners.name }).from(deals).leftJoin(owners, eq(owners.id, deals.ownerId)).where(eq(deals.id, deal.id));
check('includes relations', full.stagesInCrm.name === 'Proposal' && full.pipelinesInCrm.name === 'drizzle' && owned.owner === 'Ada');
const history = await db.select().from(stageChanges).where(eq(stageChanges.dealId, deal.id));
const [{ summary }] = await call(sql`SELECT pipeline_summary(${pipeline.id}) AS summary`);
check('history and summary', history[0].toStageId === proposal.id && summary.open.total_deals === 5);
await db.delete(deals).where(eq(deals.pipelineId, pipeline.id));
check('deletes', await db.$count(deals, eq(deals.pipelineId, pipeline.id)) === 0);
await db.$client.end();
