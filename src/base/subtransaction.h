/*
 * base/subtransaction.h
 *		Running a function that may raise an error, in a subtransaction.
 */
#ifndef CRM_BASE_SUBTRANSACTION_H
#define CRM_BASE_SUBTRANSACTION_H

/*
 * Calls run(arg) in a subtransaction and returns the error that it raised,
 * palloc'd, or NULL.  After an error, or without keep, the subtransaction is
 * rolled back: what it wrote is undone, and its locks are given up.
 */
extern ErrorData *crm_try(void (*run) (void *arg), void *arg, bool keep);

#endif							/* CRM_BASE_SUBTRANSACTION_H */
