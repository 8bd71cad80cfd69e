/*
 * base/function_cache.c
 *		Bounding the catalog cache entries for functions of other CRMs.
 *
 * PostgreSQL looks a function up by its name in all schemas at once, and keeps
 * in its catalog cache every row of pg_proc that it found: with 600 CRMs, 600
 * rows of 1 to 2 kB for each name that a session calls.  It never frees them.  So
 * when there are too many after a statement was analyzed, they are dropped here, as an
 * invalidation message would do it; a statement that calls such a function is then
 * analyzed more slowly, once: 600 rows take one or two milliseconds.  Statements that are
 * prepared do not look functions up again.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "parser/analyze.h"
#include "utils/catcache.h"
#include "utils/syscache.h"

#include "base/function_cache.h"

/*
 * Rows in the cache, by name.  A session that works in one CRM beside few others
 * has some hundreds.  1,500 rows take up to 3 MB.
 */
#define MAX_ROWS	1500

static post_parse_analyze_hook_type next_hook = NULL;

/* The cache itself, found through a list of its rows; it stays where it is. */
static CatCache *
functions_by_name(void)
{
	static CatCache *cache = NULL;

	if (cache == NULL)
	{
		CatCList   *list = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum("crm_version"));

		cache = list->my_cache;
		ReleaseSysCacheList(list);
	}
	return cache;
}

static bool
is_of_postgresql(const CatCTup *row)
{
	return !row->negative &&
		((Form_pg_proc) GETSTRUCT(&row->tuple))->pronamespace == PG_CATALOG_NAMESPACE;
}

static void
bound_cache(void)
{
	CatCache   *cache = functions_by_name();
	uint32	   *hashes;
	int			count = 0;

	if (cache->cc_ntup <= MAX_ROWS)
		return;
	/* Dropping one changes the lists: first all are found. */
	hashes = palloc(cache->cc_ntup * sizeof(uint32));
	for (int i = 0; i < cache->cc_nbuckets; i++)
	{
		dlist_iter	iter;

		dlist_foreach(iter, &cache->cc_bucket[i])
		{
			const CatCTup *row = dlist_container(CatCTup, cache_elem, iter.cur);

			if (!is_of_postgresql(row) && count < cache->cc_ntup)
				hashes[count++] = row->hash_value;
		}
	}
	for (int i = 0; i < count; i++)
		SysCacheInvalidate(PROCNAMEARGSNSP, hashes[i]);
	pfree(hashes);
}

/* ROLLBACK is analyzed in a transaction that is not to read catalogs. */
static void
end_analysis(ParseState *pstate, Query *query, JumbleState *jumble)
{
	if (IsTransactionState())
		bound_cache();
	if (next_hook != NULL)
		next_hook(pstate, query, jumble);
}

void
crm_function_cache_install_hook(void)
{
	next_hook = post_parse_analyze_hook;
	post_parse_analyze_hook = end_analysis;
}
