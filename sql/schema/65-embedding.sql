-- What PostgREST embeds in rows beyond the foreign keys.

SELECT crm_embed(n.nspname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid = 'deals'::regclass;
