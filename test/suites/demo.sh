# The demo, as a user would call it, in a folder with a space in its path: what it
# prints, that it refuses what it cannot read, and that nothing of it is left.
: "${CRM_TOP:?}" "${work:?}"
number=0
top="$work/demo sources"
demo=$top/scripts/demo.sh
sample=$top/examples/sample_pipeline.csv
out=$work/demo.out
mkdir "$top"
tar -C "$CRM_TOP" --exclude=./.git -cf - . | tar -C "$top" --no-same-owner -xf -

is()				# is the status of the last command 0? $1: the name
{
	result=$?
	number=$((number + 1))
	if [ $result -eq 0 ]
	then
		echo "ok $number - $1"
	else
		echo "not ok $number - $1"
		sed 's/^/# /' "$out"
	fi
}

refused()			# $1: a CSV, $2: what to say about it
{
	! "$demo" --exit "$1" >"$out" 2>&1 && grep -q "$2" "$out"
}

TMPDIR=$work/demo
export TMPDIR
mkdir -m 1777 "$TMPDIR"

make -C "$top" demo EXIT=1 CSV="$sample" >"$out" 2>&1
is "the demo with the sample ends with success"
grep -qE '^ Won +\| +89 \| +299,836\.39 \| +299,836\.39 \| USD +\| (█)+$' "$out"
is "it prints the stage with its numbers and its bar"
grep -qE '^ Prospecting +\| +200 \| +[0-9]+ \| +[0-9.]+ \| +89 \|' "$out"
is "and its funnel"
! grep -qE '[0-9]\.[0-9]{3}' "$out"
is "no number of it has more than two decimals"
! grep -q psql "$out"
is "with --exit it names no way to connect"

refused "$work/no-such-file.csv" 'no such file'
is "a file that is not there is refused"
refused "$work" 'no such file'
is "a folder is refused"
sed '1s/close_value/value/' "$sample" >"$work/bad.csv"
refused "$work/bad.csv" 'has no column close_value'
is "a file with other columns is refused"
sed '3s/Won/Wonn/' "$sample" >"$work/bad.csv"
refused "$work/bad.csv" '| *3 |.*unknown deal_stage "Wonn"'
is "an unknown stage is refused, with its place"

# Staying up: connect as it says, then stop it as it says.
"$demo" "$sample" >"$out" 2>&1 &
pid=$!
until grep -q "kill $pid" "$out" || ! kill -0 "$pid" 2>/dev/null
do
	sleep 0.5
done
grep -q "kill $pid" "$out"
is "it stays up and says how to stop it"
url=$(grep -o "postgresql://[^']*" "$out")
[ "$(psql -X -At "$url" -c 'SELECT count(*) FROM deals')" = 200 ]
is "one can connect as it says"
query=$(sed -n '/^ *SELECT d.title/,/;$/p' "$out")
[ "$(psql -X -At "$url" -c "$query" | wc -l)" = 10 ]
is "the query that it suggests runs"
! PGPASSWORD=wrong psql -X "postgresql://postgres@${url#*@}" -c 'SELECT 1' >/dev/null 2>&1
is "but not without the password"
page=$(grep -o '/.*/pipeline\.html' "$out")
[ "$(head -c 15 "$page")" = '<!DOCTYPE html>' ] && [ "$(tail -n 1 "$page")" = '</html>' ]
is "the page is where it says"
postmaster=$(psql -X -At "$url" -c "SELECT split_part(pg_read_file('postmaster.pid'), E'\n', 1)")
kill "$pid"
wait "$pid"
is "when stopped it ends with success"
# Gone, or a zombie that waits for init.
[ -z "$(tr -d '\0' 2>/dev/null <"/proc/$postmaster/cmdline")" ]
is "its server has stopped"
[ -z "$(ls "$TMPDIR")" ]
is "no folder is left behind"
