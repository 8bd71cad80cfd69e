/*
 * base/money.h
 *		Exact fixed-point money: numeric on the outside, int128 inside.
 *
 * A fixed-point number is an int128 that counts units of 10^-scale.  Scales
 * are multiples of 4, as numeric keeps its digits in base 10,000.
 */
#ifndef CRM_BASE_MONEY_H
#define CRM_BASE_MONEY_H

#include "lib/stringinfo.h"
#include "utils/numeric.h"

#ifndef HAVE_INT128
#error "crm needs a compiler with 128-bit integers"
#endif

#define CRM_AMOUNT_SCALE		4
#define CRM_PROBABILITY_SCALE	4
/* The product of an amount and a probability, which is exact. */
#define CRM_WEIGHTED_SCALE		8

/*
 * An amount (numeric(19,4)) or a probability (numeric(5,4), 0 to 1) as fixed
 * point of scale 4.  Both read the numeric in place, packed or not.  ERROR 22003
 * if it does not fit exactly.
 */
extern int128 crm_amount_to_fixed(Datum amount);
extern int128 crm_probability_to_fixed(Datum probability);

/* False if the numeric is not exactly an int128 of that scale. */
extern bool crm_numeric_to_fixed(Datum number, int scale, int128 *result);

/* With the given number of digits after the decimal point; palloc'd. */
extern Numeric crm_fixed_to_numeric(int128 number, int scale);
extern void crm_append_fixed(StringInfo buf, int128 number, int scale);

/* Sum and difference; false on overflow. */
static inline bool
crm_fixed_add(int128 a, int128 b, int128 *result)
{
	return !__builtin_add_overflow(a, b, result);
}

static inline bool
crm_fixed_subtract(int128 a, int128 b, int128 *result)
{
	return !__builtin_sub_overflow(a, b, result);
}

#endif							/* CRM_BASE_MONEY_H */
