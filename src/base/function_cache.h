/*
 * base/function_cache.h
 *		Bounding what a backend remembers of other CRMs' functions.
 */
#ifndef CRM_BASE_FUNCTION_CACHE_H
#define CRM_BASE_FUNCTION_CACHE_H

/*
 * Frees what the catalog cache has of functions by their names, but for those of
 * pg_catalog, once it is too much.  To be called where a function of a CRM begins.
 */
extern void crm_bound_function_cache(void);

#endif							/* CRM_BASE_FUNCTION_CACHE_H */
