/*
 * install/script.h
 *		Running the SQL that makes or changes the tables of a CRM.
 */
#ifndef CRM_INSTALL_SCRIPT_H
#define CRM_INSTALL_SCRIPT_H

/* ERROR 42501 if a role that is not trusted may create objects in that schema. */
extern void crm_check_creators(Oid schema);

/*
 * Sets what gives a script its meaning, until AtEOXact_GUC() of the level
 * returned; other settings, say default_tablespace, are the caller's choice.
 */
extern int	crm_pin_settings(Oid schema);

/*
 * Runs the statements of a script one by one, so that the context of an error
 * is the statement and not the script.  The names of the schemas are filled in
 * (base/packed_text.h).  The caller is connected to SPI.
 */
extern void crm_run_script(const char *text, Oid schema, Oid extension);

#endif							/* CRM_INSTALL_SCRIPT_H */
