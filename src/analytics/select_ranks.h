/*
 * analytics/select_ranks.h
 *		Selection of ranks, without a sort.
 */
#ifndef CRM_ANALYTICS_SELECT_RANKS_H
#define CRM_ANALYTICS_SELECT_RANKS_H

#include "analytics/deal_visits.h"

/*
 * Moves visits so that at each of the ranks, which ascend from 0, is what would be
 * there if all were sorted by stage and figure.
 */
extern void crm_select_ranks(Visit *visits, int64 nvisits, const int64 *ranks, int nranks);

#endif							/* CRM_ANALYTICS_SELECT_RANKS_H */
