#!/bin/sh
# Prints the bill of materials of a version of crm, as SPDX 2.3: what it is built
# with and runs on, and what its sources contain of others'.
#
#	scripts/sbom.sh VERSION
set -eu
version=$1
# The time of the last commit, so that the same sources give the same text.
created=$(TZ=UTC git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd)

uplot=$(sed -n 's|^/\*! .*uPlot (v\([0-9.]*\)) \*/.*|\1|p' "$(dirname "$0")/../sql/page/uPlot.iife.min.js")

package()			# $1 id, $2 name, $3 version, $4 licence, $5 what it is to crm
{
	cat <<-END
		    {
		      "SPDXID": "SPDXRef-$1", "name": "$2", "versionInfo": "$3",
		      "licenseDeclared": "$4", "licenseConcluded": "$4", "copyrightText": "NOASSERTION",
		      "downloadLocation": "NOASSERTION", "filesAnalyzed": false, "comment": "$5"
		    }
	END
}

cat <<END
{
  "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
  "name": "crm-$version", "documentNamespace": "https://crm.example/spdx/crm-$version",
  "creationInfo": {"created": "$created", "creators": ["Organization: the crm contributors"]},
  "packages": [
$(package crm crm "$version" PostgreSQL "the extension, and the program crm-mcp"),
$(package postgresql PostgreSQL "15 to 18" PostgreSQL "the server that loads the extension"),
$(package libpq libpq "15 or later" PostgreSQL "linked by crm-mcp"),
$(package libuuid libuuid "2 or later" BSD-3-Clause "linked by the extension"),
$(package uplot uPlot "$uplot" MIT "in the pages that the extension returns: sql/page")
  ],
  "relationships": [
    {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-crm"},
    {"spdxElementId": "SPDXRef-crm", "relationshipType": "DEPENDS_ON", "relatedSpdxElement": "SPDXRef-postgresql"},
    {"spdxElementId": "SPDXRef-crm", "relationshipType": "DYNAMIC_LINK", "relatedSpdxElement": "SPDXRef-libpq"},
    {"spdxElementId": "SPDXRef-crm", "relationshipType": "DYNAMIC_LINK", "relatedSpdxElement": "SPDXRef-libuuid"},
    {"spdxElementId": "SPDXRef-crm", "relationshipType": "CONTAINS", "relatedSpdxElement": "SPDXRef-uplot"}
  ]
}
END
