/*
 * base/request.c
 *		Reading the JSON objects of a request: its claims, its headers.
 *
 * If a key occurs twice, the last one counts, as in jsonb.
 */
#include "postgres.h"

#include "common/jsonapi.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "base/compat.h"
#include "base/request.h"

/* Malformed JSON would make jsonb_in() raise an error, so it is checked first. */
Jsonb *
crm_parse_json_object(const char *json)
{
	JsonLexContext *lex = crm_make_json_lexer(pstrdup(json), strlen(json),
											  GetDatabaseEncoding(), true);
	Jsonb	   *object;

	if (pg_parse_json(lex, &nullSemAction) != JSON_SUCCESS)
		return NULL;
	object = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
	return JB_ROOT_IS_OBJECT(object) ? object : NULL;
}

/* Whether there is a value at the dotted path. */
static bool
find_path(JsonbContainer *container, const char *path, JsonbValue *value)
{
	for (;;)
	{
		int			length = strcspn(path, ".");

		if (!JsonContainerIsObject(container) ||
			getKeyJsonValueFromContainer(container, path, length, value) == NULL)
			return false;
		if (path[length] == '\0')
			return true;
		if (value->type != jbvBinary)
			return false;
		container = value->val.binary.data;
		path += length + 1;
	}
}

CrmClaimKind
crm_get_claim(Jsonb *claims, const char *name, char **text)
{
	JsonbValue	value;

	/*
	 * The name first: names with dots are common
	 * ("https://example.com/tenant").
	 */
	if (getKeyJsonValueFromContainer(&claims->root, name, strlen(name),
									 &value) == NULL &&
		!find_path(&claims->root, name, &value))
		return CRM_CLAIM_MISSING;

	switch (value.type)
	{
		case jbvString:
			*text = pnstrdup(value.val.string.val, value.val.string.len);
			return CRM_CLAIM_TEXT;
		case jbvNumeric:
			*text = DatumGetCString(DirectFunctionCall1(numeric_out,
														NumericGetDatum(value.val.numeric)));
			return CRM_CLAIM_TEXT;
		default:
			return CRM_CLAIM_OTHER;
	}
}
