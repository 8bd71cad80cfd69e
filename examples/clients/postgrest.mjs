// supabase's postgrest-js, for PostgREST. POSTGREST_URL names a server; else there is a stand-in.
import { PostgrestClient } from '@supabase/postgrest-js';
import { check } from './check.mjs';

const standin = process.env.POSTGREST_URL ? null : await (await import('./postgrest-standin.mjs')).serve();
const db = new PostgrestClient(process.env.POSTGREST_URL ?? standin.url);
async function rows(request) {
  const { data, error } = await request;
  if (error) throw new Error(JSON.stringify(error));
  return data;
}
async function refused(what, request, status, code) {
  const { error, status: seen } = await request;
  check(`${what}: ${status} ${code}`, seen === status && error.code === code && error.hint !== null);
}

const stages = [{ name: 'Lead', probability: 0.1 }, { name: 'Proposal', probability: 0.6 }, { name: 'Won', deal_status: 'won' }];
const pipeline = await rows(db.rpc('create_pipeline', { name: 'postgrest', stages }).select('id').single());
const [lead, proposal] = await rows(db.from('stages').select().eq('pipeline_id', pipeline.id).order('position'));
const [owner] = await rows(db.from('owners').select());

let deal = await rows(db.from('deals').insert({ title: 'Presses', amount: 48000.5, pipeline_id: pipeline.id, owner_id: owner.id }).select().single());
check('creates, and reads what was filled in', deal.stage_id === lead.id && deal.status === 'open'
  && deal.currency === 'USD' && deal.probability === 0.1 && deal.version === 1);

const save = ({ id, ...values }) => db.from('deals').update(values).eq('id', id).select().single();
deal = await rows(save(await rows(save(deal))));
check('saves the whole row twice', deal.version === 3 && deal.move_no === 0);
deal = await rows(save({ id: deal.id, title: 'Presses', stage_id: null, status: null, probability: null, currency: null, version: null }));
check('null is not given', deal.probability === 0.1 && deal.currency === 'USD' && deal.version === 4);

const move = (stage_id, expected_stage_id) => db.rpc('move_deal', { deal_id: deal.id, stage_id, expected_stage_id }).select().single();
deal = await rows(move(proposal.id, lead.id));
check('moves', deal.stage_id === proposal.id && deal.probability === 0.6 && deal.move_no === 1);
await refused('refuses a stale move', move(lead.id, lead.id), 409, 'PT409');
const stale = await rows(db.from('deals').update({ amount: 1 }).eq('id', deal.id).eq('version', deal.version - 1).select());
check('a stale version updates no row', stale.length === 0);
await refused('refuses a status without a stage', save({ id: deal.id, status: 'lost' }), 400, '23514');

await rows(db.from('deals').insert(['One', 'Two', 'Three'].map((title) => ({ title, pipeline_id: pipeline.id }))));
const upsert = (amount) => rows(db.from('deals').upsert({ external_id: 'postgrest-1', title: 'Synced', amount, pipeline_id: pipeline.id },
  { onConflict: 'tenant_id,external_id' }).select().single());
await upsert(10);
check('creates in bulk, and upserts', (await upsert(20)).amount === 20);

const full = await rows(db.from('deals').select('title,stages(name),pipelines(name),owner(name)').eq('id', deal.id).single());
check('includes relations', full.stages.name === 'Proposal' && full.pipelines.name === 'postgrest' && full.owner.name === 'Ada');
const history = await rows(db.from('stage_changes').select().eq('deal_id', deal.id));
const summary = await rows(db.rpc('pipeline_summary', { pipeline_id: pipeline.id }));
check('history and summary', history[0].to_stage_id === proposal.id && summary.open.total_deals === 5);
check('deletes', (await rows(db.from('deals').delete().eq('pipeline_id', pipeline.id).select('id'))).length === 5);
await standin?.close();
