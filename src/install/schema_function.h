/*
 * install/schema_function.h
 *		Making a function of a CRM's schema.
 */
#ifndef CRM_INSTALL_SCHEMA_FUNCTION_H
#define CRM_INSTALL_SCHEMA_FUNCTION_H

/* A function of a CRM's schema, identified by its name and the types of its arguments. */
typedef struct CrmSchemaFunction
{
	Oid			schema;
	const char *name;
	int			nargs;
	const Oid  *types;
} CrmSchemaFunction;

/* Takes what is wrong with an object of a CRM. */
typedef void (*CrmProblemReport) (void *arg, const char *object, const char *problem);

/* InvalidOid if there is none. */
extern Oid	crm_find_schema_function(const CrmSchemaFunction *function);

/*
 * Runs the command that creates the function, or replaces it, unless it is NULL,
 * and gives the function the comment.  PUBLIC has no right on a new function; rights
 * on an existing one stay.  The caller owns the schema and is connected to SPI.
 */
extern void crm_make_schema_function(const CrmSchemaFunction *function,
									 const char *command, const char *comment);

#endif							/* CRM_INSTALL_SCHEMA_FUNCTION_H */
