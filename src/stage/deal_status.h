/*
 * stage/deal_status.h
 *		The status of a deal: open, won or lost.
 */
#ifndef CRM_STAGE_DEAL_STATUS_H
#define CRM_STAGE_DEAL_STATUS_H

typedef enum DealStatus
{
	DEAL_OPEN,
	DEAL_WON,
	DEAL_LOST
} DealStatus;

/* 'open', 'won' or 'lost'; false if the text is none of them. */
extern bool crm_parse_deal_status(Datum text, DealStatus *status);
extern const char *crm_deal_status_name(DealStatus status);

/* The probability of a closed deal, numeric(5,4): 1 when won, 0 when lost. */
extern Datum crm_closed_probability(DealStatus status);

#endif							/* CRM_STAGE_DEAL_STATUS_H */
