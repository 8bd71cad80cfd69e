-- What the tests of MCP's clients work with: a CRM, and a role that may read,
-- create, move and link, but delete nothing.
CREATE SCHEMA extensions;
CREATE EXTENSION crm SCHEMA extensions;
SELECT extensions.crm_install();

CREATE ROLE mcp_agent;
GRANT USAGE ON SCHEMA extensions, crm TO mcp_agent;
GRANT SELECT ON ALL TABLES IN SCHEMA crm TO mcp_agent;
GRANT INSERT, UPDATE ON crm.deals, crm.deal_contacts, crm.deal_tags, crm.tags TO mcp_agent;
GRANT EXECUTE ON FUNCTION crm.mcp(json), crm.mcp(), crm.move_deal, crm.undo_move, crm.context_for_deal,
    crm.context_for_person, crm.pipeline_summary, crm.pipeline_summary_as_of, crm.pipeline_trend, crm.forecast TO mcp_agent;

SELECT crm.create_pipeline('Sales', '["New", {"name": "Won", "deal_status": "won"}]', is_default => true);
