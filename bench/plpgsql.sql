-- What a careful author would write without crm: the rules, the audit and the
-- totals as PL/pgSQL row triggers on the same table.  Left out is what the
-- benchmark does not touch (undo, tenants, defaults of an insert), in favour of
-- PL/pgSQL.  Each writes to a table of its own that is like crm's.
CREATE TABLE plpgsql_changes (LIKE stage_changes INCLUDING ALL);
CREATE TABLE plpgsql_totals (
    pipeline_id uuid NOT NULL, stage_id uuid NOT NULL, currency text, value_period text NOT NULL,
    deals bigint NOT NULL, deals_without_amount bigint NOT NULL, value numeric NOT NULL, weighted_value numeric NOT NULL);
CREATE INDEX ON plpgsql_totals (pipeline_id);

CREATE FUNCTION plpgsql_rules() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    stage record;
    effective timestamptz;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.id <> OLD.id OR NEW.tenant_id <> OLD.tenant_id THEN
            RAISE 'id and tenant_id never change' USING ERRCODE = 'check_violation';
        END IF;
        NEW.move_no := OLD.move_no;
        NEW.version := OLD.version + 1;
        NEW.updated_at := clock_timestamp();
        IF NEW.stage_id = OLD.stage_id THEN
            RETURN NEW;
        END IF;
    END IF;

    SELECT s.pipeline_id, s.tenant_id, s.deal_status, s.probability, s.archived_at, p.archived_at AS pipeline_archived_at,
            p.currency
        INTO stage
        FROM stages AS s JOIN pipelines AS p ON p.id = s.pipeline_id
        WHERE s.id = NEW.stage_id;
    IF NOT FOUND OR stage.tenant_id <> NEW.tenant_id THEN
        RAISE 'stage % does not exist', NEW.stage_id USING ERRCODE = 'foreign_key_violation';
    END IF;
    IF stage.archived_at IS NOT NULL OR stage.pipeline_archived_at IS NOT NULL THEN
        RAISE 'stage % is archived', NEW.stage_id USING ERRCODE = 'check_violation';
    END IF;

    effective := clock_timestamp();
    IF TG_OP = 'UPDATE' THEN
        effective := greatest(effective, OLD.stage_entered_at);
        NEW.move_no := OLD.move_no + 1;
    ELSE
        NEW.created_at := coalesce(NEW.created_at, effective);
    END IF;
    NEW.pipeline_id := stage.pipeline_id;
    NEW.status := stage.deal_status;
    NEW.stage_entered_at := effective;
    NEW.probability := coalesce(stage.probability, NEW.probability);
    IF stage.deal_status = 'won' THEN
        NEW.won_at := coalesce(NEW.won_at, effective);
    ELSE
        NEW.won_at := NULL;
    END IF;
    IF stage.deal_status = 'lost' THEN
        NEW.lost_at := effective;
    ELSE
        NEW.lost_at := NULL;
        NEW.lost_reason := NULL;
    END IF;
    IF NEW.amount IS NOT NULL AND NEW.currency IS NULL THEN
        NEW.currency := stage.currency;
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION plpgsql_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO plpgsql_changes (tenant_id, deal_id, from_pipeline_id, from_stage_id, to_pipeline_id, to_stage_id,
            entered_at, changed_at, move_no, from_status, to_status, amount, currency, probability, from_probability,
            changed_by, closing)
        VALUES (NEW.tenant_id, NEW.id, OLD.pipeline_id, OLD.stage_id, NEW.pipeline_id, NEW.stage_id,
            OLD.stage_entered_at, NEW.stage_entered_at, NEW.move_no, OLD.status, NEW.status, NEW.amount, NEW.currency,
            NEW.probability, OLD.probability, crm_current_actor(),
            CASE WHEN OLD.won_at IS NOT NULL OR OLD.lost_at IS NOT NULL
                THEN jsonb_build_object('won_at', OLD.won_at, 'lost_at', OLD.lost_at, 'lost_reason', OLD.lost_reason) END);
    RETURN NULL;
END $$;

-- Insert-only differences, as a row for each total would be locked by all.
CREATE FUNCTION plpgsql_totals() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.archived_at IS NULL THEN
        INSERT INTO plpgsql_totals VALUES (OLD.pipeline_id, OLD.stage_id, OLD.currency, OLD.value_period, -1,
            -(OLD.amount IS NULL)::integer, -coalesce(OLD.amount, 0), -coalesce(OLD.amount * OLD.probability, 0));
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.archived_at IS NULL THEN
        INSERT INTO plpgsql_totals VALUES (NEW.pipeline_id, NEW.stage_id, NEW.currency, NEW.value_period, 1,
            (NEW.amount IS NULL)::integer, coalesce(NEW.amount, 0), coalesce(NEW.amount * NEW.probability, 0));
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER plpgsql_rules BEFORE INSERT OR UPDATE ON deals FOR EACH ROW EXECUTE FUNCTION plpgsql_rules();
CREATE TRIGGER plpgsql_audit AFTER UPDATE ON deals FOR EACH ROW
    WHEN (OLD.stage_id IS DISTINCT FROM NEW.stage_id) EXECUTE FUNCTION plpgsql_audit();
CREATE TRIGGER plpgsql_totals AFTER INSERT OR DELETE ON deals FOR EACH ROW EXECUTE FUNCTION plpgsql_totals();
CREATE TRIGGER plpgsql_totals_update AFTER UPDATE ON deals FOR EACH ROW
    WHEN ((OLD.stage_id, OLD.amount, OLD.currency, OLD.probability, OLD.value_period, OLD.archived_at IS NULL)
        IS DISTINCT FROM (NEW.stage_id, NEW.amount, NEW.currency, NEW.probability, NEW.value_period, NEW.archived_at IS NULL))
    EXECUTE FUNCTION plpgsql_totals();

-- The other way to keep totals: a row for each, which every writer updates.
CREATE TABLE counters (stage_id uuid PRIMARY KEY, deals bigint NOT NULL, value numeric NOT NULL) WITH (fillfactor = 50);
INSERT INTO counters SELECT id, 0, 0 FROM stages;
CREATE FUNCTION plpgsql_counters() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- in the order of their ids, else two movers deadlock
    UPDATE counters SET deals = deals + CASE stage_id WHEN NEW.stage_id THEN 1 ELSE -1 END,
            value = value + CASE stage_id WHEN NEW.stage_id THEN coalesce(NEW.amount, 0) ELSE -coalesce(OLD.amount, 0) END
        WHERE stage_id = least(OLD.stage_id, NEW.stage_id);
    UPDATE counters SET deals = deals + CASE stage_id WHEN NEW.stage_id THEN 1 ELSE -1 END,
            value = value + CASE stage_id WHEN NEW.stage_id THEN coalesce(NEW.amount, 0) ELSE -coalesce(OLD.amount, 0) END
        WHERE stage_id = greatest(OLD.stage_id, NEW.stage_id);
    RETURN NULL;
END $$;
CREATE TRIGGER plpgsql_counters AFTER UPDATE ON deals FOR EACH ROW
    WHEN (OLD.stage_id IS DISTINCT FROM NEW.stage_id) EXECUTE FUNCTION plpgsql_counters();
