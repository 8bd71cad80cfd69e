/*
 * base/row_messages.h
 *		Messages about one row of a CRM, for ereport().
 *
 * They are whole sentences for each kind of row, as the grammar of other languages
 * needs them to be translated.  what is the word for a row of the table, such as "deal".
 */
#ifndef CRM_BASE_ROW_MESSAGES_H
#define CRM_BASE_ROW_MESSAGES_H

/* "deal ID does not exist" */
extern int	crm_errmsg_missing(const char *what, const char *id);

/* Its hint: which id is right. */
extern int	crm_errhint_missing(const char *what);

/* "deal ID was left unchanged" */
extern int	crm_errmsg_unchanged(const char *what, const char *id);

#endif							/* CRM_BASE_ROW_MESSAGES_H */
