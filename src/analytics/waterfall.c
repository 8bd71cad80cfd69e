#include "postgres.h"
#include "fmgr.h"
PG_FUNCTION_INFO_V1(crm_waterfall);
Datum
crm_waterfall(PG_FUNCTION_ARGS)
{
	PG_RETURN_NULL();
}
