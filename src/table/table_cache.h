/*
 * table/table_cache.h
 *		Facts about tables, kept for the session until the table is altered.
 */
#ifndef CRM_TABLE_TABLE_CACHE_H
#define CRM_TABLE_TABLE_CACHE_H

#include "utils/relcache.h"

/* Finds out the facts of that kind; data has what was found before, zeros at first. */
typedef void (*FactsFinder) (Relation rel, const void *kind, void *data);

/*
 * The facts of that kind, known by its address, about a table that the caller
 * has locked: size bytes, which find fills in when they are not known, and
 * which stay where they are.
 */
extern void *crm_table_facts(Relation rel, const void *kind, Size size, FactsFinder find);

#endif							/* CRM_TABLE_TABLE_CACHE_H */
