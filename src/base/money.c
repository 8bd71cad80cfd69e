/*
 * base/money.c
 *		Exact fixed-point money: numeric on the outside, int128 inside.
 *
 * A numeric is read and written in its on-disk form, which is the same in all
 * supported versions and never changes under pg_upgrade: a header of two bytes
 * (short form) or four (long form), then digits in base 10,000.  Digit number i
 * counts units of 10000^(weight - i).  Nothing here is aligned, as numerics in
 * tables mostly have a length word of one byte.
 *
 * Every conversion is exact or refused.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "base/money.h"

/* The two highest bits of the header determine the form. */
#define HEADER_FORM			0xC000
#define HEADER_NEGATIVE		0x4000	/* long form; 0 is long and positive */
#define HEADER_SHORT		0x8000
#define HEADER_SPECIAL		0xC000	/* NaN and the infinities */

/* Short form: sign, six bits of display scale, seven of signed weight. */
#define SHORT_NEGATIVE		0x2000
#define SHORT_SCALE_SHIFT	7
#define SHORT_WEIGHT_SIGN	0x0040
#define SHORT_WEIGHT		0x003F

#define BASE				10000
#define BASE_DIGITS			4	/* decimal digits in one of base 10,000 */

/* This many digits always fit an int64. */
#define FAST_DIGITS			4

/* 2^127 < 10000^10: an int128 has at most ten digits of base 10,000. */
#define MAX_DIGITS			10

#define INT128_MAX_MAGNITUDE	((((uint128) 1) << 127) - 1)
#define AMOUNT_LIMIT		UINT64CONST(10000000000000000000)	/* 10^15, scaled */
#define PROBABILITY_LIMIT	10000

/* A numeric, taken apart. */
typedef struct NumericParts
{
	bool		finite;
	bool		negative;
	int			weight;
	int			ndigits;
	const char *digits;			/* of two bytes each, not aligned */
} NumericParts;

typedef enum FixedStatus
{
	FIXED_EXACT,
	FIXED_NOT_FINITE,
	FIXED_TOO_LARGE,
	FIXED_TOO_PRECISE
} FixedStatus;

static const uint64 powers_of_base[] = {
	1, BASE, BASE * BASE, UINT64CONST(1000000000000), UINT64CONST(10000000000000000)
};

static inline uint16
read_uint16(const char *from)
{
	uint16		value;

	memcpy(&value, from, sizeof(value));
	return value;
}

static inline uint16
digit_at(const NumericParts *parts, int i)
{
	return read_uint16(parts->digits + i * sizeof(uint16));
}

/*
 * The numbers that a summary of a table reads, most of all: packed, in short form,
 * not negative, of at most FAST_DIGITS digits down to 10000^-places.  Returns false
 * for any other.
 */
static inline bool
read_common(Datum number, int places, int64 *result)
{
	const char *raw = DatumGetPointer(number);
	uint16		header;
	int			ndigits;
	int			total;
	int64		sum = 0;

	if (unlikely(!VARATT_IS_1B(raw) || VARATT_IS_1B_E(raw)))
		return false;
	header = read_uint16(VARDATA_1B(raw));
	if (unlikely((header & (HEADER_FORM | SHORT_NEGATIVE)) != HEADER_SHORT))
		return false;
	ndigits = (VARSIZE_1B(raw) - VARHDRSZ_SHORT) / (int) sizeof(uint16) - 1;
	total = (header & SHORT_WEIGHT) - (header & SHORT_WEIGHT_SIGN) + places + 1;
	if (unlikely(total > FAST_DIGITS || total < ndigits))
		return false;
	for (int i = 1; i <= ndigits; i++)
		sum = sum * BASE + read_uint16(VARDATA_1B(raw) + i * sizeof(uint16));
	if (ndigits > 0)
		sum *= (int64) powers_of_base[total - ndigits];
	*result = sum;
	return true;
}

/* Takes a numeric apart; detoasts into the current context if it must. */
static inline void
take_apart(Datum number, NumericParts *parts)
{
	struct varlena *raw = pg_detoast_datum_packed((struct varlena *) DatumGetPointer(number));
	const char *data = VARDATA_ANY(raw);
	int			size = VARSIZE_ANY_EXHDR(raw);
	uint16		header;

	header = read_uint16(data);
	parts->finite = (header & HEADER_FORM) != HEADER_SPECIAL;
	if (likely(header & HEADER_SHORT))
	{
		parts->negative = (header & SHORT_NEGATIVE) != 0;
		parts->weight = (header & SHORT_WEIGHT) - (header & SHORT_WEIGHT_SIGN);
		data += sizeof(uint16);
		size -= sizeof(uint16);
	}
	else
	{
		parts->negative = (header & HEADER_FORM) == HEADER_NEGATIVE;
		parts->weight = (int16) read_uint16(data + sizeof(uint16));
		data += 2 * sizeof(uint16);
		size -= 2 * sizeof(uint16);
	}
	parts->digits = data;
	parts->ndigits = size / (int) sizeof(uint16);
}

/*
 * The general case of to_fixed(): more than 64 bits, digits beyond the scale,
 * or a number below it.  'total' is the number of digits of base 10,000 from
 * the first one down to the scale.
 */
static FixedStatus
to_fixed_slow(const NumericParts *parts, int total, int128 *result)
{
	uint128		sum = 0;

	for (int i = Max(total, 0); i < parts->ndigits; i++)
	{
		if (digit_at(parts, i) != 0)
			return FIXED_TOO_PRECISE;
	}
	if (total > MAX_DIGITS)
		return FIXED_TOO_LARGE;

	for (int i = 0; i < total; i++)
	{
		uint16		digit = i < parts->ndigits ? digit_at(parts, i) : 0;

		/* Only the last one of MAX_DIGITS can overflow. */
		if (i == MAX_DIGITS - 1 &&
			sum > (INT128_MAX_MAGNITUDE + parts->negative - digit) / BASE)
			return FIXED_TOO_LARGE;
		sum = sum * BASE + digit;
	}

	/* The unsigned subtraction reaches -2^127, which -(int128) would not. */
	*result = (int128) (parts->negative ? 0 - sum : sum);
	return FIXED_EXACT;
}

/* The number in units of 10000^-places. */
static inline FixedStatus
to_fixed(const NumericParts *parts, int places, int128 *result)
{
	int			total = parts->weight + places + 1;
	uint64		sum = 0;

	if (unlikely(!parts->finite))
		return FIXED_NOT_FINITE;
	if (unlikely(total > FAST_DIGITS || total < parts->ndigits))
		return to_fixed_slow(parts, total, result);

	for (int i = 0; i < parts->ndigits; i++)
		sum = sum * BASE + digit_at(parts, i);
	if (parts->ndigits > 0)
		sum *= powers_of_base[total - parts->ndigits];
	*result = parts->negative ? -(int64) sum : (int64) sum;
	return FIXED_EXACT;
}

/* The number as text for a message; long ones are cut. */
static const char *
shown(Datum number)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, number));

	if (strlen(text) > 40)
		strcpy(text +37, "...");
	return text;
}

static pg_noinline void
refuse_amount(Datum amount, FixedStatus status)
{
	if (status == FIXED_TOO_PRECISE)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("amount %s has more than %d digits after the decimal point",
						shown(amount), CRM_AMOUNT_SCALE),
				 errhint("Round it first: round(amount, %d).", CRM_AMOUNT_SCALE)));
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("amount %s is out of range", shown(amount)),
			 errdetail("An amount is a finite number with at most 15 digits before the decimal point, as in numeric(19,4)."),
			 errhint("Correct such amounts, or leave them out with FILTER (WHERE ...).")));
}

static pg_noinline void
refuse_probability(Datum probability, FixedStatus status, bool negative)
{
	if (status == FIXED_TOO_PRECISE)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("probability %s has more than %d digits after the decimal point",
						shown(probability), CRM_PROBABILITY_SCALE),
				 errhint("Round it first: round(probability, %d).", CRM_PROBABILITY_SCALE)));
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("probability %s is out of range", shown(probability)),
			 errdetail("A probability is a number from 0 to 1."),
			 status == FIXED_NOT_FINITE || negative ?
			 errhint("Correct such probabilities, or leave them out with FILTER (WHERE ...).") :
			 errhint("Divide a percentage by 100: round(percentage / 100, %d).",
					 CRM_PROBABILITY_SCALE)));
}

/* Not inline, so that the usual case needs no room on the stack. */
static pg_noinline int128
convert_amount(Datum amount)
{
	NumericParts parts;
	FixedStatus status;
	int128		result = 0;

	take_apart(amount, &parts);
	status = to_fixed(&parts, CRM_AMOUNT_SCALE / BASE_DIGITS, &result);
	if (unlikely(status != FIXED_EXACT ||
				 result >= (int128) AMOUNT_LIMIT || result <= -(int128) AMOUNT_LIMIT))
		refuse_amount(amount, status);
	return result;
}

/*
 * An amount as fixed point of scale 4, of magnitude below 10^19; ERROR 22003
 * for one that numeric(19,4) cannot hold exactly.
 */
int128
crm_amount_to_fixed(Datum amount)
{
	int64		common;

	if (likely(read_common(amount, CRM_AMOUNT_SCALE / BASE_DIGITS, &common)))
		return common;
	return convert_amount(amount);
}

static pg_noinline int128
convert_probability(Datum probability)
{
	NumericParts parts;
	FixedStatus status;
	int128		result = 0;

	take_apart(probability, &parts);
	status = to_fixed(&parts, CRM_PROBABILITY_SCALE / BASE_DIGITS, &result);
	if (unlikely(status != FIXED_EXACT || result < 0 || result > PROBABILITY_LIMIT))
		refuse_probability(probability, status, parts.negative);
	return result;
}

/*
 * A probability as fixed point of scale 4, 0 to 10,000; ERROR 22003 for one
 * with more digits or beyond 0 to 1.
 */
int128
crm_probability_to_fixed(Datum probability)
{
	int64		common;

	if (likely(read_common(probability, CRM_PROBABILITY_SCALE / BASE_DIGITS, &common) &&
			   common <= PROBABILITY_LIMIT))
		return common;
	return convert_probability(probability);
}

/* Any numeric as fixed point; false if that would not be exact. */
bool
crm_numeric_to_fixed(Datum number, int scale, int128 *result)
{
	NumericParts parts;

	Assert(scale % BASE_DIGITS == 0);
	take_apart(number, &parts);
	return to_fixed(&parts, scale / BASE_DIGITS, result) == FIXED_EXACT;
}

/* Splits |number| into digits of base 10,000, the lowest first; returns how many. */
static int
split(int128 number, uint16 digits[MAX_DIGITS])
{
	uint128		rest = number < 0 ? 0 - (uint128) number : (uint128) number;
	int			n = 0;

	/* Divisions of 128 bits are slow, so as few of them as possible are used. */
	while (rest > PG_UINT64_MAX)
	{
		digits[n++] = (uint16) (rest % BASE);
		rest /= BASE;
	}
	for (uint64 low = (uint64) rest; low > 0; low /= BASE)
		digits[n++] = (uint16) (low % BASE);
	Assert(n <= MAX_DIGITS);
	return n;
}

/* Fixed point as numeric, showing 'scale' digits after the decimal point. */
Numeric
crm_fixed_to_numeric(int128 number, int scale)
{
	uint16		digits[MAX_DIGITS];
	int			n = split(number, digits);
	int			lowest = 0;
	int			weight;
	uint16		header;
	char	   *result;
	char	   *to;

	/* A numeric has no trailing zero digits, and zero has no digits at all. */
	while (lowest < n && digits[lowest] == 0)
		lowest++;
	weight = n > 0 ? n - 1 - scale / BASE_DIGITS : 0;

	header = HEADER_SHORT | (scale << SHORT_SCALE_SHIFT) | (weight & SHORT_WEIGHT);
	if (weight < 0)
		header |= SHORT_WEIGHT_SIGN;
	if (number < 0)
		header |= SHORT_NEGATIVE;

	result = palloc(VARHDRSZ + sizeof(uint16) * (1 + n - lowest));
	SET_VARSIZE(result, VARHDRSZ + sizeof(uint16) * (1 + n - lowest));
	to = VARDATA(result);
	memcpy(to, &header, sizeof(header));
	while (n > lowest)
	{
		to += sizeof(uint16);
		memcpy(to, &digits[--n], sizeof(uint16));
	}
	return (Numeric) result;
}

/* Appends fixed point as decimal text, all digits after the point shown. */
void
crm_append_fixed(StringInfo buf, int128 number, int scale)
{
	char		buffer[MAX_DIGITS * BASE_DIGITS + 2];	/* digits, sign, point */
	char	   *end = buffer + sizeof(buffer);
	char	   *p = end;
	uint16		digits[MAX_DIGITS];
	int			n = split(number, digits);
	int			places = scale / BASE_DIGITS;

	for (int i = 0; i < Max(n, places + 1); i++)
	{
		uint16		digit = i < n ? digits[i] : 0;

		if (i == places && places > 0)
			*--p = '.';
		for (int j = 0; j < BASE_DIGITS; j++)
		{
			*--p = '0' + digit % 10;
			digit /= 10;
		}
	}

	/* Skip leading zeros, but not the one before the point. */
	while (*p == '0' && p + 1 < end && p[1] != '.')
		p++;
	if (number < 0)
		*--p = '-';
	appendBinaryStringInfo(buf, p, end - p);
}
