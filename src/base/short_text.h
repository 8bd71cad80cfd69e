/*
 * base/short_text.h
 *		Values of variable length, as rows of a table have them.
 */
#ifndef CRM_BASE_SHORT_TEXT_H
#define CRM_BASE_SHORT_TEXT_H

#include "fmgr.h"

#include "base/compat.h"

/*
 * The value to be read by VARDATA_ANY() and VARSIZE_ANY_EXHDR(): without a call for
 * a short one, which is read in place.
 */
static inline const struct varlena *
crm_short_text(Datum value)
{
	struct varlena *raw = (struct varlena *) DatumGetPointer(value);

	if (likely(VARATT_IS_1B(raw) && !VARATT_IS_1B_E(raw)))
		return raw;
	return pg_detoast_datum_packed(raw);
}

#endif							/* CRM_BASE_SHORT_TEXT_H */
