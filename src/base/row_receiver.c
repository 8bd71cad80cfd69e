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

static void
destroy(DestReceiver *self)
{
	pfree(self);
}

DestReceiver *
crm_row_receiver(CrmRowReceiver receive, void *arg)
{
	Receiver   *receiver = palloc(sizeof(Receiver));

	*receiver = (Receiver)
	{
		/* Any kind but DestNone and DestSPI, which SPI takes for its own. */
		.dest =
		{
			receive_slot, start_up, shut_down, destroy, DestTuplestore
		},
			.receive = receive,
			.arg = arg
	};
	return &receiver->dest;
}

void
crm_receive_rows(SPIPlanPtr plan, int nargs, Oid argtype, const Datum *args, const bool *nulls,
				 bool read_only, CrmRowReceiver receive, void *arg)
{
	SPIExecuteOptions options = {.read_only = read_only,.dest = crm_row_receiver(receive, arg)};

	if (nargs > 0)
	{
		options.params = makeParamList(nargs);
		for (int i = 0; i < nargs; i++)
			options.params->params[i] = (ParamExternData)
		{
			.value = args[i],.isnull = nulls[i],.pflags = PARAM_FLAG_CONST,.ptype = argtype
		};
	}
	if (SPI_execute_plan_extended(plan, &options) != SPI_OK_SELECT)
		elog(ERROR, "query returned no rows");
	options.dest->rDestroy(options.dest);
}
