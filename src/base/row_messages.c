/*
 * base/row_messages.c
 *		Messages about one row of a CRM, for ereport().
 */
#include "postgres.h"

#include "base/row_messages.h"

typedef struct RowMessages
{
	const char *what;
	const char *missing;
	const char *readable;
	const char *unchanged;
} RowMessages;

static const RowMessages messages[] = {
	{"contact", gettext_noop("contact %s does not exist"), gettext_noop("Use the id of a contact that you may read."),
	gettext_noop("contact %s was left unchanged")},
	{"deal", gettext_noop("deal %s does not exist"), gettext_noop("Use the id of a deal that you may read."),
	gettext_noop("deal %s was left unchanged")},
	{"link", gettext_noop("link %s does not exist"), gettext_noop("Use the id of a link that you may read."),
	gettext_noop("link %s was left unchanged")},
	{"organization", gettext_noop("organization %s does not exist"), gettext_noop("Use the id of an organization that you may read."),
	gettext_noop("organization %s was left unchanged")},
	{"owner", gettext_noop("owner %s does not exist"), gettext_noop("Use the id of an owner that you may read."),
	gettext_noop("owner %s was left unchanged")},
	{"pipeline", gettext_noop("pipeline %s does not exist"), gettext_noop("Use the id of a pipeline that you may read."),
	gettext_noop("pipeline %s was left unchanged")},
	{"stage", gettext_noop("stage %s does not exist"), gettext_noop("Use the id of a stage that you may read."),
	gettext_noop("stage %s was left unchanged")},
	{"tag", gettext_noop("tag %s does not exist"), gettext_noop("Use the id of a tag that you may read."),
	gettext_noop("tag %s was left unchanged")},
};

static const RowMessages *
find(const char *what)
{
	for (int i = 0; i < lengthof(messages); i++)
	{
		if (strcmp(messages[i].what, what) == 0)
			return &messages[i];
	}
	elog(ERROR, "there are no messages about a row of the kind \"%s\"", what);
}

int
crm_errmsg_missing(const char *what, const char *id)
{
	return errmsg(find(what)->missing, id);
}

int
crm_errhint_missing(const char *what)
{
	return errhint("%s", _(find(what)->readable));
}

int
crm_errmsg_unchanged(const char *what, const char *id)
{
	return errmsg(find(what)->unchanged, id);
}
