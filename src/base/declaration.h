/*
 * base/declaration.h
 *		The declaration of a function of the extension, from the catalog.
 */
#ifndef CRM_BASE_DECLARATION_H
#define CRM_BASE_DECLARATION_H

#include "access/tupdesc.h"

/* The prefix of the extension's functions that a CRM's functions call. */
#define CRM_PREFIX		"crm_"

/* An argument; its default is a constant. */
typedef struct CrmArgument
{
	char	   *name;			/* "" if it has none */
	Oid			type;
	bool		required;		/* has no default */
	Datum		fallback;		/* the default */
	bool		fallback_is_null;
} CrmArgument;

typedef struct CrmDeclaration
{
	Oid			function;
	char	   *name;			/* without the prefix crm_ */
	int			nargs;
	CrmArgument *args;
	Oid			owner;
	Oid			result;
	bool		returns_set;
	bool		read_only;		/* is not VOLATILE */
	TupleDesc	row;			/* of the rows returned; NULL: a value */
} CrmDeclaration;

/* The function without arguments of that name in the extension's schema. */
extern Oid	crm_find_function(Oid extension, const char *name);

/* Reads it into the current memory context. */
extern void crm_read_declaration(Oid function, CrmDeclaration *declaration);

/* The number of the argument of that name; -1 if there is none. */
extern int	crm_find_argument(const CrmDeclaration *declaration, const char *name);

#endif							/* CRM_BASE_DECLARATION_H */
