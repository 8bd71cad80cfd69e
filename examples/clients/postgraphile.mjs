// PostGraphile 5: GraphQL, with graphile.config.mjs.
import { makeSchema } from 'postgraphile';
import { grafast } from 'postgraphile/grafast';
import preset from './graphile.config.mjs';
import { check, refused } from './check.mjs';

const { schema, resolvedPreset } = await makeSchema(preset);
async function query(source, variableValues) {
  const { data, errors } = await grafast({ schema, source, variableValues, resolvedPreset, requestContext: {} });
  if (errors) throw errors[0].originalError ?? errors[0];
  return data;
}
const DEAL = 'id rowId stageId status currency probability version moveNo amount';

check('introspects', schema.getType('DealInput').getFields().stageId !== undefined);

const stages = [{ name: 'Lead', probability: 0.1 }, { name: 'Proposal', probability: 0.6 }, { name: 'Won', deal_status: 'won' }];
const { crmCreatePipeline: { result: pipeline } } = await query(`mutation ($stages: JSON!) {
  crmCreatePipeline(input: { name: "postgraphile", stages: $stages }) {
    result { rowId stagesByPipelineId { nodes { rowId position } } } } }`, { stages });
const [lead, proposal] = pipeline.stagesByPipelineId.nodes.toSorted((a, b) => a.position - b.position);
const { allOwners: { nodes: [owner] } } = await query('{ allOwners { nodes { rowId name } } }');

const create = async (deal) => (await query(`mutation ($deal: DealInput!) { createDeal(input: { deal: $deal }) { deal { ${DEAL} } } }`,
  { deal: { pipelineId: pipeline.rowId, ...deal } })).createDeal.deal;
const save = async ({ id, ...patch }) => (await query(`mutation ($id: ID!, $patch: DealPatch!) {
  updateDeal(input: { id: $id, dealPatch: $patch }) { deal { ${DEAL} } } }`, { id, patch })).updateDeal.deal;

let deal = await create({ title: 'Presses', amount: '48000.50', ownerId: owner.rowId });
check('creates, and reads what was filled in', deal.stageId === lead.rowId && deal.status === 'open'
  && deal.currency === 'USD' && deal.probability === '0.1000' && deal.version === 1);
deal = await save(await save(deal));
check('saves the whole row twice', deal.version === 3 && deal.moveNo === 0);
deal = await save({ id: deal.id, title: 'Presses', stageId: null, status: null, probability: null, currency: null, version: null });
check('null is not given', deal.probability === '0.1000' && deal.currency === 'USD' && deal.version === 4);

const move = (stage, expected) => query(`mutation ($deal: UUID!, $stage: UUID!, $expected: UUID) {
  moveDeal(input: { dealId: $deal, stageId: $stage, expectedStageId: $expected }) { result { ${DEAL} } } }`,
{ deal: deal.rowId, stage, expected });
deal = (await move(proposal.rowId, lead.rowId)).moveDeal.result;
check('moves', deal.stageId === proposal.rowId && deal.probability === '0.6000' && deal.moveNo === 1);
await refused('refuses a stale move', move(lead.rowId, lead.rowId), 'PT409', /./);
await refused('refuses a status without a stage', save({ id: deal.id, status: 'lost' }), '23514', /./);

const saveVersion = (version) => query(`mutation ($id: UUID!, $version: Int!) {
  graphqlSaveDeal(input: { id: $id, version: $version, title: "Presses", amount: "50000" }) { result { version } } }`,
{ id: deal.rowId, version });
check('a stale version updates no row', (await saveVersion(deal.version - 1)).graphqlSaveDeal.result === null
  && (await saveVersion(deal.version)).graphqlSaveDeal.result.version === deal.version + 1);

const upsert = async (deals) => (await query(`mutation ($deals: [DealInput]!) {
  graphqlUpsertDeals(input: { deals: $deals }) { result { ${DEAL} } } }`,
{ deals: deals.map((each) => ({ pipelineId: pipeline.rowId, ...each })) })).graphqlUpsertDeals.result;
const [one] = await upsert([{ title: 'One', externalId: 'graphile-1', amount: '10' }, { title: 'Two' }]);
const [again] = await upsert([{ title: 'One', externalId: 'graphile-1', amount: '20' }]);
check('creates in bulk, and upserts', again.rowId === one.rowId && again.amount === '20.0000' && again.stageId === lead.rowId);

const { dealByRowId: full } = await query(`query ($id: UUID!) { dealByRowId(rowId: $id) {
  title stageByStageId { name } pipelineByPipelineId { name } } }`, { id: deal.rowId });
check('includes relations', full.stageByStageId.name === 'Proposal' && full.pipelineByPipelineId.name === 'postgraphile');
const read = await query(`query ($deal: UUID!, $pipeline: UUID!) {
  allStageChanges(condition: { dealId: $deal }) { nodes { toStageId } } pipelineSummary(pipelineId: $pipeline) }`,
{ deal: deal.rowId, pipeline: pipeline.rowId });
check('history and summary', read.allStageChanges.nodes[0].toStageId === proposal.rowId && read.pipelineSummary.open.total_deals === 3);
const deleted = await query('mutation ($id: ID!) { deleteDeal(input: { id: $id }) { deal { rowId } } }', { id: deal.id });
check('deletes', deleted.deleteDeal.deal.rowId === deal.rowId);
await preset.pgServices[0].release();
