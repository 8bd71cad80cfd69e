/*
 * base/quotients.h
 *		Exact sums of amounts in another currency, which are quotients.
 *
 * What has the same divisor is added up exactly, before it is divided: so a sum does not
 * depend on the parts that it is made of, nor on their order.  Zeroed, it is empty.
 */
#ifndef CRM_BASE_QUOTIENTS_H
#define CRM_BASE_QUOTIENTS_H

#include "utils/numeric.h"

typedef struct CrmQuotient
{
	Numeric		divisor;
	Numeric		dividend;		/* not 0 */
	Numeric		quotient;		/* of the two */
} CrmQuotient;

typedef struct CrmQuotients
{
	CrmQuotient *items;			/* by divisor */
	int			count;
	int			room;
	Numeric		total;			/* of the quotients and of what is not
								 * divided; NULL: nothing was added */
} CrmQuotients;

/* divisor NULL is 1.  What is kept is palloc'd in the current memory context. */
extern void crm_quotients_add(CrmQuotients *sum, Numeric dividend, Numeric divisor);
extern void crm_quotients_subtract(CrmQuotients *sum, Numeric dividend, Numeric divisor);

/*
 * A sum of totals as it is told: as it is or, if there are quotients among it, rounded to 8
 * digits after the point.
 */
extern Numeric crm_quotients_told(Numeric total, bool has_quotients);

#endif							/* CRM_BASE_QUOTIENTS_H */
