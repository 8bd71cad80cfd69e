/*
 * analytics/convert.h
 *		Amounts in another currency.
 */
#ifndef CRM_ANALYTICS_CONVERT_H
#define CRM_ANALYTICS_CONVERT_H

#include "utils/numeric.h"

/*
 * amount * multiply_by / divide_by: exact where divide_by is 1, else rounded to 8
 * digits after the point; palloc'd.
 */
extern Numeric crm_convert_amount(Numeric amount, Numeric multiply_by, Numeric divide_by);

#endif							/* CRM_ANALYTICS_CONVERT_H */
