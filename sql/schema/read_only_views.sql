-- Writes to the views are refused, naming the table to write instead.

CREATE TRIGGER zz_crm_read_only INSTEAD OF INSERT OR UPDATE OR DELETE ON pipeline_stage_summary
    FOR EACH ROW EXECUTE FUNCTION @extension@.crm_read_only('@VERSION@', 'deals');

CREATE TRIGGER zz_crm_read_only INSTEAD OF INSERT OR UPDATE OR DELETE ON stage_visits
    FOR EACH ROW EXECUTE FUNCTION @extension@.crm_read_only('@VERSION@', 'deals');

CREATE TRIGGER zz_crm_read_only INSTEAD OF INSERT OR UPDATE OR DELETE ON rotting_deals
    FOR EACH ROW EXECUTE FUNCTION @extension@.crm_read_only('@VERSION@', 'deals');

CREATE TRIGGER zz_crm_read_only INSTEAD OF INSERT OR UPDATE OR DELETE ON stage_forecast_categories
    FOR EACH ROW EXECUTE FUNCTION @extension@.crm_read_only('@VERSION@', 'stages');

CREATE TRIGGER zz_crm_read_only INSTEAD OF INSERT OR UPDATE OR DELETE ON deal_pushes
    FOR EACH ROW EXECUTE FUNCTION @extension@.crm_read_only('@VERSION@', 'deals');

CREATE TRIGGER zz_crm_read_only INSTEAD OF INSERT OR UPDATE OR DELETE ON deal_facts
    FOR EACH ROW EXECUTE FUNCTION @extension@.crm_read_only('@VERSION@', 'deals');

CREATE TRIGGER zz_crm_read_only INSTEAD OF INSERT OR UPDATE OR DELETE ON move_facts
    FOR EACH ROW EXECUTE FUNCTION @extension@.crm_read_only('@VERSION@', 'deals');
