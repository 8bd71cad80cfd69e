/*
 * analytics/move_list.c
 *		Numbers of moves, of few deals.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "analytics/move_list.h"
#include "base/large_memory.h"

#define FIRST_ROOM	64

void
crm_move_list_add(MoveList *list, uint32 deal, int32 move_no)
{
	if (list->count == list->room)
	{
		Size		size = list->room * sizeof(DealMove);

		list->room = Max(list->room * 2, FIRST_ROOM);
		list->moves = list->moves == NULL ?
			crm_alloc_large(list->context, list->room * sizeof(DealMove)) :
			crm_realloc_large(list->moves, size, list->room * sizeof(DealMove));
	}
	list->moves[list->count++] = (DealMove)
	{
		deal, move_no
	};
}

static int
compare_moves(const void *a, const void *b)
{
	const DealMove *x = a;
	const DealMove *y = b;

	CHECK_FOR_INTERRUPTS();
	if (x->deal != y->deal)
		return x->deal < y->deal ? -1 : 1;
	return x->move_no < y->move_no ? -1 : x->move_no > y->move_no;
}

void
crm_move_list_sort(MoveList *list)
{
	if (list->count > 0)
		qsort(list->moves, list->count, sizeof(DealMove), compare_moves);
}

const DealMove *
crm_move_list_find(const MoveList *list, uint32 deal, int32 move_no)
{
	DealMove	move = {deal, move_no};
	uint32		low = 0;
	uint32		high = list->count;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (compare_moves(&list->moves[middle], &move) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < list->count && list->moves[low].deal == deal ? &list->moves[low] : NULL;
}
