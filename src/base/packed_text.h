/*
 * base/packed_text.h
 *		Texts of SQL that are packed into the extension by sql/build.sh.
 */
#ifndef CRM_BASE_PACKED_TEXT_H
#define CRM_BASE_PACKED_TEXT_H

/*
 * What makes a CRM of the tenancy "single".  Tables, columns, views, triggers and comments
 * are the same with any.
 */
#define CRM_SCHEMA_SQL	"crm_schema_single_sql"

/* The text that sql/build.sh packed as that function of the extension; palloc'd. */
extern char *crm_packed_text(Oid extension, const char *function);

/* The text with the names of the schemas in place of @crm@ and @extension@; palloc'd. */
extern char *crm_fill_in_schemas(const char *sql, Oid crm, Oid extension);

#endif							/* CRM_BASE_PACKED_TEXT_H */
