// Prisma, with the driver adapter of node-postgres and the client that `prisma generate` writes.
import { PrismaPg } from '@prisma/adapter-pg';
import { PrismaClient } from './prisma/generated/client.ts';
import { check, refused } from './check.mjs';

const db = new PrismaClient({ adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL }) });

check('introspects', 'stage_id' in db.deals.fields && 'merged_into' in db.deals.fields);

const list = JSON.stringify([{ name: 'Lead', probability: 0.1 }, { name: 'Proposal', probability: 0.6 }, { name: 'Won', deal_status: 'won' }]);
const [pipeline] = await db.$queryRaw`SELECT id FROM create_pipeline('prisma', ${list}::jsonb)`;
const [lead, proposal] = await db.stages.findMany({ where: { pipeline_id: pipeline.id }, orderBy: { position: 'asc' } });

let deal = await db.deals.create({ data: { title: 'Presses', amount: '48000.50', pipeline_id: pipeline.id } });
check('creates, and reads what was filled in', deal.stage_id === lead.id && deal.status === 'open'
  && deal.currency === 'USD' && deal.probability.toString() === '0.1' && deal.version === 1);

const save = ({ id, ...data }) => db.deals.update({ where: { id }, data });
deal = await save(await save(deal));
check('saves the whole row twice', deal.version === 3 && deal.move_no === 0);
// Prisma itself refuses null in the columns that are NOT NULL.
deal = await save({ id: deal.id, title: 'Presses', probability: null, currency: null, status: undefined });
check('null is not given', deal.probability.toString() === '0.1' && deal.currency === 'USD' && deal.version === 4);

deal = await save({ id: deal.id, stage_id: proposal.id });
check('moves', deal.stage_id === proposal.id && deal.probability.toString() === '0.6' && deal.move_no === 1);
await refused('refuses a stale move',
  db.$queryRaw`SELECT id FROM move_deal(${deal.id}::uuid, ${lead.id}::uuid, expected_stage_id => ${lead.id}::uuid)`, 'PT409', /./);
const stale = await db.deals.updateMany({ where: { id: deal.id, version: deal.version - 1 }, data: { amount: 1 } });
check('a stale version updates no row', stale.count === 0);
await refused('refuses a status without a stage', save({ id: deal.id, status: 'lost' }), '23514', /./);

await db.deals.createMany({ data: ['One', 'Two', 'Three'].map((title) => ({ title, pipeline_id: pipeline.id })) });
const tenant_id = deal.tenant_id;
const upsert = (amount) => db.deals.upsert({ where: { external_id_tenant_id: { tenant_id, external_id: 'prisma-1' } },
  create: { external_id: 'prisma-1', title: 'Synced', amount, pipeline_id: pipeline.id }, update: { amount } });
await upsert(10);
check('creates in bulk, and upserts', (await upsert(20)).amount.toString() === '20');

await db.deal_tags.create({ data: { deals: { connect: { id: deal.id } }, tags: { create: { name: 'prisma' } } } });
const full = await db.deals.findUnique({ where: { id: deal.id }, include: { stages: true, pipelines: true, deal_tags: { include: { tags: true } } } });
check('includes relations', full.stages.name === 'Proposal' && full.pipelines.name === 'prisma' && full.deal_tags[0].tags.name === 'prisma');
const history = await db.stage_changes.findMany({ where: { deal_id: deal.id } });
const [{ summary }] = await db.$queryRaw`SELECT pipeline_summary(${pipeline.id}::uuid) AS summary`;
check('history and summary', history[0].to_stage_id === proposal.id && summary.open.total_deals === 5);
check('deletes', (await db.deals.deleteMany({ where: { pipeline_id: pipeline.id } })).count === 5);
await db.$disconnect();
