import { relations } from "drizzle-orm/relations";
import { dealsInCrm, dealContactsInCrm, peopleInApp, pipelinesInCrm, stagesInCrm, usersInApp, dealTagsInCrm, tagsInCrm } from "./schema.ts";

export const dealContactsInCrmRelations = relations(dealContactsInCrm, ({one}) => ({
	dealsInCrm: one(dealsInCrm, {
		fields: [dealContactsInCrm.dealId],
		references: [dealsInCrm.id]
	}),
	peopleInApp: one(peopleInApp, {
		fields: [dealContactsInCrm.contactId],
		references: [peopleInApp.id]
	}),
}));

export const dealsInCrmRelations = relations(dealsInCrm, ({one, many}) => ({
	dealContactsInCrms: many(dealContactsInCrm),
	pipelinesInCrm: one(pipelinesInCrm, {
		fields: [dealsInCrm.pipelineId],
		references: [pipelinesInCrm.id]
	}),
	stagesInCrm: one(stagesInCrm, {
		fields: [dealsInCrm.stageId],
		references: [stagesInCrm.id]
	}),
	usersInApp: one(usersInApp, {
		fields: [dealsInCrm.ownerId],
		references: [usersInApp.id]
	}),
	dealTagsInCrms: many(dealTagsInCrm),
}));

export const peopleInAppRelations = relations(peopleInApp, ({many}) => ({
	dealContactsInCrms: many(dealContactsInCrm),
}));

export const pipelinesInCrmRelations = relations(pipelinesInCrm, ({many}) => ({
	dealsInCrms: many(dealsInCrm),
	stagesInCrms: many(stagesInCrm),
}));

export const stagesInCrmRelations = relations(stagesInCrm, ({one, many}) => ({
	dealsInCrms: many(dealsInCrm),
	pipelinesInCrm: one(pipelinesInCrm, {
		fields: [stagesInCrm.pipelineId],
		references: [pipelinesInCrm.id]
	}),
}));

export const usersInAppRelations = relations(usersInApp, ({many}) => ({
	dealsInCrms: many(dealsInCrm),
}));

export const dealTagsInCrmRelations = relations(dealTagsInCrm, ({one}) => ({
	dealsInCrm: one(dealsInCrm, {
		fields: [dealTagsInCrm.dealId],
		references: [dealsInCrm.id]
	}),
	tagsInCrm: one(tagsInCrm, {
		fields: [dealTagsInCrm.tagId],
		references: [tagsInCrm.id]
	}),
}));

export const tagsInCrmRelations = relations(tagsInCrm, ({many}) => ({
	dealTagsInCrms: many(dealTagsInCrm),
}));