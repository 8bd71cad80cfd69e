/*
 * analytics/move_list.h
 *		Numbers of moves, of few deals.
 */
#ifndef CRM_ANALYTICS_MOVE_LIST_H
#define CRM_ANALYTICS_MOVE_LIST_H

#include "utils/palloc.h"

typedef struct DealMove
{
	uint32		deal;			/* its number */
	int32		move_no;
} DealMove;

/* Begins with zeros and the memory context. */
typedef struct MoveList
{
	MemoryContext context;
	DealMove   *moves;
	uint32		count;
	uint32		room;
} MoveList;

extern void crm_move_list_add(MoveList *list, uint32 deal, int32 move_no);

/* After the last one, before the first is looked up. */
extern void crm_move_list_sort(MoveList *list);

/* The first one of the deal that has this number or a higher one; NULL if there is none. */
extern const DealMove *crm_move_list_find(const MoveList *list, uint32 deal, int32 move_no);

#endif							/* CRM_ANALYTICS_MOVE_LIST_H */
