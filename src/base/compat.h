/*
 * base/compat.h
 *		The differences between the supported server versions (15 to 18).
 *		No other file names PG_VERSION_NUM.
 */
#ifndef CRM_BASE_COMPAT_H
#define CRM_BASE_COMPAT_H

/* PostgreSQL 16 moved the macros on varlenas out of postgres.h. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#if PG_VERSION_NUM < 150000
#error "crm needs PostgreSQL 15 or later"
#endif

/* PostgreSQL 18 has pg_noreturn in place of pg_attribute_noreturn(). */
#if PG_VERSION_NUM < 180000
#define pg_noreturn pg_attribute_noreturn()
#endif

/* From 17 on, an index may keep state between inserts, which has to be released. */
#if PG_VERSION_NUM >= 170000
#define crm_index_insert_cleanup(index, info) index_insert_cleanup(index, info)
#else
#define crm_index_insert_cleanup(index, info) ((void) (index), (void) (info))
#endif

/* From 17 on, a lexer can be made in memory of the caller's; NULL allocates a new one. */
#if PG_VERSION_NUM >= 170000
#define crm_make_json_lexer(json, length, encoding, need_escapes) \
	makeJsonLexContextCstringLen(NULL, json, length, encoding, need_escapes)
#else
#define crm_make_json_lexer(json, length, encoding, need_escapes) \
	makeJsonLexContextCstringLen(json, length, encoding, need_escapes)
#endif

/* What the executor has made of a table's CHECKs is in a member of another name from 18 on. */
#if PG_VERSION_NUM >= 180000
#define crm_check_states ri_CheckConstraintExprs
#else
#define crm_check_states ri_ConstraintExprs
#endif

/*
 * From 18 on, a CHECK may be NOT ENFORCED, and virtual generated columns are replaced by
 * their expressions.
 */
#if PG_VERSION_NUM >= 180000
#define CRM_CHECK_IS_ENFORCED(check) ((check)->ccenforced)
#define CRM_CHECKS_ARE_PLAIN(constraints) (!(constraints)->has_generated_virtual)
#else
#define CRM_CHECK_IS_ENFORCED(check) true
#define CRM_CHECKS_ARE_PLAIN(constraints) true
#endif

/* Whether the role may call the function; 16 has one function for objects of all kinds. */
#if PG_VERSION_NUM >= 160000
#define crm_function_aclcheck(function, role) \
	object_aclcheck(ProcedureRelationId, function, role, ACL_EXECUTE)
#else
#define crm_function_aclcheck(function, role) pg_proc_aclcheck(function, role, ACL_EXECUTE)
#endif

/* Which file holds a table: called a locator from 16 on. */
#if PG_VERSION_NUM >= 160000
#define crm_rel_locator(rel) ((rel)->rd_locator)
#else
#define crm_rel_locator(rel) ((rel)->rd_node)
#endif

/* The blocks that an index finds: from 18 on, the result of the iterator is the caller's. */
#if PG_VERSION_NUM >= 180000
#define CrmBitmapIterator	TBMPrivateIterator
#define CrmBitmapPage		TBMIterateResult
#define crm_begin_bitmap_scan(index, snapshot, nkeys) \
	index_beginscan_bitmap(index, snapshot, NULL, nkeys)
#define crm_begin_bitmap(bitmap) tbm_begin_private_iterate(bitmap)
#define crm_next_in_bitmap(iterator, page) tbm_private_iterate(iterator, &(page))
#define crm_page_block(page) ((page).blockno)
#define crm_end_bitmap(iterator) tbm_end_private_iterate(iterator)
#else
#define CrmBitmapIterator	TBMIterator
#define CrmBitmapPage		TBMIterateResult *
#define crm_begin_bitmap_scan(index, snapshot, nkeys) \
	index_beginscan_bitmap(index, snapshot, nkeys)
#define crm_begin_bitmap(bitmap) tbm_begin_iterate(bitmap)
#define crm_next_in_bitmap(iterator, page) (((page) = tbm_iterate(iterator)) != NULL)
#define crm_page_block(page) ((page)->blockno)
#define crm_end_bitmap(iterator) tbm_end_iterate(iterator)
#endif

/* Runs a query to its end, once; 18 takes that for granted.  And what a hook is given. */
#if PG_VERSION_NUM >= 180000
#define crm_executor_run(desc) ExecutorRun(desc, ForwardScanDirection, 0)
#define CRM_RUN_PARAMETERS	QueryDesc *desc, ScanDirection direction, uint64 count
#define CRM_RUN_ARGUMENTS	desc, direction, count
#else
#define crm_executor_run(desc) ExecutorRun(desc, ForwardScanDirection, 0, true)
#define CRM_RUN_PARAMETERS	QueryDesc *desc, ScanDirection direction, uint64 count, bool once
#define CRM_RUN_ARGUMENTS	desc, direction, count, once
#endif

/* In 18 the search for conflicts may leave out a row; here it leaves out none. */
#if PG_VERSION_NUM >= 180000
#define crm_check_index_constraints(target, row, estate, tid, indexes) \
	ExecCheckIndexConstraints(target, row, estate, tid, \
							  &(ItemPointerData) {{0xFFFF, 0xFFFF}, 0}, indexes)
#else
#define crm_check_index_constraints(target, row, estate, tid, indexes) \
	ExecCheckIndexConstraints(target, row, estate, tid, indexes)
#endif

/*
 * What ExecutorCheckPerms_hook is given: from 16 on, the tables are in a list of
 * permissions, apart from the range table.  Whether the user has them, for a planned
 * statement.  And naming another relation there, before it is put into the range table.
 */
#if PG_VERSION_NUM >= 160000
#define CRM_CHECK_PERMS_PARAMETERS	List *range_table, List *permissions, bool report
#define CRM_CHECK_PERMS_ARGUMENTS	range_table, permissions, report
#define CRM_CHECK_PERMS_LIST		permissions
#define CRM_CHECK_PERMS_RELID(item) (((RTEPermissionInfo *) (item))->relid)
#define CRM_CHECK_PERMS_INFO(item)	((RTEPermissionInfo *) (item))
#define crm_replace_permissions(query, rte, oid) \
	((rte)->perminfoindex == 0 ? (void) 0 : \
	 (void) (getRTEPermissionInfo((query)->rteperminfos, rte)->relid = (oid)))
#define crm_may_execute(statement) \
	ExecCheckPermissions((statement)->rtable, (statement)->permInfos, false)
#else
#define CRM_CHECK_PERMS_PARAMETERS	List *range_table, bool report
#define CRM_CHECK_PERMS_ARGUMENTS	range_table, report
#define CRM_CHECK_PERMS_LIST		range_table
#define CRM_CHECK_PERMS_RELID(item) \
	(((RangeTblEntry *) (item))->rtekind == RTE_RELATION ? \
	 ((RangeTblEntry *) (item))->relid : InvalidOid)
#define CRM_CHECK_PERMS_INFO(item)	((RangeTblEntry *) (item))
#define crm_replace_permissions(query, rte, oid) ((void) (query))
#define crm_may_execute(statement) ExecCheckRTPerms((statement)->rtable, false)
#endif

/*
 * From 18 on, AFTER triggers run as the user that fired them, not the one at the end of
 * the statement or transaction.
 */
#if PG_VERSION_NUM >= 180000
#define CRM_AFTER_TRIGGERS_KEEP_USER true
#else
#define CRM_AFTER_TRIGGERS_KEEP_USER false
#endif

#endif							/* CRM_BASE_COMPAT_H */
