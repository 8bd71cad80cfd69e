#!/usr/bin/env node
// The schema engine of Prisma, for machines that cannot download the program: it answers the
// requests of `prisma db pull`, JSON-RPC on standard input, with the library that npm has.
import { createInterface } from 'node:readline';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import Result from 'pg/lib/result.js';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from '@prisma/driver-adapter-utils';
import * as engine from '@prisma/schema-engine-wasm/schema_engine_bg';

globalThis.PRISMA_WASM_PANIC_REGISTRY = { set_message: (message) => console.error(message) };
const wasm = new URL('schema_engine_bg.wasm', import.meta.resolve('@prisma/schema-engine-wasm'));
const { instance } = await WebAssembly.instantiate(readFileSync(wasm), { './schema_engine_bg.js': engine });
engine.__wbg_set_wasm(instance.exports);
instance.exports.__wbindgen_start();

// The adapter does not know the type "char" of the system catalogs.
const CHAR = 18, TEXT = 25;
const charColumns = new Set();
const { addFields } = Result.prototype;
Result.prototype.addFields = function addFieldsWithoutChar(fields) {
  for (const field of fields) {
    if (field.dataTypeID !== CHAR) continue;
    field.dataTypeID = TEXT;
    charColumns.add(field.name);
  }
  return addFields.call(this, fields);
};
class PrismaPgWithChar extends PrismaPg {
  async connect() {
    const connection = await super.connect();
    const queryRaw = connection.queryRaw.bind(connection);
    connection.queryRaw = async (query) => {
      const result = await queryRaw(query);
      const columnTypes = result.columnTypes.map((type, i) => (charColumns.has(result.columnNames[i]) ? ColumnTypeEnum.Character : type));
      return { ...result, columnTypes };
    };
    return connection;
  }
}

const { values } = parseArgs({ strict: false, options: { datasource: { type: 'string' } } });
const { url } = JSON.parse(values.datasource);
const adapter = bindMigrationAwareSqlAdapterFactory(new PrismaPgWithChar({ connectionString: url }));
const schema = await engine.SchemaEngine.new({ datamodels: undefined }, () => {}, adapter);

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  const answer = await schema[method](params).then((result) => ({ result }), (error) => (
    { error: { code: -32603, message: String(error.message ?? error), data: error } }));
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, ...answer })}\n`);
}
