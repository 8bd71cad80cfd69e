/*
 * install/script.h
 *		Running the SQL that makes or changes the tables of a CRM.
 */
#ifndef CRM_INSTALL_SCRIPT_H
#define CRM_INSTALL_SCRIPT_H

#include "nodes/pg_list.h"

/* ERROR 42501 if a role that is not trusted may create objects in that schema. */
extern void crm_check_creators(Oid schema);

/*
 * Sets what gives a script its meaning, until AtEOXact_GUC() of the level
 * returned; other settings, say default_tablespace, are the caller's choice.
 */
extern int	crm_pin_settings(Oid schema);

typedef struct CrmScript
{
	Oid			schema;
	char	   *sql;
	List	   *statements;		/* of RawStmt */
} CrmScript;

/*
 * Parses a script, after the names of the schemas are filled in (base/packed_text.h).
 * Palloc'd.
 */
extern CrmScript *crm_read_script(const char *text, Oid schema, Oid extension);

/*
 * Runs the statements of a script one by one, so that the context of an error
 * is the statement and not the script.  The caller is connected to SPI.
 */
extern void crm_run_script(const CrmScript *script);

#endif							/* CRM_INSTALL_SCRIPT_H */
