/*
 * stage/deal_status.c
 *		The status of a deal: open, won or lost.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "base/compat.h"
#include "base/short_text.h"
#include "stage/deal_status.h"

bool
crm_parse_deal_status(Datum text, DealStatus *status)
{
	const struct varlena *value = crm_short_text(text);
	const char *data = VARDATA_ANY(value);
	Size		len = VARSIZE_ANY_EXHDR(value);

	if (len == 4 && memcmp(data, "open", 4) == 0)
		*status = DEAL_OPEN;
	else if (len == 3 && memcmp(data, "won", 3) == 0)
		*status = DEAL_WON;
	else if (len == 4 && memcmp(data, "lost", 4) == 0)
		*status = DEAL_LOST;
	else
		return false;
	return true;
}

const char *
crm_deal_status_name(DealStatus status)
{
	switch (status)
	{
		case DEAL_OPEN:
			return "open";
		case DEAL_WON:
			return "won";
		case DEAL_LOST:
			return "lost";
	}
	pg_unreachable();
}

Datum
crm_closed_probability(DealStatus status)
{
	/*
	 * With the scale of the column's type, which is not applied to a
	 * trigger's values.
	 */
	return DirectFunctionCall3(numeric_in,
							   CStringGetDatum(status == DEAL_WON ? "1.0000" : "0.0000"),
							   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}
