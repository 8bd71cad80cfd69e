// TypeORM. It reads no database: the entities say what there is. `synchronize` is
// never to be used, as it would drop what the entities do not say.
import { DataSource, EntitySchema } from 'typeorm';
import { check, refused } from './check.mjs';

// Columns that the CRM fills are nullable here, so that they may be left out; a
// default would be sent instead. `version` and `updated_at` are the CRM's as well.
const filled = (type) => ({ type, nullable: true });
const Pipeline = new EntitySchema({ name: 'Pipeline', tableName: 'pipelines', schema: 'crm', columns: {
  id: { type: 'uuid', primary: true, generated: 'uuid' }, name: { type: 'text' }, is_default: { type: 'boolean', default: false } },
});
const Stage = new EntitySchema({ name: 'Stage', tableName: 'stages', schema: 'crm', columns: {
  id: { type: 'uuid', primary: true, generated: 'uuid' }, pipeline_id: { type: 'uuid' }, name: { type: 'text' },
  position: filled('integer'), deal_status: filled('text'), probability: { type: 'numeric', nullable: true } },
});
const Tag = new EntitySchema({ name: 'Tag', tableName: 'tags', schema: 'crm', columns: {
  id: { type: 'uuid', primary: true, generated: 'uuid' }, name: { type: 'text' } },
});
const Deal = new EntitySchema({ name: 'Deal', tableName: 'deals', schema: 'crm', columns: {
  id: { type: 'uuid', primary: true, generated: 'uuid' }, tenant_id: filled('uuid'), pipeline_id: filled('uuid'), stage_id: filled('uuid'),
  status: filled('text'), title: { type: 'text' }, amount: { type: 'numeric', nullable: true }, currency: filled('text'),
  probability: filled('numeric'), owner_id: { type: 'uuid', nullable: true }, external_id: { type: 'text', nullable: true },
  stage_entered_at: filled('timestamptz'), move_no: filled('integer'), version: filled('integer'), created_at: filled('timestamptz') },
relations: {
  stage: { type: 'many-to-one', target: 'Stage', joinColumn: { name: 'stage_id' } },
  pipeline: { type: 'many-to-one', target: 'Pipeline', joinColumn: { name: 'pipeline_id' } },
  tags: { type: 'many-to-many', target: 'Tag', joinTable: {
    schema: 'crm', name: 'deal_tags', joinColumn: { name: 'deal_id' }, inverseJoinColumn: { name: 'tag_id' } } } },
});
const StageChange = new EntitySchema({ name: 'StageChange', tableName: 'stage_changes', schema: 'crm', columns: {
  id: { type: 'uuid', primary: true }, deal_id: { type: 'uuid' }, to_stage_id: { type: 'uuid' }, move_no: { type: 'integer' } },
});

const db = await new DataSource({ type: 'postgres', url: process.env.DATABASE_URL, installExtensions: false,
  entities: [Pipeline, Stage, Tag, Deal, StageChange] }).initialize();
const deals = db.getRepository(Deal);
const stages = db.getRepository(Stage);

const runner = db.createQueryRunner();
const table = await runner.getTable('crm.deals');
await runner.release();
check('introspects', table.findColumnByName('stage_id').default.startsWith('crm_defaults.'));

const list = JSON.stringify([{ name: 'Lead', probability: 0.1 }, { name: 'Proposal', probability: 0.6 }, { name: 'Won', deal_status: 'won' }]);
const [pipeline] = await db.query(`SELECT * FROM create_pipeline('typeorm', $1)`, [list]);
const [lead, proposal] = await stages.find({ where: { pipeline_id: pipeline.id }, order: { position: 'ASC' } });

let { id } = await deals.save({ title: 'Presses', amount: '48000.50', pipeline_id: pipeline.id });
let deal = await deals.findOneByOrFail({ id });
check('creates, and reads what was filled in', deal.stage_id === lead.id && deal.status === 'open'
  && deal.currency === 'USD' && deal.probability === '0.1000' && deal.version === 1);

const saveAll = async (values) => {
  await deals.createQueryBuilder().update().set(values).where({ id }).execute();
  return deals.findOneByOrFail({ id });
};
deal = await saveAll(await saveAll(deal));
check('saves the whole row twice', deal.version === 3 && deal.move_no === 0);
// The object of a new deal, saved again without having been read: TypeORM sends its nulls.
const fresh = await deals.save({ title: 'Fresh', pipeline_id: pipeline.id, probability: null, currency: null, amount: 5 });
await deals.save({ ...fresh, title: 'Fresh again', status: null, stage_id: null, probability: null, currency: null });
const again = await deals.findOneByOrFail({ id: fresh.id });
check('null is not given', again.probability === '0.1000' && again.currency === 'USD' && again.stage_id === lead.id);

await deals.save({ id, stage_id: proposal.id });
deal = await deals.findOneByOrFail({ id });
check('moves', deal.stage_id === proposal.id && deal.probability === '0.6000' && deal.move_no === 1);
await refused('refuses a stale move', db.query('SELECT move_deal($1, $2, expected_stage_id => $2)', [id, lead.id]), 'PT409', /./);
const stale = await deals.update({ id, version: deal.version - 1 }, { amount: 1 });
check('a stale version updates no row', stale.affected === 0);
await refused('refuses a status without a stage', deals.update({ id }, { status: 'lost' }), '23514', /./);

await deals.insert(['One', 'Two', 'Three'].map((title) => ({ title, pipeline_id: pipeline.id })));
const upsert = (amount) => deals.upsert({ external_id: 'typeorm-1', title: 'Synced', amount, pipeline_id: pipeline.id }, ['tenant_id', 'external_id']);
await upsert(10);
await upsert(20);
check('creates in bulk, and upserts', (await deals.findOneByOrFail({ external_id: 'typeorm-1' })).amount === '20.0000');

const tag = await db.getRepository(Tag).save({ name: 'typeorm' });
await db.createQueryBuilder().relation(Deal, 'tags').of(id).add(tag.id);
const full = await deals.findOneOrFail({ where: { id }, relations: { stage: true, pipeline: true, tags: true } });
check('includes relations', full.stage.name === 'Proposal' && full.pipeline.name === 'typeorm' && full.tags[0].name === 'typeorm');
const history = await db.getRepository(StageChange).findBy({ deal_id: id });
const [{ summary }] = await db.query('SELECT pipeline_summary($1) AS summary', [pipeline.id]);
check('history and summary', history[0].to_stage_id === proposal.id && summary.open.total_deals === 6);
check('deletes', (await deals.delete({ pipeline_id: pipeline.id })).affected === 6);
await db.destroy();
