/*
 * base/function_cache.h
 *		Bounding the catalog cache entries for functions of other CRMs.
 */
#ifndef CRM_BASE_FUNCTION_CACHE_H
#define CRM_BASE_FUNCTION_CACHE_H

/*
 * Frees the catalog cache's entries for functions by name, except those of pg_catalog, if
 * there are too many.  To be called at the start of each function of a CRM.
 */
extern void crm_bound_function_cache(void);

#endif							/* CRM_BASE_FUNCTION_CACHE_H */
