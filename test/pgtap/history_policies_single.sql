-- With a policy on deals, in single tenancy, the history that a user sees is that
-- of the deals that they see.
BEGIN;
\set tenancy single
\set owner hist_owner
\ir include/setup.sql
\ir include/roles.sql
\ir include/history_policies.sql
