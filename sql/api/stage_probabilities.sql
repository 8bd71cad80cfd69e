CREATE FUNCTION @extschema@.crm_stage_probabilities(crm regnamespace, pipeline_id uuid,
	minimum_deals integer DEFAULT 30,
	closed_from timestamptz DEFAULT NULL, closed_before timestamptz DEFAULT NULL,
	owner_id uuid DEFAULT NULL, currency text DEFAULT NULL)
	RETURNS TABLE (stage_id uuid, stage_name text, stage_position integer, probability numeric,
		closed_deals bigint, won bigint, lost bigint, won_share numeric,
		insufficient_history boolean,
		suggested_probability numeric)
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_stage_probabilities(regnamespace, uuid, integer, timestamptz,
	timestamptz, uuid, text) IS
'The probabilities of the open stages beside what history says

closed_deals = distinct deals that ever stood in the stage and are won or lost now; won_share = won / closed_deals. Open deals are undecided and count for neither, as in Odoo''s won and lost frequencies. suggested_probability = won_share, or null with insufficient_history true where there are fewer than minimum_deals. Nothing is changed: set stages.probability, then call apply_stage_probability.

closed_from (included) and closed_before (not included), owner_id and currency choose deals. Leaves out archived and deleted deals, archived stages and moves that were taken back, or made before the deal was deleted and inserted again as a new one.

Errors: PT404 for an unknown pipeline, 22023 for minimum_deals below 1 and for what is not a currency.

@param minimum_deals Fewer closed deals are too few to tell (default 30)
@mcp report=flow';
