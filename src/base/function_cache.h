/*
 * base/function_cache.h
 *		Bounding the catalog cache entries for functions of other CRMs.
 */
#ifndef CRM_BASE_FUNCTION_CACHE_H
#define CRM_BASE_FUNCTION_CACHE_H

/*
 * After a statement was analyzed, frees the catalog cache's entries for functions by name,
 * except those of pg_catalog, if there are too many.  For the module's initialisation.
 */
extern void crm_function_cache_install_hook(void);

#endif							/* CRM_BASE_FUNCTION_CACHE_H */
