-- Mutations that PostGraphile does not make itself, as functions: it shows a function of
-- its schemas as a mutation.  For the owner of the CRM.

CREATE SCHEMA graphql;
GRANT USAGE ON SCHEMA graphql TO crm_client;

-- Many deals at once.  One whose external_id is there already is changed.
CREATE FUNCTION graphql.upsert_deals(deals crm.deals[]) RETURNS SETOF crm.deals
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	INSERT INTO crm.deals AS d (external_id, pipeline_id, title, amount)
	SELECT n.external_id, n.pipeline_id, n.title, n.amount FROM unnest(upsert_deals.deals) AS n
	ON CONFLICT (tenant_id, external_id) DO UPDATE SET title = excluded.title, amount = excluded.amount
	RETURNING d.*;
END;

-- Null if the deal has another version by now.
CREATE FUNCTION graphql.save_deal(id uuid, version integer, title text, amount numeric) RETURNS crm.deals
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	UPDATE crm.deals AS d SET title = save_deal.title, amount = save_deal.amount
	WHERE d.id = save_deal.id AND d.version = save_deal.version
	RETURNING d.*;
END;
