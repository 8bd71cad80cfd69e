import { pgTable, pgSchema, index, uuid, text, bigint, numeric, pgPolicy, check, timestamp, integer, date, jsonb, unique, uniqueIndex, foreignKey, boolean, primaryKey, interval } from "drizzle-orm/pg-core"
import { sql } from "drizzle-orm"

export const crm = pgSchema("crm");
export const app = pgSchema("app");


export const stageTotalsInCrm = crm.table("stage_totals", {
	tenantId: uuid("tenant_id").notNull(),
	pipelineId: uuid("pipeline_id").notNull(),
	stageId: uuid("stage_id").notNull(),
	currency: text(),
	valuePeriod: text("value_period").notNull(),
	// You can use { mode: "bigint" } if numbers are exceeding js number limitations
	deals: bigint({ mode: "number" }).notNull(),
	// You can use { mode: "bigint" } if numbers are exceeding js number limitations
	dealsWithoutAmount: bigint("deals_without_amount", { mode: "number" }).notNull(),
	// You can use { mode: "bigint" } if numbers are exceeding js number limitations
	dealsWithoutProbability: bigint("deals_without_probability", { mode: "number" }).notNull(),
	value: numeric().notNull(),
	weightedValue: numeric("weighted_value").notNull(),
}, (table) => [
	index("stage_totals_pipeline_id_idx").using("btree", table.pipelineId.asc().nullsLast().op("uuid_ops")),
]);

export const usersInApp = app.table("users", {
	id: uuid().defaultRandom().primaryKey().notNull(),
	name: text().notNull(),
	password: text(),
});

export const dealChangesInCrm = crm.table("deal_changes", {
	id: uuid().default(sql`crm_defaults.new_id()`).primaryKey().notNull(),
	tenantId: uuid("tenant_id").notNull(),
	dealId: uuid("deal_id").notNull(),
	pipelineId: uuid("pipeline_id").notNull(),
	stageId: uuid("stage_id").notNull(),
	stageEnteredAt: timestamp("stage_entered_at", { withTimezone: true, mode: 'string' }).notNull(),
	changedAt: timestamp("changed_at", { withTimezone: true, mode: 'string' }).notNull(),
	recordedAt: timestamp("recorded_at", { withTimezone: true, mode: 'string' }).default(sql`clock_timestamp()`).notNull(),
	moveNo: integer("move_no").notNull(),
	version: integer().notNull(),
	change: text().notNull(),
	status: text().notNull(),
	oldAmount: numeric("old_amount", { precision: 19, scale:  4 }),
	newAmount: numeric("new_amount", { precision: 19, scale:  4 }),
	oldCurrency: text("old_currency"),
	newCurrency: text("new_currency"),
	oldProbability: numeric("old_probability", { precision: 5, scale:  4 }),
	newProbability: numeric("new_probability", { precision: 5, scale:  4 }),
	oldValuePeriod: text("old_value_period"),
	newValuePeriod: text("new_value_period"),
	oldExpectedCloseDate: date("old_expected_close_date"),
	newExpectedCloseDate: date("new_expected_close_date"),
	oldOwnerId: uuid("old_owner_id"),
	newOwnerId: uuid("new_owner_id"),
	oldArchivedAt: timestamp("old_archived_at", { withTimezone: true, mode: 'string' }),
	newArchivedAt: timestamp("new_archived_at", { withTimezone: true, mode: 'string' }),
	changedBy: text("changed_by").notNull(),
	recordedBy: text("recorded_by").notNull(),
	withMove: integer("with_move"),
	other: jsonb(),
	reason: text(),
	superseded: jsonb(),
	correctionId: uuid("correction_id"),
}, (table) => [
	index("deal_changes_changed_at_idx").using("btree", table.changedAt.asc().nullsLast().op("timestamptz_ops")).where(sql`(change <> 'created'::text)`),
	index("deal_changes_deal_id_changed_at_idx").using("btree", table.dealId.asc().nullsLast().op("timestamptz_ops"), table.changedAt.asc().nullsLast().op("timestamptz_ops")),
	pgPolicy("deals", { as: "permissive", for: "all", to: ["public"], using: sql`(( SELECT extensions.crm_sees_all_deals('deals'::regclass) AS crm_sees_all_deals) OR (EXISTS ( SELECT
   FROM deals d
  WHERE (d.id = deal_changes.deal_id))))` }),
	check("deal_changes_change_check", sql`change = ANY (ARRAY['created'::text, 'updated'::text, 'edited'::text, 'archived'::text, 'unarchived'::text, 'deleted'::text, 'restored'::text, 'corrected'::text, 'erased'::text])`),
]);

export const stageChangesInCrm = crm.table("stage_changes", {
	id: uuid().default(sql`crm_defaults.new_id()`).primaryKey().notNull(),
	tenantId: uuid("tenant_id").notNull(),
	dealId: uuid("deal_id").notNull(),
	fromPipelineId: uuid("from_pipeline_id").notNull(),
	fromStageId: uuid("from_stage_id").notNull(),
	toPipelineId: uuid("to_pipeline_id").notNull(),
	toStageId: uuid("to_stage_id").notNull(),
	enteredAt: timestamp("entered_at", { withTimezone: true, mode: 'string' }).notNull(),
	changedAt: timestamp("changed_at", { withTimezone: true, mode: 'string' }).notNull(),
	recordedAt: timestamp("recorded_at", { withTimezone: true, mode: 'string' }).default(sql`clock_timestamp()`).notNull(),
	moveNo: integer("move_no").notNull(),
	revertsNo: integer("reverts_no"),
	fromStatus: text("from_status").notNull(),
	toStatus: text("to_status").notNull(),
	amount: numeric({ precision: 19, scale:  4 }),
	currency: text(),
	valuePeriod: text("value_period").default('one_time').notNull(),
	probability: numeric({ precision: 5, scale:  4 }),
	fromProbability: numeric("from_probability", { precision: 5, scale:  4 }),
	changedBy: text("changed_by").notNull(),
	recordedBy: text("recorded_by").notNull(),
	revertsId: uuid("reverts_id"),
	closing: jsonb(),
	correctionId: uuid("correction_id"),
}, (table) => [
	index("stage_changes_changed_at_idx").using("brin", table.changedAt.asc().nullsLast().op("timestamptz_minmax_ops"), table.enteredAt.asc().nullsLast().op("timestamptz_minmax_ops")).with({pages_per_range: "32"}),
	index("stage_changes_pipeline_idx").using("btree", table.fromPipelineId.asc().nullsLast().op("uuid_ops"), table.toPipelineId.asc().nullsLast().op("uuid_ops")),
	index("stage_changes_reverts_no_idx").using("btree", table.toPipelineId.asc().nullsLast().op("uuid_ops")).where(sql`(reverts_no IS NOT NULL)`),
	unique("stage_changes_deal_id_move_no_key").on(table.dealId, table.moveNo),
	pgPolicy("deals", { as: "permissive", for: "all", to: ["public"], using: sql`(( SELECT extensions.crm_sees_all_deals('deals'::regclass) AS crm_sees_all_deals) OR (EXISTS ( SELECT
   FROM deals d
  WHERE (d.id = stage_changes.deal_id))))` }),
]);

export const dealContactsInCrm = crm.table("deal_contacts", {
	id: uuid().default(sql`crm_defaults.new_id()`).primaryKey().notNull(),
	tenantId: uuid("tenant_id").default(sql`'00000000-0000-0000-0000-000000000000'`).notNull(),
	dealId: uuid("deal_id").notNull(),
	contactId: uuid("contact_id").notNull(),
	role: text(),
	isPrimary: boolean("is_primary").default(false).notNull(),
	metadata: jsonb().default({}).notNull(),
	createdAt: timestamp("created_at", { withTimezone: true, mode: 'string' }).defaultNow().notNull(),
	updatedAt: timestamp("updated_at", { withTimezone: true, mode: 'string' }).defaultNow().notNull(),
}, (table) => [
	index("deal_contacts_contact_id_idx").using("btree", table.contactId.asc().nullsLast().op("uuid_ops")),
	uniqueIndex("deal_contacts_primary_key").using("btree", sql`deal_id`, sql`((is_primary IS TRUE))`).where(sql`is_primary`),
	foreignKey({
			columns: [table.dealId],
			foreignColumns: [dealsInCrm.id],
			name: "deal_contacts_deal_id_fkey"
		}).onDelete("cascade"),
	foreignKey({
			columns: [table.contactId],
			foreignColumns: [peopleInApp.id],
			name: "deal_contacts_contact_id_fkey"
		}),
	unique("deal_contacts_deal_id_contact_id_key").on(table.dealId, table.contactId),
	check("deal_contacts_times_check", sql`CHECK (extensions.crm_are_times(created_at, updated_at`),
	check("deal_contacts_role_check", sql`extensions.crm_name_key(role) <> ''::text`),
	check("deal_contacts_metadata_check", sql`jsonb_typeof(metadata) = 'object'::text`),
]);

export const dealsInCrm = crm.table("deals", {
	id: uuid().default(sql`crm_defaults.new_id()`).primaryKey().notNull(),
	tenantId: uuid("tenant_id").default(sql`'00000000-0000-0000-0000-000000000000'`).notNull(),
	pipelineId: uuid("pipeline_id").default(sql`crm_defaults.filled_in_uuid()`).notNull(),
	stageId: uuid("stage_id").default(sql`crm_defaults.filled_in_uuid()`).notNull(),
	archivedAt: timestamp("archived_at", { withTimezone: true, mode: 'string' }),
	amount: numeric({ precision: 38, scale:  4 }),
	currency: text(),
	probability: numeric({ precision: 38, scale:  4 }),
	valuePeriod: text("value_period").default('one_time').notNull(),
	status: text().default('auto').notNull(),
	stageEnteredAt: timestamp("stage_entered_at", { withTimezone: true, mode: 'string' }).default(sql`crm_defaults.filled_in_time()`).notNull(),
	moveNo: integer("move_no").default(0).notNull(),
	version: integer().default(1).notNull(),
	title: text().notNull(),
	description: text(),
	ownerId: uuid("owner_id"),
	organizationId: uuid("organization_id"),
	expectedCloseDate: date("expected_close_date"),
	forecastCategory: text("forecast_category"),
	wonAt: timestamp("won_at", { withTimezone: true, mode: 'string' }),
	lostAt: timestamp("lost_at", { withTimezone: true, mode: 'string' }),
	lostReason: text("lost_reason"),
	externalId: text("external_id"),
	rank: text(),
	metadata: jsonb().default({}).notNull(),
	createdAt: timestamp("created_at", { withTimezone: true, mode: 'string' }).default(sql`crm_defaults.filled_in_time()`).notNull(),
	updatedAt: timestamp("updated_at", { withTimezone: true, mode: 'string' }).defaultNow().notNull(),
}, (table) => [
	index("deals_expected_close_date_idx").using("btree", table.tenantId.asc().nullsLast().op("uuid_ops"), table.expectedCloseDate.asc().nullsLast().op("date_ops")).where(sql`(status = 'open'::text)`),
	index("deals_owner_id_idx").using("btree", table.ownerId.asc().nullsLast().op("uuid_ops")).where(sql`(status = 'open'::text)`),
	index("deals_owner_id_link_idx").using("btree", table.ownerId.asc().nullsLast().op("uuid_ops")).where(sql`(owner_id IS NOT NULL)`),
	index("deals_pipeline_id_idx").using("btree", table.pipelineId.asc().nullsLast().op("uuid_ops")),
	index("deals_stage_id_rank_idx").using("btree", table.stageId.asc().nullsLast().op("uuid_ops"), table.rank.asc().nullsLast().op("uuid_ops")),
	foreignKey({
			columns: [table.pipelineId],
			foreignColumns: [pipelinesInCrm.id],
			name: "deals_pipeline_id_fkey"
		}),
	foreignKey({
			columns: [table.stageId],
			foreignColumns: [stagesInCrm.id],
			name: "deals_stage_id_fkey"
		}),
	foreignKey({
			columns: [table.ownerId],
			foreignColumns: [usersInApp.id],
			name: "deals_owner_id_fkey"
		}),
	unique("deals_external_id_key").on(table.tenantId, table.externalId),
	check("deals_check", sql`CHECK (extensions.crm_check_deal(tableoid, title, amount, currency, probability, won_at, lost_at, lost_reason, move_no, status`),
	check("deals_status_check", sql`status = ANY (ARRAY['open'::text, 'won'::text, 'lost'::text])`),
	check("deals_value_period_check", sql`value_period = ANY (ARRAY['one_time'::text, 'monthly'::text, 'quarterly'::text, 'annual'::text])`),
	check("deals_forecast_category_check", sql`forecast_category = ANY (ARRAY['pipeline'::text, 'best_case'::text, 'commit'::text, 'omitted'::text])`),
	check("deals_times_check", sql`CHECK (extensions.crm_are_times(archived_at, stage_entered_at, expected_close_date, won_at, lost_at, created_at, updated_at`),
	check("deals_metadata_check", sql`jsonb_typeof(metadata) = 'object'::text`),
]);

export const exchangeRatesInCrm = crm.table("exchange_rates", {
	id: uuid().default(sql`crm_defaults.new_id()`).primaryKey().notNull(),
	tenantId: uuid("tenant_id").default(sql`'00000000-0000-0000-0000-000000000000'`).notNull(),
	base: text().notNull(),
	quote: text().notNull(),
	validFrom: date("valid_from").default(sql`crm_defaults.today_utc()`).notNull(),
	rate: numeric().notNull(),
	createdAt: timestamp("created_at", { withTimezone: true, mode: 'string' }).defaultNow().notNull(),
	updatedAt: timestamp("updated_at", { withTimezone: true, mode: 'string' }).defaultNow().notNull(),
}, (table) => [
	unique("exchange_rates_valid_from_key").on(table.tenantId, table.base, table.quote, table.validFrom),
	check("exchange_rates_base_check", sql`CHECK (extensions.crm_is_currency(base`),
	check("exchange_rates_quote_check", sql`extensions.crm_is_currency(quote) AND (quote <> base)`),
	check("exchange_rates_rate_check", sql`(rate > (0)::numeric) AND (rate < 'Infinity'::numeric)`),
	check("exchange_rates_times_check", sql`CHECK (extensions.crm_are_times(valid_from, created_at, updated_at`),
	check("exchange_rates_tenant_id_check", sql`tenant_id = '00000000-0000-0000-0000-000000000000'::uuid`),
]);

export const pipelinesInCrm = crm.table("pipelines", {
	id: uuid().default(sql`crm_defaults.new_id()`).primaryKey().notNull(),
	tenantId: uuid("tenant_id").default(sql`'00000000-0000-0000-0000-000000000000'`).notNull(),
	name: text().notNull(),
	description: text(),
	isDefault: boolean("is_default").default(false).notNull(),
	currency: text().default('USD').notNull(),
	externalId: text("external_id"),
	metadata: jsonb().default({}).notNull(),
	archivedAt: timestamp("archived_at", { withTimezone: true, mode: 'string' }),
	createdAt: timestamp("created_at", { withTimezone: true, mode: 'string' }).defaultNow().notNull(),
	updatedAt: timestamp("updated_at", { withTimezone: true, mode: 'string' }).defaultNow().notNull(),
}, (table) => [
	uniqueIndex("pipelines_default_key").using("btree", sql`tenant_id`, sql`((is_default IS TRUE))`).where(sql`is_default`),
	uniqueIndex("pipelines_name_key").using("btree", sql`tenant_id`, sql`extensions.crm_name_key(name)`).where(sql`(archived_at IS NULL)`),
	unique("pipelines_external_id_key").on(table.tenantId, table.externalId),
	check("pipelines_name_check", sql`extensions.crm_name_key(name) <> ''::text`),
	check("pipelines_currency_check", sql`CHECK (extensions.crm_is_currency(currency`),
	check("pipelines_times_check", sql`CHECK (extensions.crm_are_times(archived_at, created_at, updated_at`),
	check("pipelines_metadata_check", sql`jsonb_typeof(metadata) = 'object'::text`),
	check("pipelines_tenant_id_check", sql`tenant_id = '00000000-0000-0000-0000-000000000000'::uuid`),
]);

export const stagesInCrm = crm.table("stages", {
	id: uuid().default(sql`crm_defaults.new_id()`).primaryKey().notNull(),
	tenantId: uuid("tenant_id").default(sql`'00000000-0000-0000-0000-000000000000'`).notNull(),
	pipelineId: uuid("pipeline_id").notNull(),
	name: text().notNull(),
	position: integer().default(sql`crm_defaults.filled_in_integer()`).notNull(),
	dealStatus: text("deal_status").default('auto').notNull(),
	probability: numeric({ precision: 38, scale:  4 }),
	rottingDays: integer("rotting_days"),
	forecastCategory: text("forecast_category"),
	externalId: text("external_id"),
	metadata: jsonb().default({}).notNull(),
	archivedAt: timestamp("archived_at", { withTimezone: true, mode: 'string' }),
	createdAt: timestamp("created_at", { withTimezone: true, mode: 'string' }).defaultNow().notNull(),
	updatedAt: timestamp("updated_at", { withTimezone: true, mode: 'string' }).defaultNow().notNull(),
}, (table) => [
	uniqueIndex("stages_name_key").using("btree", sql`pipeline_id`, sql`extensions.crm_name_key(name)`).where(sql`(archived_at IS NULL)`),
	index("stages_pipeline_id_idx").using("btree", table.pipelineId.asc().nullsLast().op("uuid_ops")),
	uniqueIndex("stages_position_key").using("btree", table.pipelineId.asc().nullsLast().op("int4_ops"), table.position.asc().nullsLast().op("int4_ops")).where(sql`(archived_at IS NULL)`),
	foreignKey({
			columns: [table.pipelineId],
			foreignColumns: [pipelinesInCrm.id],
			name: "stages_pipeline_id_fkey"
		}).onDelete("cascade"),
	unique("stages_external_id_key").on(table.tenantId, table.externalId),
	check("stages_name_check", sql`extensions.crm_name_key(name) <> ''::text`),
	check("stages_deal_status_check", sql`deal_status = ANY (ARRAY['open'::text, 'won'::text, 'lost'::text])`),
	check("stages_probability_check", sql`CHECK (
CASE deal_status
    WHEN 'won'::text THEN COALESCE((probability = (1)::numeric), false)
    WHEN 'lost'::text THEN COALESCE((probability = (0)::numeric), false)
    ELSE ((probability >= (0)::numeric) AND (probability <= (1)::numeric))
END)`),
	check("stages_rotting_days_check", sql`rotting_days > 0`),
	check("stages_forecast_category_check", sql`CHECK (
CASE deal_status
    WHEN 'won'::text THEN (forecast_category = ANY (ARRAY['closed'::text, 'omitted'::text]))
    WHEN 'lost'::text THEN (forecast_category = 'omitted'::text)
    ELSE (forecast_category = ANY (ARRAY['pipeline'::text, 'best_case'::text, 'commit'::text, 'omitted'::text]))
END)`),
	check("stages_times_check", sql`CHECK (extensions.crm_are_times(archived_at, created_at, updated_at`),
	check("stages_metadata_check", sql`jsonb_typeof(metadata) = 'object'::text`),
]);

export const tagsInCrm = crm.table("tags", {
	id: uuid().default(sql`crm_defaults.new_id()`).primaryKey().notNull(),
	tenantId: uuid("tenant_id").default(sql`'00000000-0000-0000-0000-000000000000'`).notNull(),
	name: text().notNull(),
	color: text(),
	createdAt: timestamp("created_at", { withTimezone: true, mode: 'string' }).defaultNow().notNull(),
	updatedAt: timestamp("updated_at", { withTimezone: true, mode: 'string' }).defaultNow().notNull(),
}, (table) => [
	uniqueIndex("tags_name_key").using("btree", sql`tenant_id`, sql`extensions.crm_name_key(name)`),
	check("tags_times_check", sql`CHECK (extensions.crm_are_times(created_at, updated_at`),
	check("tags_name_check", sql`extensions.crm_name_key(name) <> ''::text`),
	check("tags_tenant_id_check", sql`tenant_id = '00000000-0000-0000-0000-000000000000'::uuid`),
]);

export const peopleInApp = app.table("people", {
	id: uuid().defaultRandom().primaryKey().notNull(),
	name: text().notNull(),
	email: text(),
});

export const dealTagsInCrm = crm.table("deal_tags", {
	dealId: uuid("deal_id").notNull(),
	tagId: uuid("tag_id").notNull(),
	tenantId: uuid("tenant_id").default(sql`'00000000-0000-0000-0000-000000000000'`).notNull(),
	id: uuid().default(sql`crm_defaults.new_id()`).notNull(),
	createdAt: timestamp("created_at", { withTimezone: true, mode: 'string' }).defaultNow().notNull(),
	updatedAt: timestamp("updated_at", { withTimezone: true, mode: 'string' }).defaultNow().notNull(),
}, (table) => [
	index("deal_tags_tag_id_idx").using("btree", table.tagId.asc().nullsLast().op("uuid_ops")),
	foreignKey({
			columns: [table.dealId],
			foreignColumns: [dealsInCrm.id],
			name: "deal_tags_deal_id_fkey"
		}).onDelete("cascade"),
	foreignKey({
			columns: [table.tagId],
			foreignColumns: [tagsInCrm.id],
			name: "deal_tags_tag_id_fkey"
		}).onDelete("cascade"),
	primaryKey({ columns: [table.dealId, table.tagId], name: "deal_tags_pkey"}),
	unique("deal_tags_id_key").on(table.id),
	check("deal_tags_times_check", sql`CHECK (extensions.crm_are_times(created_at, updated_at`),
]);
export const contactsInCrm = crm.view("contacts", {	id: uuid(),
	name: text(),
	email: text(),
}).with({"securityInvoker":true}).as(sql`SELECT c.id, c.name, c.email FROM app.people c`);

export const dealPushesInCrm = crm.view("deal_pushes", {	tenantId: uuid("tenant_id"),
	dealId: uuid("deal_id"),
	version: integer(),
	oldExpectedCloseDate: date("old_expected_close_date"),
	newExpectedCloseDate: date("new_expected_close_date"),
	months: integer(),
	days: integer(),
	pushedAt: timestamp("pushed_at", { withTimezone: true, mode: 'string' }),
	pushedBy: text("pushed_by"),
	ownerId: uuid("owner_id"),
}).with({"securityInvoker":true}).as(sql`SELECT x.tenant_id, x.deal_id, x.version, x.old_expected_close_date, x.new_expected_close_date, x.months, x.new_expected_close_date - x.old_expected_close_date AS days, x.pushed_at, x.pushed_by, x.owner_id FROM ( SELECT c.tenant_id, c.deal_id, c.version, c.old_expected_close_date, c.new_expected_close_date, c.changed_at AS pushed_at, c.changed_by AS pushed_by, c.old_owner_id AS owner_id, (12::numeric * (EXTRACT(year FROM c.new_expected_close_date) - EXTRACT(year FROM c.old_expected_close_date)) + EXTRACT(month FROM c.new_expected_close_date) - EXTRACT(month FROM c.old_expected_close_date))::integer AS months FROM deal_changes c WHERE c.new_expected_close_date > c.old_expected_close_date AND isfinite(c.new_expected_close_date) AND isfinite(c.old_expected_close_date)) x WHERE x.months > 0`);

export const ownersInCrm = crm.view("owners", {	id: uuid(),
	name: text(),
}).with({"securityInvoker":true}).as(sql`SELECT c.id, c.name FROM app.users c`);

export const pipelineStageSummaryInCrm = crm.view("pipeline_stage_summary", {	pipelineId: uuid("pipeline_id"),
	pipelineName: text("pipeline_name"),
	stageId: uuid("stage_id"),
	stageName: text("stage_name"),
	position: integer(),
	dealStatus: text("deal_status"),
	currency: text(),
	valuePeriod: text("value_period"),
	// You can use { mode: "bigint" } if numbers are exceeding js number limitations
	deals: bigint({ mode: "number" }),
	// You can use { mode: "bigint" } if numbers are exceeding js number limitations
	dealsWithoutAmount: bigint("deals_without_amount", { mode: "number" }),
	// You can use { mode: "bigint" } if numbers are exceeding js number limitations
	dealsWithoutProbability: bigint("deals_without_probability", { mode: "number" }),
	value: numeric(),
	weightedValue: numeric("weighted_value"),
}).with({"securityInvoker":true}).as(sql`SELECT p.id AS pipeline_id, p.name AS pipeline_name, s.id AS stage_id, s.name AS stage_name, s."position", s.deal_status, r.currency, r.value_period, r.deals, r.deals_without_amount, r.deals_without_probability, r.value, r.weighted_value FROM ( SELECT d.pipeline_id, extensions.crm_pipeline_summary(d.stage_id, d.amount, d.currency, d.probability, d.value_period) AS summary FROM deals d WHERE d.archived_at IS NULL GROUP BY d.pipeline_id) t CROSS JOIN LATERAL extensions.crm_summary_rows(t.summary) r(stage_id, currency, value_period, deals, deals_without_amount, deals_without_probability, value, weighted_value) JOIN stages s ON s.id = r.stage_id JOIN pipelines p ON p.id = t.pipeline_id`);

export const rottingDealsInCrm = crm.view("rotting_deals", {	dealId: uuid("deal_id"),
	title: text(),
	pipelineId: uuid("pipeline_id"),
	stageId: uuid("stage_id"),
	stageName: text("stage_name"),
	ownerId: uuid("owner_id"),
	ownerName: text("owner_name"),
	amount: numeric({ precision: 38, scale:  4 }),
	currency: text(),
	expectedCloseDate: date("expected_close_date"),
	stageEnteredAt: timestamp("stage_entered_at", { withTimezone: true, mode: 'string' }),
	rottingDays: integer("rotting_days"),
	daysInStage: numeric("days_in_stage"),
	daysOver: numeric("days_over"),
}).with({"securityInvoker":true}).as(sql`SELECT d.id AS deal_id, d.title, d.pipeline_id, d.stage_id, s.name AS stage_name, d.owner_id, extensions.crm_linked_name(n.crm, 'owners'::text, d.owner_id) AS owner_name, d.amount, d.currency, d.expected_close_date, d.stage_entered_at, s.rotting_days, round(EXTRACT(epoch FROM now() - d.stage_entered_at) / 86400::numeric, 6) AS days_in_stage, round(EXTRACT(epoch FROM now() - d.stage_entered_at) / 86400::numeric, 6) - s.rotting_days::numeric AS days_over FROM stages s JOIN deals d ON d.stage_id = s.id CROSS JOIN ( SELECT c.relnamespace::regnamespace AS crm FROM pg_class c WHERE c.oid = 'deals'::regclass::oid) n WHERE d.status = 'open'::text AND d.archived_at IS NULL AND EXTRACT(epoch FROM now() - d.stage_entered_at) > (86400::numeric * s.rotting_days::numeric)`);

export const stageForecastCategoriesInCrm = crm.view("stage_forecast_categories", {	stageId: uuid("stage_id"),
	tenantId: uuid("tenant_id"),
	pipelineId: uuid("pipeline_id"),
	forecastCategory: text("forecast_category"),
	isDefault: boolean("is_default"),
}).with({"securityInvoker":true}).as(sql`SELECT s.id AS stage_id, s.tenant_id, s.pipeline_id, COALESCE(s.forecast_category, CASE s.deal_status WHEN 'won'::text THEN 'closed'::text WHEN 'lost'::text THEN 'omitted'::text ELSE CASE s.open_stages - s.place WHEN 0 THEN CASE WHEN s.open_stages > 2 THEN 'commit'::text WHEN s.open_stages = 2 THEN 'best_case'::text ELSE NULL::text END WHEN 1 THEN CASE WHEN s.open_stages > 2 THEN 'best_case'::text ELSE NULL::text END ELSE NULL::text END END, 'pipeline'::text) AS forecast_category, s.forecast_category IS NULL AS is_default FROM ( SELECT g.id, g.tenant_id, g.pipeline_id, g.deal_status, g.forecast_category, row_number() OVER w AS place, count(*) OVER (PARTITION BY g.pipeline_id, g.deal_status, (g.archived_at IS NULL)) AS open_stages FROM stages g WINDOW w AS (PARTITION BY g.pipeline_id, g.deal_status, (g.archived_at IS NULL) ORDER BY g."position")) s`);

export const stageVisitsInCrm = crm.view("stage_visits", {	tenantId: uuid("tenant_id"),
	dealId: uuid("deal_id"),
	visitNo: integer("visit_no"),
	pipelineId: uuid("pipeline_id"),
	stageId: uuid("stage_id"),
	status: text(),
	enteredAt: timestamp("entered_at", { withTimezone: true, mode: 'string' }),
	exitedAt: timestamp("exited_at", { withTimezone: true, mode: 'string' }),
	duration: interval(),
	nextPipelineId: uuid("next_pipeline_id"),
	nextStageId: uuid("next_stage_id"),
	nextStatus: text("next_status"),
}).with({"securityInvoker":true}).as(sql`SELECT c.tenant_id, c.deal_id, c.move_no AS visit_no, c.from_pipeline_id AS pipeline_id, c.from_stage_id AS stage_id, c.from_status AS status, c.entered_at, c.changed_at AS exited_at, c.changed_at - c.entered_at AS duration, c.to_pipeline_id AS next_pipeline_id, c.to_stage_id AS next_stage_id, c.to_status AS next_status FROM stage_changes c WHERE c.reverts_no IS NULL AND NOT (EXISTS ( SELECT FROM stage_changes r WHERE r.deal_id = c.deal_id AND r.tenant_id = c.tenant_id AND r.reverts_no = c.move_no)) UNION ALL SELECT d.tenant_id, d.id AS deal_id, LEAST(d.move_no, 2147483646) + 1 AS visit_no, d.pipeline_id, d.stage_id, d.status, d.stage_entered_at AS entered_at, NULL::timestamp with time zone AS exited_at, NULL::interval AS duration, NULL::uuid AS next_pipeline_id, NULL::uuid AS next_stage_id, NULL::text AS next_status FROM deals d`);