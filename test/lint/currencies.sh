# The table of currencies, src/base/currency_codes.h: sorted, each code once; no
# code of Debian's iso-codes missing; no code gone that a released version had
# (a tag v* of git's, in the project's folder).
set -eu
header=src/base/currency_codes.h
xml=/usr/share/xml/iso-codes/iso_4217.xml	# with the withdrawn codes
json=/usr/share/iso-codes/json/iso_4217.json
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

quoted()			# the codes in quotes on standard input
{
	grep -o '"[A-Z][A-Z][A-Z]"' | tr -d '"' || true
}

missing()			# what in the file $1 is not in the table; $2: its name
{
	sort -u "$1" | comm -23 - "$tmp/sorted" >"$tmp/missing"
	if [ -s "$tmp/missing" ]
	then
		echo "$header lacks codes of $2: $(paste -sd ' ' "$tmp/missing")" >&2
		failed=1
	fi
}

LC_ALL=C
export LC_ALL
quoted <"$header" >"$tmp/ours"
sort -u "$tmp/ours" >"$tmp/sorted"
if ! cmp -s "$tmp/ours" "$tmp/sorted"
then
	echo "$header is not sorted, or has a code twice" >&2
	failed=1
fi

for source in "$xml" "$json"
do
	# A line a code in both: letter_code="USD" and "alpha_3": "USD".
	grep -E 'letter_code=|"alpha_3"' "$source" | quoted >"$tmp/theirs"
	if [ "$(wc -l <"$tmp/theirs")" -lt 150 ]
	then
		echo "$source: cannot read its codes" >&2
		failed=1
	fi
	missing "$tmp/theirs" "$source"
done

git_in_top()				# git, in the project's folder, if that is a checkout
{
	git -c safe.directory='*' -C "$CRM_TOP" "$@" 2>/dev/null || true
}

for tag in $(git_in_top tag --list 'v*')
do
	git_in_top show "$tag:$header" | quoted >"$tmp/released"
	missing "$tmp/released" "$tag"
done

exit $failed
