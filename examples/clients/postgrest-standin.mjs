// A stand-in for PostgREST, which neither npm nor Debian has: of its requests those that
// postgrest.mjs sends, with the SQL that PostgREST runs for them, and its errors.
import { createServer } from 'node:http';
import pg from 'pg';

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
const quote = pg.escapeIdentifier;

// select=title,stages(name): what is embedded is found by a function of the row, or a column.
const embedded = { stages: 'SELECT t.* FROM stages AS t WHERE t.id = r.stage_id', pipelines: 'SELECT t.* FROM pipelines AS t WHERE t.id = r.pipeline_id',
  owner: 'SELECT t.* FROM owner(r) AS t' };
function output(select) {
  return (select ?? '*').match(/[a-z_*]+(\([^)]*\))?/g).map((item) => {
    const [, name, columns] = item.match(/^([a-z_*]+)(?:\(([^)]*)\))?$/);
    if (name === '*') return 'r.*';
    if (columns === undefined) return `r.${quote(name)}`;
    return `(SELECT to_jsonb(e) FROM (SELECT ${columns.split(',').map(quote)} FROM (${embedded[name]}) AS x) AS e) AS ${quote(name)}`;
  }).join(', ');
}

function condition(params, values) {
  const terms = [...params].filter(([, value]) => /^eq\./.test(value))
    .map(([name, value]) => `r.${quote(name)}::text = $${values.push(value.slice(3))}`);
  return terms.length > 0 ? ` WHERE ${terms.join(' AND ')}` : '';
}

function statement(method, table, params, body, prefer, values) {
  const name = quote(table);
  if (method === 'GET') {
    const order = params.get('order')?.split('.')[0];
    return `SELECT ${output(params.get('select'))} FROM ${name} AS r${condition(params, values)}${order ? ` ORDER BY r.${quote(order)}` : ''}`;
  }
  if (method === 'DELETE') return `DELETE FROM ${name} AS r${condition(params, values)} RETURNING ${output(params.get('select'))}`;
  const rows = [body].flat();
  const columns = Object.keys(rows[0]).map(quote);
  values.push(JSON.stringify(rows));
  const source = `json_populate_recordset(NULL::${name}, $1)`;
  if (method === 'PATCH') {
    return `UPDATE ${name} AS r SET (${columns}) = ROW(${columns.map((c) => `b.${c}`)}) FROM ${source} AS b${condition(params, values)} RETURNING ${output(params.get('select'))}`;
  }
  const conflict = /resolution=merge-duplicates/.test(prefer)
    ? ` ON CONFLICT (${params.get('on_conflict').split(',').map(quote)}) DO UPDATE SET ${columns.map((c) => `${c} = EXCLUDED.${c}`)}` : '';
  return `INSERT INTO ${name} AS r (${columns}) SELECT ${columns} FROM ${source}${conflict} RETURNING ${output(params.get('select'))}`;
}

function functionCall(name, body, params, values) {
  const args = Object.entries(body).map(([key, value]) =>
    `${quote(key)} => $${values.push(typeof value === 'object' ? JSON.stringify(value) : value)}`);
  return `SELECT ${output(params.get('select'))} FROM ${quote(name)}(${args}) AS r`;
}

async function answer(request, body) {
  const url = new URL(request.url, 'http://localhost');
  const [, first, second] = url.pathname.split('/');
  const values = [];
  const sql = first === 'rpc' ? functionCall(second, body, url.searchParams, values)
    : statement(request.method, first, url.searchParams, body, request.headers.prefer, values);
  const { rows } = await pool.query(`SELECT coalesce(json_agg(to_json(q)), '[]') AS json FROM (${sql}) AS q`.replace(
    /^SELECT coalesce.*?FROM \((INSERT|UPDATE|DELETE)(.*)\) AS q$/s, 'WITH q AS ($1$2) SELECT coalesce(json_agg(to_json(q)), \'[]\') AS json FROM q'), values);
  const scalar = first === 'rpc' && 'r' in (rows[0].json[0] ?? {});
  return scalar ? rows[0].json[0].r : rows[0].json;
}

const statuses = { PT404: 404, PT409: 409, 23503: 409, 23505: 409, 42501: 403 };
export function serve() {
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const send = (status, json) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
    try {
      const rows = await answer(request, text ? JSON.parse(text) : undefined);
      const object = /vnd.pgrst.object/.test(request.headers.accept);
      if (object && Array.isArray(rows) && rows.length !== 1) {
        send(406, { code: 'PGRST116', message: 'Cannot coerce the result to a single JSON object', details: `The result contains ${rows.length} rows`, hint: null });
      } else send(200, object && Array.isArray(rows) ? rows[0] : rows);
    } catch ({ code, message, detail, hint }) {
      send(statuses[code] ?? 400, { code, message, details: detail ?? null, hint: hint ?? null });
    }
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve({ url: `http://127.0.0.1:${server.address().port}`, close: () => { server.close(); return pool.end(); } }));
  });
}
