// Sequelize, with the models that `sequelize-auto` writes.
import { Sequelize } from 'sequelize';
import initModels from './sequelize/init-models.js';
import { check, refused } from './check.mjs';

// Timestamps are created_at and updated_at; the models say no more than that there are some.
const db = new Sequelize(process.env.DATABASE_URL, { logging: false, define: { underscored: true } });
const { deals: Deal, stages: Stage, stage_changes: StageChange, owners: Owner, tags: Tag, deal_tags: DealTag } = initModels(db);
const call = async (query, replacements) => (await db.query(query, { replacements }))[0];

check('introspects', Deal.rawAttributes.stage_id.defaultValue.fn.startsWith('crm_defaults.') && Deal.associations.stage !== undefined);

const list = JSON.stringify([{ name: 'Lead', probability: 0.1 }, { name: 'Proposal', probability: 0.6 }, { name: 'Won', deal_status: 'won' }]);
const [pipeline] = await call(`SELECT * FROM create_pipeline('sequelize', :list)`, { list });
const [lead, proposal] = await Stage.findAll({ where: { pipeline_id: pipeline.id }, order: ['position'] });
const owner = await Owner.findOne();

let deal = await Deal.create({ title: 'Presses', amount: '48000.50', pipeline_id: pipeline.id, owner_id: owner.id });
check('creates, and reads what was filled in', deal.stage_id === lead.id && deal.status === 'open'
  && deal.currency === 'USD' && deal.probability === '0.1000' && deal.version === 1);

deal = await (await deal.update({ ...deal.get(), title: 'Presses A' })).update({ ...deal.get(), title: 'Presses' });
await deal.reload();
check('saves the whole row twice', deal.version === 3 && deal.move_no === 0);
await deal.update({ stage_id: undefined, status: undefined, probability: null, currency: null });
await deal.reload();
check('null is not given', deal.probability === '0.1000' && deal.currency === 'USD' && deal.version === 4);

await deal.update({ stage_id: proposal.id });
await deal.reload();
check('moves', deal.stage_id === proposal.id && deal.probability === '0.6000' && deal.move_no === 1);
await refused('refuses a stale move', call('SELECT move_deal(:deal, :lead, expected_stage_id => :lead)', { deal: deal.id, lead: lead.id }), 'PT409', /./);
const [stale] = await Deal.update({ amount: 1 }, { where: { id: deal.id, version: deal.version - 1 } });
check('a stale version updates no row', stale === 0);
await refused('refuses a status without a stage', Deal.update({ status: 'lost' }, { where: { id: deal.id } }), '23514', /./);

await Deal.bulkCreate(['One', 'Two', 'Three'].map((title) => ({ title, pipeline_id: pipeline.id })));
const upsert = (amount) => Deal.upsert({ external_id: 'sequelize-1', title: 'Synced', amount, pipeline_id: pipeline.id },
  { fields: ['external_id', 'title', 'amount', 'pipeline_id'], conflictFields: ['tenant_id', 'external_id'] });
await upsert(10);
check('creates in bulk, and upserts', (await upsert(20))[0].amount === '20.0000');

const tag = await Tag.create({ name: 'sequelize' });
await deal.addTag_id_tag(tag);
const full = await Deal.findByPk(deal.id, { include: [
  'stage', 'pipeline', { association: 'owner', attributes: ['name'] }, 'tag_id_tags'] });
check('includes relations', full.stage.name === 'Proposal' && full.pipeline.name === 'sequelize' && full.owner.name === 'Ada'
  && full.tag_id_tags[0].name === 'sequelize');
const history = await StageChange.findAll({ where: { deal_id: deal.id } });
const [{ summary }] = await call('SELECT pipeline_summary(:id) AS summary', { id: pipeline.id });
check('history and summary', history[0].to_stage_id === proposal.id && summary.open.total_deals === 5);
check('deletes', await Deal.destroy({ where: { pipeline_id: pipeline.id } }) === 5);
await db.close();
