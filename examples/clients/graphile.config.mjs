// PostGraphile 5 with the Amber preset, for a CRM and the functions of postgraphile.sql.
import { makePgService } from 'postgraphile/adaptors/pg';
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber';
import { pgSmartTags } from 'postgraphile/utils';

// Functions of a row without names for their arguments are PostgREST's: PostGraphile
// has relations by foreign keys. It gives tables, functions and its own mutations names
// of one kind, so that these functions need others: crmCreatePipeline, ...
const renamed = new Set(['create_pipeline', 'delete_stage', 'exchange_rate', 'rotting_deals']);
const isRowFunction = (proc) => proc.proargnames === null && proc.pronargs === 1;
const CrmNamesPlugin = {
  name: 'CrmNamesPlugin',
  inflection: {
    replace: {
      functionResourceName(previous, _options, details) {
        const { pgProc } = details;
        if (isRowFunction(pgProc)) return `${previous(details)}_${pgProc._id}`;
        return renamed.has(pgProc.proname) ? `crm_${previous(details)}` : previous(details);
      },
    },
  },
};
const CrmTagsPlugin = pgSmartTags([
  { kind: 'procedure', match: isRowFunction, tags: { behavior: ['-*'] } },
  // mcp() is for PostgREST as well.
  { kind: 'procedure', match: (proc) => proc.proname === 'mcp', tags: { behavior: ['-*'] } },
]);

export default {
  extends: [PostGraphileAmberPreset],
  plugins: [CrmNamesPlugin, CrmTagsPlugin],
  pgServices: [makePgService({ connectionString: process.env.DATABASE_URL, schemas: ['crm', 'graphql'] })],
};
