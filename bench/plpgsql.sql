-- The same rules, history and totals in PL/pgSQL row triggers on the same table,
-- as a careful author would write them.  Each writes to a table of its own that
-- is like crm's.
--
-- They do what crm does in the statements that are measured, including what it
-- looks at to find that there is nothing to do: columns not given, times cut to
-- milliseconds, contradictions, dated moves, archived stages, undone moves, a
-- lock against who changes the stage, the tenant, the actor, owner's rights.
-- Left out, all in favour of PL/pgSQL: errors in as many words as crm's and the
-- care that they tell no tenant of another's stages; that sums take the place of
-- differences now and then (here: some job's); the guard of the totals; undo_move
-- itself; rows of a dump; and deals that a statement skips in partitioned tables.
-- crm's own functions are used where PostgreSQL has none, for the ids.
CREATE TABLE plpgsql_changes (LIKE stage_changes INCLUDING ALL);
CREATE TABLE plpgsql_deal_changes (LIKE deal_changes INCLUDING ALL);
CREATE TABLE plpgsql_totals (
    pipeline_id uuid NOT NULL, stage_id uuid NOT NULL, currency text, value_period text NOT NULL,
    deals bigint NOT NULL, deals_without_amount bigint NOT NULL, deals_without_probability bigint NOT NULL,
    value numeric NOT NULL, weighted_value numeric NOT NULL);
CREATE INDEX ON plpgsql_totals (pipeline_id);

CREATE FUNCTION plpgsql_actor() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('crm.actor', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', session_user)
$$;

-- The stage that a deal is put into by its pipeline or status alone.
CREATE FUNCTION plpgsql_other_stage(pipeline uuid, new_status text, deal deals) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    found_id uuid;
    n integer;
BEGIN
    IF new_status = 'open' AND deal.status <> 'open' THEN
        SELECT from_stage_id INTO found_id FROM plpgsql_changes
            WHERE deal_id = deal.id AND from_status = 'open' AND reverts_id IS NULL ORDER BY move_no DESC LIMIT 1;
    ELSE
        SELECT id, count(*) OVER () INTO found_id, n FROM stages
            WHERE pipeline_id = pipeline AND deal_status = new_status AND archived_at IS NULL ORDER BY position LIMIT 1;
        IF n > 1 AND new_status <> 'open' THEN
            found_id := NULL;
        END IF;
    END IF;
    IF found_id IS NULL THEN
        RAISE 'pipeline % has not one stage for %', pipeline, new_status USING ERRCODE = 'check_violation';
    END IF;
    RETURN found_id;
END $$;

CREATE FUNCTION plpgsql_rules() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    stage record;
    clock timestamptz := clock_timestamp();
    effective timestamptz;
    setting text;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        -- Null is "not given" where there has to be a value.
        NEW.id := coalesce(NEW.id, OLD.id);
        NEW.tenant_id := coalesce(NEW.tenant_id, OLD.tenant_id);
        IF NEW.id <> OLD.id OR NEW.tenant_id <> OLD.tenant_id THEN
            RAISE 'id and tenant_id never change' USING ERRCODE = 'check_violation';
        END IF;
        NEW.pipeline_id := coalesce(NEW.pipeline_id, OLD.pipeline_id);
        NEW.stage_id := coalesce(NEW.stage_id, OLD.stage_id);
        NEW.status := coalesce(NEW.status, OLD.status);
        NEW.stage_entered_at := coalesce(NEW.stage_entered_at, OLD.stage_entered_at);
        NEW.created_at := coalesce(NEW.created_at, OLD.created_at);
        NEW.value_period := coalesce(NEW.value_period, OLD.value_period);
        NEW.metadata := coalesce(NEW.metadata, OLD.metadata);
        NEW.move_no := OLD.move_no;
        NEW.version := OLD.version + 1;
        NEW.updated_at := clock;
        IF NEW.amount IS NOT NULL AND NEW.currency IS NULL THEN
            NEW.currency := OLD.currency;
        END IF;

        -- Clients send times back in milliseconds.
        IF NEW.stage_entered_at <> OLD.stage_entered_at
                AND NEW.stage_entered_at = date_trunc('milliseconds', OLD.stage_entered_at) THEN
            NEW.stage_entered_at := OLD.stage_entered_at;
        END IF;
        IF NEW.won_at <> OLD.won_at AND NEW.won_at = date_trunc('milliseconds', OLD.won_at) THEN
            NEW.won_at := OLD.won_at;
        END IF;
        IF NEW.lost_at <> OLD.lost_at AND NEW.lost_at = date_trunc('milliseconds', OLD.lost_at) THEN
            NEW.lost_at := OLD.lost_at;
        END IF;

        -- undo_move writes the deal as it was.
        IF current_setting('plpgsql.undo_of_deal', true) = NEW.id::text THEN
            NEW.move_no := OLD.move_no + 1;
            RETURN NEW;
        END IF;

        IF NEW.stage_id = OLD.stage_id THEN
            IF NEW.pipeline_id <> OLD.pipeline_id THEN
                NEW.stage_id := plpgsql_other_stage(NEW.pipeline_id, CASE WHEN NEW.status = OLD.status THEN 'open' ELSE NEW.status END, OLD);
            ELSIF NEW.status <> OLD.status THEN
                NEW.stage_id := plpgsql_other_stage(NEW.pipeline_id, NEW.status, OLD);
            END IF;
        END IF;
        IF NEW.stage_id = OLD.stage_id THEN
            IF NEW.stage_entered_at <> OLD.stage_entered_at THEN
                RAISE 'stage_entered_at changes only when the deal moves' USING ERRCODE = 'check_violation';
            END IF;
            IF NEW.won_at IS DISTINCT FROM OLD.won_at OR NEW.lost_at IS DISTINCT FROM OLD.lost_at THEN
                NEW.won_at := coalesce(NEW.won_at, OLD.won_at);
                NEW.lost_at := coalesce(NEW.lost_at, OLD.lost_at);
                IF greatest(NEW.won_at, NEW.lost_at) > clock THEN
                    RAISE 'won_at and lost_at cannot be in the future' USING ERRCODE = 'check_violation';
                END IF;
            END IF;
            IF NEW.probability IS NULL AND NEW.status <> 'open' THEN
                NEW.probability := (NEW.status = 'won')::integer;
            END IF;
            RETURN NEW;
        END IF;
    ELSE
        IF NEW.stage_id IS NULL THEN
            NEW.pipeline_id := coalesce(NEW.pipeline_id,
                (SELECT id FROM pipelines WHERE tenant_id = NEW.tenant_id AND is_default));
            NEW.stage_id := plpgsql_other_stage(NEW.pipeline_id, NEW.status, NEW);
        END IF;
    END IF;

    -- Whoever changes the stage's status takes the lock alone; with a row lock all movers would write to the stage.
    PERFORM pg_advisory_xact_lock_shared(hashtextextended(NEW.stage_id::text, 0));
    SELECT s.pipeline_id, s.tenant_id, s.deal_status, s.probability, s.archived_at, p.archived_at AS pipeline_archived_at,
            p.currency
        INTO stage
        FROM stages AS s JOIN pipelines AS p ON p.id = s.pipeline_id
        WHERE s.id = NEW.stage_id;
    IF NOT FOUND OR stage.tenant_id <> NEW.tenant_id THEN
        RAISE 'stage % does not exist', NEW.stage_id USING ERRCODE = 'foreign_key_violation';
    END IF;

    effective := clock;
    setting := current_setting('crm.effective_at', true);
    IF TG_OP = 'UPDATE' THEN
        IF NEW.pipeline_id <> OLD.pipeline_id AND NEW.pipeline_id <> stage.pipeline_id
                OR NEW.status <> OLD.status AND NEW.status <> stage.deal_status THEN
            RAISE 'stage, pipeline and status contradict each other' USING ERRCODE = 'check_violation';
        END IF;
        IF NEW.stage_entered_at <> OLD.stage_entered_at THEN
            effective := NEW.stage_entered_at;
        ELSIF stage.deal_status = 'won' AND NEW.won_at IS DISTINCT FROM OLD.won_at AND NEW.won_at IS NOT NULL THEN
            effective := NEW.won_at;
        ELSIF stage.deal_status = 'lost' AND NEW.lost_at IS DISTINCT FROM OLD.lost_at AND NEW.lost_at IS NOT NULL THEN
            effective := NEW.lost_at;
        ELSIF setting <> '' THEN
            effective := setting::timestamptz;
        ELSE
            effective := greatest(effective, OLD.stage_entered_at);
        END IF;
        IF effective < OLD.stage_entered_at THEN
            RAISE 'deal % entered its present stage at %', NEW.id, OLD.stage_entered_at USING ERRCODE = 'check_violation';
        END IF;
        NEW.move_no := OLD.move_no + 1;
    ELSE
        effective := coalesce(NEW.stage_entered_at, NEW.created_at, nullif(setting, '')::timestamptz, effective);
        NEW.created_at := coalesce(NEW.created_at, effective);
    END IF;
    IF effective > clock OR effective = '-infinity' THEN
        RAISE 'deal % cannot enter a stage as of %', NEW.id, effective USING ERRCODE = 'check_violation';
    END IF;
    IF effective >= stage.archived_at
            OR effective >= stage.pipeline_archived_at AND (TG_OP = 'INSERT' OR stage.pipeline_id <> OLD.pipeline_id) THEN
        RAISE 'stage % is archived', NEW.stage_id USING ERRCODE = 'check_violation';
    END IF;

    NEW.pipeline_id := stage.pipeline_id;
    NEW.status := stage.deal_status;
    NEW.stage_entered_at := effective;
    IF stage.deal_status = 'won' THEN
        NEW.probability := 1;
        NEW.won_at := coalesce(NEW.won_at, effective);
    ELSE
        NEW.won_at := NULL;
    END IF;
    IF stage.deal_status = 'lost' THEN
        NEW.probability := 0;
        NEW.lost_at := coalesce(NEW.lost_at, effective);
    ELSE
        NEW.lost_at := NULL;
        NEW.lost_reason := NULL;
    END IF;
    IF stage.deal_status = 'open' AND (TG_OP = 'INSERT' AND NEW.probability IS NULL
            OR TG_OP = 'UPDATE' AND NEW.probability IS NOT DISTINCT FROM OLD.probability) THEN
        IF stage.probability IS NOT NULL THEN
            NEW.probability := stage.probability;
        ELSIF TG_OP = 'UPDATE' AND OLD.status <> 'open' THEN
            NEW.probability := NULL;
        END IF;
    END IF;
    IF NEW.amount IS NOT NULL AND NEW.currency IS NULL THEN
        NEW.currency := stage.currency;
    END IF;
    RETURN NEW;
END $$;

-- Those who move deals need no right to write history and totals by hand.
CREATE FUNCTION plpgsql_audit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = crm, extensions, pg_temp AS $$
DECLARE
    closing jsonb;
    reverts uuid;
BEGIN
    IF NEW.move_no = OLD.move_no THEN
        RAISE 'deal % was moved past the rules', NEW.id USING ERRCODE = 'triggered_action_exception';
    END IF;
    IF current_setting('plpgsql.undo_of_deal', true) = NEW.id::text THEN
        reverts := current_setting('plpgsql.undo_of_change', true)::uuid;
    END IF;
    IF OLD.won_at IS DISTINCT FROM NEW.won_at AND OLD.won_at IS NOT NULL
            OR OLD.lost_at IS DISTINCT FROM NEW.lost_at AND OLD.lost_at IS NOT NULL
            OR OLD.lost_reason IS DISTINCT FROM NEW.lost_reason AND OLD.lost_at IS NOT NULL THEN
        closing := jsonb_build_object('won_at', OLD.won_at, 'lost_at', OLD.lost_at, 'lost_reason', OLD.lost_reason);
    END IF;
    INSERT INTO plpgsql_changes (tenant_id, deal_id, from_pipeline_id, from_stage_id, to_pipeline_id, to_stage_id,
            entered_at, changed_at, move_no, from_status, to_status, amount, currency, value_period, probability,
            from_probability, changed_by, recorded_by, reverts_id, closing)
        VALUES (NEW.tenant_id, NEW.id, OLD.pipeline_id, OLD.stage_id, NEW.pipeline_id, NEW.stage_id,
            OLD.stage_entered_at, NEW.stage_entered_at, NEW.move_no, OLD.status, NEW.status, NEW.amount, NEW.currency,
            NEW.value_period, NEW.probability, OLD.probability, plpgsql_actor(), session_user, reverts, closing);
    RETURN NULL;
END $$;

CREATE FUNCTION plpgsql_deal_changes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = crm, extensions, pg_temp AS $$
DECLARE
    what text := 'updated';
    last record;
    deal deals := CASE WHEN TG_OP = 'INSERT' THEN NEW ELSE OLD END;
    effective timestamptz := clock_timestamp();
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT change, changed_at INTO last FROM plpgsql_deal_changes
            WHERE deal_id = NEW.id ORDER BY changed_at DESC, version DESC LIMIT 1;
        IF FOUND AND last.change <> 'deleted' THEN
            RETURN NULL;
        END IF;
        what := CASE WHEN FOUND THEN 'restored' ELSE 'created' END;
        effective := CASE WHEN FOUND THEN greatest(effective, last.changed_at) ELSE NEW.stage_entered_at END;
    ELSIF TG_OP = 'UPDATE' THEN
        IF (OLD.archived_at IS NULL) <> (NEW.archived_at IS NULL) THEN
            what := CASE WHEN NEW.archived_at IS NULL THEN 'unarchived' ELSE 'archived' END;
        END IF;
        effective := greatest(CASE WHEN NEW.stage_id <> OLD.stage_id THEN NEW.stage_entered_at
            ELSE coalesce(nullif(current_setting('crm.effective_at', true), '')::timestamptz, NEW.updated_at) END, OLD.stage_entered_at);
    ELSE
        what := 'deleted';
    END IF;
    INSERT INTO plpgsql_deal_changes (tenant_id, deal_id, pipeline_id, stage_id, status, move_no, stage_entered_at, change,
            version, changed_at, old_amount, old_currency, old_probability, old_value_period, old_expected_close_date,
            old_owner_id, old_archived_at, new_amount, new_currency, new_probability, new_value_period,
            new_expected_close_date, new_owner_id, new_archived_at, changed_by, recorded_by)
        VALUES (deal.tenant_id, deal.id, deal.pipeline_id, deal.stage_id, deal.status, deal.move_no, deal.stage_entered_at, what,
            coalesce(NEW.version, OLD.version + 1), effective, OLD.amount, OLD.currency, OLD.probability, OLD.value_period,
            OLD.expected_close_date, OLD.owner_id, OLD.archived_at, NEW.amount, NEW.currency, NEW.probability,
            NEW.value_period, NEW.expected_close_date, NEW.owner_id, NEW.archived_at, plpgsql_actor(), session_user);
    RETURN NULL;
END $$;

-- Insert-only differences, as a row for each total would be locked by all.
CREATE FUNCTION plpgsql_totals() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = crm, extensions, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.archived_at IS NULL AND NEW.archived_at IS NULL THEN
        INSERT INTO plpgsql_totals VALUES (OLD.pipeline_id, OLD.stage_id, OLD.currency, OLD.value_period, -1,
                -(OLD.amount IS NULL)::integer, -(OLD.probability IS NULL)::integer, -coalesce(OLD.amount, 0), -coalesce(OLD.amount * OLD.probability, 0)),
            (NEW.pipeline_id, NEW.stage_id, NEW.currency, NEW.value_period, 1,
                (NEW.amount IS NULL)::integer, (NEW.probability IS NULL)::integer, coalesce(NEW.amount, 0), coalesce(NEW.amount * NEW.probability, 0));
    ELSIF TG_OP <> 'INSERT' AND OLD.archived_at IS NULL THEN
        INSERT INTO plpgsql_totals VALUES (OLD.pipeline_id, OLD.stage_id, OLD.currency, OLD.value_period, -1,
            -(OLD.amount IS NULL)::integer, -(OLD.probability IS NULL)::integer, -coalesce(OLD.amount, 0), -coalesce(OLD.amount * OLD.probability, 0));
    ELSIF TG_OP <> 'DELETE' AND NEW.archived_at IS NULL THEN
        INSERT INTO plpgsql_totals VALUES (NEW.pipeline_id, NEW.stage_id, NEW.currency, NEW.value_period, 1,
            (NEW.amount IS NULL)::integer, (NEW.probability IS NULL)::integer, coalesce(NEW.amount, 0), coalesce(NEW.amount * NEW.probability, 0));
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER plpgsql_rules BEFORE INSERT OR UPDATE ON deals FOR EACH ROW EXECUTE FUNCTION plpgsql_rules();
CREATE TRIGGER plpgsql_audit AFTER UPDATE ON deals FOR EACH ROW
    WHEN (OLD.stage_id IS DISTINCT FROM NEW.stage_id) EXECUTE FUNCTION plpgsql_audit();
CREATE TRIGGER plpgsql_changes AFTER INSERT OR DELETE ON deals FOR EACH ROW EXECUTE FUNCTION plpgsql_deal_changes();
CREATE TRIGGER plpgsql_changes_update AFTER UPDATE ON deals FOR EACH ROW
    WHEN ((OLD.amount, OLD.currency, OLD.value_period, OLD.expected_close_date, OLD.owner_id, OLD.archived_at IS NULL)
        IS DISTINCT FROM (NEW.amount, NEW.currency, NEW.value_period, NEW.expected_close_date, NEW.owner_id, NEW.archived_at IS NULL)
        OR OLD.probability IS DISTINCT FROM NEW.probability AND OLD.stage_id = NEW.stage_id)
    EXECUTE FUNCTION plpgsql_deal_changes();
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
