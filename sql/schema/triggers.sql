-- The triggers.  Those named zz_ run after users' own, so that the rules see
-- what will be stored.  Their argument is the version of this CRM.

CREATE TRIGGER zz_crm_pipeline_rules BEFORE INSERT OR UPDATE ON pipelines
    FOR EACH ROW EXECUTE FUNCTION @extension@.crm_pipeline_rules('@VERSION@');

CREATE TRIGGER zz_crm_stage_rules BEFORE INSERT OR UPDATE OR DELETE ON stages
    FOR EACH ROW EXECUTE FUNCTION @extension@.crm_stage_rules('@VERSION@', 'pipeline_id');

CREATE TRIGGER zz_crm_deal_rules BEFORE INSERT OR UPDATE ON deals
    FOR EACH ROW EXECUTE FUNCTION @extension@.crm_deal_rules('@VERSION@');

-- The arguments after the version say what they record: history, changes, totals.
CREATE TRIGGER zz_crm_deal_audit_insert AFTER INSERT ON deals
    REFERENCING NEW TABLE AS new_deals
    FOR EACH STATEMENT EXECUTE FUNCTION @extension@.crm_deal_audit('@VERSION@', 'changes', 'totals');

CREATE TRIGGER zz_crm_deal_audit_update AFTER UPDATE ON deals
    REFERENCING OLD TABLE AS old_deals NEW TABLE AS new_deals
    FOR EACH STATEMENT EXECUTE FUNCTION @extension@.crm_deal_audit('@VERSION@', 'history', 'changes', 'totals');

CREATE TRIGGER zz_crm_deal_audit_delete AFTER DELETE ON deals
    REFERENCING OLD TABLE AS old_deals
    FOR EACH STATEMENT EXECUTE FUNCTION @extension@.crm_deal_audit('@VERSION@', 'changes', 'totals');

CREATE TRIGGER zz_crm_deal_audit_truncate AFTER TRUNCATE ON deals
    FOR EACH STATEMENT EXECUTE FUNCTION @extension@.crm_deal_audit('@VERSION@', 'totals');

CREATE TRIGGER zz_crm_deal_truncate BEFORE TRUNCATE ON deals
    FOR EACH STATEMENT EXECUTE FUNCTION @extension@.crm_deal_truncate('@VERSION@');

CREATE TRIGGER zz_crm_totals_guard BEFORE INSERT ON stage_totals
    FOR EACH ROW EXECUTE FUNCTION @extension@.crm_totals_guard('@VERSION@');

CREATE TRIGGER zz_crm_history_guard BEFORE UPDATE ON stage_changes
    FOR EACH STATEMENT EXECUTE FUNCTION @extension@.crm_history_guard('@VERSION@');

CREATE TRIGGER zz_crm_history_row_guard BEFORE UPDATE ON stage_changes
    FOR EACH ROW EXECUTE FUNCTION @extension@.crm_history_guard('@VERSION@');

CREATE TRIGGER zz_crm_history_guard BEFORE UPDATE ON deal_changes
    FOR EACH STATEMENT EXECUTE FUNCTION @extension@.crm_history_guard('@VERSION@');

CREATE TRIGGER zz_crm_history_row_guard BEFORE UPDATE ON deal_changes
    FOR EACH ROW EXECUTE FUNCTION @extension@.crm_history_guard('@VERSION@');

CREATE TRIGGER zz_crm_history_erased AFTER DELETE ON stage_changes
    REFERENCING OLD TABLE AS deleted_rows
    FOR EACH STATEMENT EXECUTE FUNCTION @extension@.crm_history_erased('@VERSION@');

CREATE TRIGGER zz_crm_history_truncated AFTER TRUNCATE ON stage_changes
    FOR EACH STATEMENT EXECUTE FUNCTION @extension@.crm_history_erased('@VERSION@');

CREATE TRIGGER zz_crm_history_erased AFTER DELETE ON deal_changes
    REFERENCING OLD TABLE AS deleted_rows
    FOR EACH STATEMENT EXECUTE FUNCTION @extension@.crm_history_erased('@VERSION@');

CREATE TRIGGER zz_crm_history_truncated AFTER TRUNCATE ON deal_changes
    FOR EACH STATEMENT EXECUTE FUNCTION @extension@.crm_history_erased('@VERSION@');

CREATE TRIGGER zz_crm_deal_contact_rules BEFORE INSERT OR UPDATE ON deal_contacts
    FOR EACH ROW EXECUTE FUNCTION @extension@.crm_deal_contact_rules('@VERSION@', 'deal_id');

CREATE TRIGGER zz_crm_row_rules BEFORE INSERT OR UPDATE ON exchange_rates
    FOR EACH ROW EXECUTE FUNCTION @extension@.crm_row_rules('@VERSION@');

CREATE TRIGGER zz_crm_row_rules BEFORE INSERT OR UPDATE ON tags
    FOR EACH ROW EXECUTE FUNCTION @extension@.crm_row_rules('@VERSION@');

CREATE TRIGGER zz_crm_row_rules BEFORE INSERT OR UPDATE ON deal_tags
    FOR EACH ROW EXECUTE FUNCTION @extension@.crm_row_rules('@VERSION@', 'deal_id', 'tag_id');

-- Before users' own triggers, as it looks at these.
CREATE TRIGGER "00_crm_cascade_guard" BEFORE DELETE ON stages
    FOR EACH STATEMENT EXECUTE FUNCTION @extension@.crm_cascade_guard('@VERSION@');

CREATE TRIGGER "00_crm_cascade_guard" BEFORE DELETE ON deal_contacts
    FOR EACH STATEMENT EXECUTE FUNCTION @extension@.crm_cascade_guard('@VERSION@');

CREATE TRIGGER "00_crm_cascade_guard" BEFORE DELETE ON deal_tags
    FOR EACH STATEMENT EXECUTE FUNCTION @extension@.crm_cascade_guard('@VERSION@');
