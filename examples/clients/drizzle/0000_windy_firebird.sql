-- Current sql file was generated after introspecting the database
-- If you want to run this migration please uncomment this code before executing migrations
/*
CREATE SCHEMA "crm";
--> statement-breakpoint
CREATE SCHEMA "app";
--> statement-breakpoint
CREATE TABLE "crm"."stage_totals" (
	"tenant_id" uuid NOT NULL,
	"pipeline_id" uuid NOT NULL,
	"stage_id" uuid NOT NULL,
	"currency" text,
	"value_period" text NOT NULL,
	"deals" bigint NOT NULL,
	"deals_without_amount" bigint NOT NULL,
	"deals_without_probability" bigint NOT NULL,
	"value" numeric NOT NULL,
	"weighted_value" numeric NOT NULL
);
--> statement-breakpoint
ALTER TABLE "crm"."stage_totals" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "app"."users" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"password" text
);
--> statement-breakpoint
CREATE TABLE "crm"."deal_changes" (
	"id" uuid PRIMARY KEY DEFAULT crm_defaults.new_id() NOT NULL,
	"tenant_id" uuid NOT NULL,
	"deal_id" uuid NOT NULL,
	"pipeline_id" uuid NOT NULL,
	"stage_id" uuid NOT NULL,
	"stage_entered_at" timestamp with time zone NOT NULL,
	"changed_at" timestamp with time zone NOT NULL,
	"recorded_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"move_no" integer NOT NULL,
	"version" integer NOT NULL,
	"change" text NOT NULL,
	"status" text NOT NULL,
	"old_amount" numeric(19, 4),
	"new_amount" numeric(19, 4),
	"old_currency" text,
	"new_currency" text,
	"old_probability" numeric(5, 4),
	"new_probability" numeric(5, 4),
	"old_value_period" text,
	"new_value_period" text,
	"old_expected_close_date" date,
	"new_expected_close_date" date,
	"old_owner_id" uuid,
	"new_owner_id" uuid,
	"old_archived_at" timestamp with time zone,
	"new_archived_at" timestamp with time zone,
	"changed_by" text NOT NULL,
	"recorded_by" text NOT NULL,
	"with_move" integer,
	"other" jsonb,
	"reason" text,
	"superseded" jsonb,
	"correction_id" uuid,
	CONSTRAINT "deal_changes_change_check" CHECK (change = ANY (ARRAY['created'::text, 'updated'::text, 'edited'::text, 'archived'::text, 'unarchived'::text, 'deleted'::text, 'restored'::text, 'corrected'::text, 'erased'::text]))
);
--> statement-breakpoint
ALTER TABLE "crm"."deal_changes" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "crm"."stage_changes" (
	"id" uuid PRIMARY KEY DEFAULT crm_defaults.new_id() NOT NULL,
	"tenant_id" uuid NOT NULL,
	"deal_id" uuid NOT NULL,
	"from_pipeline_id" uuid NOT NULL,
	"from_stage_id" uuid NOT NULL,
	"to_pipeline_id" uuid NOT NULL,
	"to_stage_id" uuid NOT NULL,
	"entered_at" timestamp with time zone NOT NULL,
	"changed_at" timestamp with time zone NOT NULL,
	"recorded_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"move_no" integer NOT NULL,
	"reverts_no" integer,
	"from_status" text NOT NULL,
	"to_status" text NOT NULL,
	"amount" numeric(19, 4),
	"currency" text,
	"value_period" text DEFAULT 'one_time' NOT NULL,
	"probability" numeric(5, 4),
	"from_probability" numeric(5, 4),
	"changed_by" text NOT NULL,
	"recorded_by" text NOT NULL,
	"reverts_id" uuid,
	"closing" jsonb,
	"correction_id" uuid,
	CONSTRAINT "stage_changes_deal_id_move_no_key" UNIQUE("deal_id","move_no")
);
--> statement-breakpoint
ALTER TABLE "crm"."stage_changes" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE TABLE "crm"."deal_contacts" (
	"id" uuid PRIMARY KEY DEFAULT crm_defaults.new_id() NOT NULL,
	"tenant_id" uuid DEFAULT '00000000-0000-0000-0000-000000000000' NOT NULL,
	"deal_id" uuid NOT NULL,
	"contact_id" uuid NOT NULL,
	"role" text,
	"is_primary" boolean DEFAULT false NOT NULL,
	"metadata" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "deal_contacts_deal_id_contact_id_key" UNIQUE("deal_id","contact_id"),
	CONSTRAINT "deal_contacts_times_check" CHECK (CHECK (extensions.crm_are_times(created_at, updated_at),
	CONSTRAINT "deal_contacts_role_check" CHECK (extensions.crm_name_key(role) <> ''::text),
	CONSTRAINT "deal_contacts_metadata_check" CHECK (jsonb_typeof(metadata) = 'object'::text)
);
--> statement-breakpoint
CREATE TABLE "crm"."deals" (
	"id" uuid PRIMARY KEY DEFAULT crm_defaults.new_id() NOT NULL,
	"tenant_id" uuid DEFAULT '00000000-0000-0000-0000-000000000000' NOT NULL,
	"pipeline_id" uuid DEFAULT crm_defaults.filled_in_uuid() NOT NULL,
	"stage_id" uuid DEFAULT crm_defaults.filled_in_uuid() NOT NULL,
	"archived_at" timestamp with time zone,
	"amount" numeric(38, 4),
	"currency" text,
	"probability" numeric(38, 4),
	"value_period" text DEFAULT 'one_time' NOT NULL,
	"status" text DEFAULT 'auto' NOT NULL,
	"stage_entered_at" timestamp with time zone DEFAULT crm_defaults.filled_in_time() NOT NULL,
	"move_no" integer DEFAULT 0 NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"title" text NOT NULL,
	"description" text,
	"owner_id" uuid,
	"organization_id" uuid,
	"expected_close_date" date,
	"forecast_category" text,
	"won_at" timestamp with time zone,
	"lost_at" timestamp with time zone,
	"lost_reason" text,
	"external_id" text,
	"rank" text,
	"metadata" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT crm_defaults.filled_in_time() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "deals_external_id_key" UNIQUE("tenant_id","external_id"),
	CONSTRAINT "deals_check" CHECK (CHECK (extensions.crm_check_deal(tableoid, title, amount, currency, probability, won_at, lost_at, lost_reason, move_no, status),
	CONSTRAINT "deals_status_check" CHECK (status = ANY (ARRAY['open'::text, 'won'::text, 'lost'::text])),
	CONSTRAINT "deals_value_period_check" CHECK (value_period = ANY (ARRAY['one_time'::text, 'monthly'::text, 'quarterly'::text, 'annual'::text])),
	CONSTRAINT "deals_forecast_category_check" CHECK (forecast_category = ANY (ARRAY['pipeline'::text, 'best_case'::text, 'commit'::text, 'omitted'::text])),
	CONSTRAINT "deals_times_check" CHECK (CHECK (extensions.crm_are_times(archived_at, stage_entered_at, expected_close_date, won_at, lost_at, created_at, updated_at),
	CONSTRAINT "deals_metadata_check" CHECK (jsonb_typeof(metadata) = 'object'::text)
);
--> statement-breakpoint
CREATE TABLE "crm"."exchange_rates" (
	"id" uuid PRIMARY KEY DEFAULT crm_defaults.new_id() NOT NULL,
	"tenant_id" uuid DEFAULT '00000000-0000-0000-0000-000000000000' NOT NULL,
	"base" text NOT NULL,
	"quote" text NOT NULL,
	"valid_from" date DEFAULT crm_defaults.today_utc() NOT NULL,
	"rate" numeric NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "exchange_rates_valid_from_key" UNIQUE("tenant_id","base","quote","valid_from"),
	CONSTRAINT "exchange_rates_base_check" CHECK (CHECK (extensions.crm_is_currency(base),
	CONSTRAINT "exchange_rates_quote_check" CHECK (extensions.crm_is_currency(quote) AND (quote <> base)),
	CONSTRAINT "exchange_rates_rate_check" CHECK ((rate > (0)::numeric) AND (rate < 'Infinity'::numeric)),
	CONSTRAINT "exchange_rates_times_check" CHECK (CHECK (extensions.crm_are_times(valid_from, created_at, updated_at),
	CONSTRAINT "exchange_rates_tenant_id_check" CHECK (tenant_id = '00000000-0000-0000-0000-000000000000'::uuid)
);
--> statement-breakpoint
CREATE TABLE "crm"."pipelines" (
	"id" uuid PRIMARY KEY DEFAULT crm_defaults.new_id() NOT NULL,
	"tenant_id" uuid DEFAULT '00000000-0000-0000-0000-000000000000' NOT NULL,
	"name" text NOT NULL,
	"description" text,
	"is_default" boolean DEFAULT false NOT NULL,
	"currency" text DEFAULT 'USD' NOT NULL,
	"external_id" text,
	"metadata" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"archived_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "pipelines_external_id_key" UNIQUE("tenant_id","external_id"),
	CONSTRAINT "pipelines_name_check" CHECK (extensions.crm_name_key(name) <> ''::text),
	CONSTRAINT "pipelines_currency_check" CHECK (CHECK (extensions.crm_is_currency(currency),
	CONSTRAINT "pipelines_times_check" CHECK (CHECK (extensions.crm_are_times(archived_at, created_at, updated_at),
	CONSTRAINT "pipelines_metadata_check" CHECK (jsonb_typeof(metadata) = 'object'::text),
	CONSTRAINT "pipelines_tenant_id_check" CHECK (tenant_id = '00000000-0000-0000-0000-000000000000'::uuid)
);
--> statement-breakpoint
CREATE TABLE "crm"."stages" (
	"id" uuid PRIMARY KEY DEFAULT crm_defaults.new_id() NOT NULL,
	"tenant_id" uuid DEFAULT '00000000-0000-0000-0000-000000000000' NOT NULL,
	"pipeline_id" uuid NOT NULL,
	"name" text NOT NULL,
	"position" integer DEFAULT crm_defaults.filled_in_integer() NOT NULL,
	"deal_status" text DEFAULT 'auto' NOT NULL,
	"probability" numeric(38, 4),
	"rotting_days" integer,
	"forecast_category" text,
	"external_id" text,
	"metadata" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"archived_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "stages_external_id_key" UNIQUE("tenant_id","external_id"),
	CONSTRAINT "stages_name_check" CHECK (extensions.crm_name_key(name) <> ''::text),
	CONSTRAINT "stages_deal_status_check" CHECK (deal_status = ANY (ARRAY['open'::text, 'won'::text, 'lost'::text])),
	CONSTRAINT "stages_probability_check" CHECK (CHECK (
CASE deal_status
    WHEN 'won'::text THEN COALESCE((probability = (1)::numeric), false)
    WHEN 'lost'::text THEN COALESCE((probability = (0)::numeric), false)
    ELSE ((probability >= (0)::numeric) AND (probability <= (1)::numeric))
END)),
	CONSTRAINT "stages_rotting_days_check" CHECK (rotting_days > 0),
	CONSTRAINT "stages_forecast_category_check" CHECK (CHECK (
CASE deal_status
    WHEN 'won'::text THEN (forecast_category = ANY (ARRAY['closed'::text, 'omitted'::text]))
    WHEN 'lost'::text THEN (forecast_category = 'omitted'::text)
    ELSE (forecast_category = ANY (ARRAY['pipeline'::text, 'best_case'::text, 'commit'::text, 'omitted'::text]))
END)),
	CONSTRAINT "stages_times_check" CHECK (CHECK (extensions.crm_are_times(archived_at, created_at, updated_at),
	CONSTRAINT "stages_metadata_check" CHECK (jsonb_typeof(metadata) = 'object'::text)
);
--> statement-breakpoint
CREATE TABLE "crm"."tags" (
	"id" uuid PRIMARY KEY DEFAULT crm_defaults.new_id() NOT NULL,
	"tenant_id" uuid DEFAULT '00000000-0000-0000-0000-000000000000' NOT NULL,
	"name" text NOT NULL,
	"color" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "tags_times_check" CHECK (CHECK (extensions.crm_are_times(created_at, updated_at),
	CONSTRAINT "tags_name_check" CHECK (extensions.crm_name_key(name) <> ''::text),
	CONSTRAINT "tags_tenant_id_check" CHECK (tenant_id = '00000000-0000-0000-0000-000000000000'::uuid)
);
--> statement-breakpoint
CREATE TABLE "app"."people" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"email" text
);
--> statement-breakpoint
CREATE TABLE "crm"."deal_tags" (
	"deal_id" uuid NOT NULL,
	"tag_id" uuid NOT NULL,
	"tenant_id" uuid DEFAULT '00000000-0000-0000-0000-000000000000' NOT NULL,
	"id" uuid DEFAULT crm_defaults.new_id() NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "deal_tags_pkey" PRIMARY KEY("deal_id","tag_id"),
	CONSTRAINT "deal_tags_id_key" UNIQUE("id"),
	CONSTRAINT "deal_tags_times_check" CHECK (CHECK (extensions.crm_are_times(created_at, updated_at)
);
--> statement-breakpoint
ALTER TABLE "crm"."deal_contacts" ADD CONSTRAINT "deal_contacts_deal_id_fkey" FOREIGN KEY ("deal_id") REFERENCES "crm"."deals"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crm"."deal_contacts" ADD CONSTRAINT "deal_contacts_contact_id_fkey" FOREIGN KEY ("contact_id") REFERENCES "app"."people"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crm"."deals" ADD CONSTRAINT "deals_pipeline_id_fkey" FOREIGN KEY ("pipeline_id") REFERENCES "crm"."pipelines"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crm"."deals" ADD CONSTRAINT "deals_stage_id_fkey" FOREIGN KEY ("stage_id") REFERENCES "crm"."stages"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crm"."deals" ADD CONSTRAINT "deals_owner_id_fkey" FOREIGN KEY ("owner_id") REFERENCES "app"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crm"."stages" ADD CONSTRAINT "stages_pipeline_id_fkey" FOREIGN KEY ("pipeline_id") REFERENCES "crm"."pipelines"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crm"."deal_tags" ADD CONSTRAINT "deal_tags_deal_id_fkey" FOREIGN KEY ("deal_id") REFERENCES "crm"."deals"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "crm"."deal_tags" ADD CONSTRAINT "deal_tags_tag_id_fkey" FOREIGN KEY ("tag_id") REFERENCES "crm"."tags"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "stage_totals_pipeline_id_idx" ON "crm"."stage_totals" USING btree ("pipeline_id" uuid_ops);--> statement-breakpoint
CREATE INDEX "deal_changes_changed_at_idx" ON "crm"."deal_changes" USING btree ("changed_at" timestamptz_ops) WHERE (change <> 'created'::text);--> statement-breakpoint
CREATE INDEX "deal_changes_deal_id_changed_at_idx" ON "crm"."deal_changes" USING btree ("deal_id" timestamptz_ops,"changed_at" timestamptz_ops);--> statement-breakpoint
CREATE INDEX "stage_changes_changed_at_idx" ON "crm"."stage_changes" USING brin ("changed_at" timestamptz_minmax_ops,"entered_at" timestamptz_minmax_ops) WITH (pages_per_range=32);--> statement-breakpoint
CREATE INDEX "stage_changes_pipeline_idx" ON "crm"."stage_changes" USING btree ("from_pipeline_id" uuid_ops,"to_pipeline_id" uuid_ops);--> statement-breakpoint
CREATE INDEX "stage_changes_reverts_no_idx" ON "crm"."stage_changes" USING btree ("to_pipeline_id" uuid_ops) WHERE (reverts_no IS NOT NULL);--> statement-breakpoint
CREATE INDEX "deal_contacts_contact_id_idx" ON "crm"."deal_contacts" USING btree ("contact_id" uuid_ops);--> statement-breakpoint
CREATE UNIQUE INDEX "deal_contacts_primary_key" ON "crm"."deal_contacts" USING btree (deal_id bool_ops,((is_primary IS TRUE)) uuid_ops) WHERE is_primary;--> statement-breakpoint
CREATE INDEX "deals_expected_close_date_idx" ON "crm"."deals" USING btree ("tenant_id" uuid_ops,"expected_close_date" date_ops) WHERE (status = 'open'::text);--> statement-breakpoint
CREATE INDEX "deals_owner_id_idx" ON "crm"."deals" USING btree ("owner_id" uuid_ops) WHERE (status = 'open'::text);--> statement-breakpoint
CREATE INDEX "deals_owner_id_link_idx" ON "crm"."deals" USING btree ("owner_id" uuid_ops) WHERE (owner_id IS NOT NULL);--> statement-breakpoint
CREATE INDEX "deals_pipeline_id_idx" ON "crm"."deals" USING btree ("pipeline_id" uuid_ops);--> statement-breakpoint
CREATE INDEX "deals_stage_id_rank_idx" ON "crm"."deals" USING btree ("stage_id" uuid_ops,"rank" uuid_ops);--> statement-breakpoint
CREATE UNIQUE INDEX "pipelines_default_key" ON "crm"."pipelines" USING btree (tenant_id bool_ops,((is_default IS TRUE)) bool_ops) WHERE is_default;--> statement-breakpoint
CREATE UNIQUE INDEX "pipelines_name_key" ON "crm"."pipelines" USING btree (tenant_id text_ops,extensions.crm_name_key(name) text_ops) WHERE (archived_at IS NULL);--> statement-breakpoint
CREATE UNIQUE INDEX "stages_name_key" ON "crm"."stages" USING btree (pipeline_id uuid_ops,extensions.crm_name_key(name) text_ops) WHERE (archived_at IS NULL);--> statement-breakpoint
CREATE INDEX "stages_pipeline_id_idx" ON "crm"."stages" USING btree ("pipeline_id" uuid_ops);--> statement-breakpoint
CREATE UNIQUE INDEX "stages_position_key" ON "crm"."stages" USING btree ("pipeline_id" int4_ops,"position" int4_ops) WHERE (archived_at IS NULL);--> statement-breakpoint
CREATE UNIQUE INDEX "tags_name_key" ON "crm"."tags" USING btree (tenant_id text_ops,extensions.crm_name_key(name) text_ops);--> statement-breakpoint
CREATE INDEX "deal_tags_tag_id_idx" ON "crm"."deal_tags" USING btree ("tag_id" uuid_ops);--> statement-breakpoint
CREATE VIEW "crm"."contacts" WITH (security_invoker = true) AS (SELECT c.id, c.name, c.email FROM app.people c);--> statement-breakpoint
CREATE VIEW "crm"."deal_pushes" WITH (security_invoker = true) AS (SELECT x.tenant_id, x.deal_id, x.version, x.old_expected_close_date, x.new_expected_close_date, x.months, x.new_expected_close_date - x.old_expected_close_date AS days, x.pushed_at, x.pushed_by, x.owner_id FROM ( SELECT c.tenant_id, c.deal_id, c.version, c.old_expected_close_date, c.new_expected_close_date, c.changed_at AS pushed_at, c.changed_by AS pushed_by, c.old_owner_id AS owner_id, (12::numeric * (EXTRACT(year FROM c.new_expected_close_date) - EXTRACT(year FROM c.old_expected_close_date)) + EXTRACT(month FROM c.new_expected_close_date) - EXTRACT(month FROM c.old_expected_close_date))::integer AS months FROM deal_changes c WHERE c.new_expected_close_date > c.old_expected_close_date AND isfinite(c.new_expected_close_date) AND isfinite(c.old_expected_close_date)) x WHERE x.months > 0);--> statement-breakpoint
CREATE VIEW "crm"."owners" WITH (security_invoker = true) AS (SELECT c.id, c.name FROM app.users c);--> statement-breakpoint
CREATE VIEW "crm"."pipeline_stage_summary" WITH (security_invoker = true) AS (SELECT p.id AS pipeline_id, p.name AS pipeline_name, s.id AS stage_id, s.name AS stage_name, s."position", s.deal_status, r.currency, r.value_period, r.deals, r.deals_without_amount, r.deals_without_probability, r.value, r.weighted_value FROM ( SELECT d.pipeline_id, extensions.crm_pipeline_summary(d.stage_id, d.amount, d.currency, d.probability, d.value_period) AS summary FROM deals d WHERE d.archived_at IS NULL GROUP BY d.pipeline_id) t CROSS JOIN LATERAL extensions.crm_summary_rows(t.summary) r(stage_id, currency, value_period, deals, deals_without_amount, deals_without_probability, value, weighted_value) JOIN stages s ON s.id = r.stage_id JOIN pipelines p ON p.id = t.pipeline_id);--> statement-breakpoint
CREATE VIEW "crm"."rotting_deals" WITH (security_invoker = true) AS (SELECT d.id AS deal_id, d.title, d.pipeline_id, d.stage_id, s.name AS stage_name, d.owner_id, extensions.crm_linked_name(n.crm, 'owners'::text, d.owner_id) AS owner_name, d.amount, d.currency, d.expected_close_date, d.stage_entered_at, s.rotting_days, round(EXTRACT(epoch FROM now() - d.stage_entered_at) / 86400::numeric, 6) AS days_in_stage, round(EXTRACT(epoch FROM now() - d.stage_entered_at) / 86400::numeric, 6) - s.rotting_days::numeric AS days_over FROM stages s JOIN deals d ON d.stage_id = s.id CROSS JOIN ( SELECT c.relnamespace::regnamespace AS crm FROM pg_class c WHERE c.oid = 'deals'::regclass::oid) n WHERE d.status = 'open'::text AND d.archived_at IS NULL AND EXTRACT(epoch FROM now() - d.stage_entered_at) > (86400::numeric * s.rotting_days::numeric));--> statement-breakpoint
CREATE VIEW "crm"."stage_forecast_categories" WITH (security_invoker = true) AS (SELECT s.id AS stage_id, s.tenant_id, s.pipeline_id, COALESCE(s.forecast_category, CASE s.deal_status WHEN 'won'::text THEN 'closed'::text WHEN 'lost'::text THEN 'omitted'::text ELSE CASE s.open_stages - s.place WHEN 0 THEN CASE WHEN s.open_stages > 2 THEN 'commit'::text WHEN s.open_stages = 2 THEN 'best_case'::text ELSE NULL::text END WHEN 1 THEN CASE WHEN s.open_stages > 2 THEN 'best_case'::text ELSE NULL::text END ELSE NULL::text END END, 'pipeline'::text) AS forecast_category, s.forecast_category IS NULL AS is_default FROM ( SELECT g.id, g.tenant_id, g.pipeline_id, g.deal_status, g.forecast_category, row_number() OVER w AS place, count(*) OVER (PARTITION BY g.pipeline_id, g.deal_status, (g.archived_at IS NULL)) AS open_stages FROM stages g WINDOW w AS (PARTITION BY g.pipeline_id, g.deal_status, (g.archived_at IS NULL) ORDER BY g."position")) s);--> statement-breakpoint
CREATE VIEW "crm"."stage_visits" WITH (security_invoker = true) AS (SELECT c.tenant_id, c.deal_id, c.move_no AS visit_no, c.from_pipeline_id AS pipeline_id, c.from_stage_id AS stage_id, c.from_status AS status, c.entered_at, c.changed_at AS exited_at, c.changed_at - c.entered_at AS duration, c.to_pipeline_id AS next_pipeline_id, c.to_stage_id AS next_stage_id, c.to_status AS next_status FROM stage_changes c WHERE c.reverts_no IS NULL AND NOT (EXISTS ( SELECT FROM stage_changes r WHERE r.deal_id = c.deal_id AND r.tenant_id = c.tenant_id AND r.reverts_no = c.move_no)) UNION ALL SELECT d.tenant_id, d.id AS deal_id, LEAST(d.move_no, 2147483646) + 1 AS visit_no, d.pipeline_id, d.stage_id, d.status, d.stage_entered_at AS entered_at, NULL::timestamp with time zone AS exited_at, NULL::interval AS duration, NULL::uuid AS next_pipeline_id, NULL::uuid AS next_stage_id, NULL::text AS next_status FROM deals d);--> statement-breakpoint
CREATE POLICY "deals" ON "crm"."deal_changes" AS PERMISSIVE FOR ALL TO public USING ((( SELECT extensions.crm_sees_all_deals('deals'::regclass) AS crm_sees_all_deals) OR (EXISTS ( SELECT
   FROM deals d
  WHERE (d.id = deal_changes.deal_id)))));--> statement-breakpoint
CREATE POLICY "deals" ON "crm"."stage_changes" AS PERMISSIVE FOR ALL TO public USING ((( SELECT extensions.crm_sees_all_deals('deals'::regclass) AS crm_sees_all_deals) OR (EXISTS ( SELECT
   FROM deals d
  WHERE (d.id = stage_changes.deal_id)))));
*/