/*
 * base/row_receiver.c
 *		The rows of a query, one by one as they come, none of them kept.
 */
#include "postgres.h"

#include "nodes/params.h"
#include "tcop/dest.h"

#include "base/row_receiver.h"

typedef struct Receiver
{
	DestReceiver dest;			/* must be first */
	CrmRowReceiver receive;
	void	   *arg;
} Receiver;

static bool
receive_slot(TupleTableSlot *slot, DestReceiver *self)
{
	Receiver   *receiver = (Receiver *) self;

	receiver->receive(slot, receiver->arg);
	return true;
}

static void
start_up(DestReceiver *self, int operation, TupleDesc desc)
{
}

static void
shut_down(DestReceiver *self)
{
}

void
crm_receive_rows(SPIPlanPtr plan, int nargs, const Oid *argtypes, const Datum *args,
				 const bool *nulls, bool read_only, CrmRowReceiver receive, void *arg)
{
	Receiver	receiver = {
		/* Any kind but DestNone and DestSPI, which SPI takes for its own. */
		.dest = {receive_slot, start_up, shut_down, shut_down, DestTuplestore},
		.receive = receive,
		.arg = arg
	};
	SPIExecuteOptions options = {.read_only = read_only,.dest = &receiver.dest};

	if (nargs > 0)
	{
		options.params = makeParamList(nargs);
		for (int i = 0; i < nargs; i++)
			options.params->params[i] = (ParamExternData)
		{
			.value = args[i],.isnull = nulls[i],.pflags = PARAM_FLAG_CONST,.ptype = argtypes[i]
		};
	}
	if (SPI_execute_plan_extended(plan, &options) != SPI_OK_SELECT)
		elog(ERROR, "query returned no rows");
}
