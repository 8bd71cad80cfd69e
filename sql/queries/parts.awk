# Writes a query with its parts put in:
#
#	awk -f parts.awk NAME.sql
#
# A line "@part PART of WORDS@" of the query stands for the text of parts/PART.sql,
# in which @query@ is the query's name and @of@ the words.  A comma may follow.  A part
# may have parts.

function fill(text, placeholder, value,    filled, at)
{
	while ((at = index(text, placeholder)) > 0) {
		filled = filled substr(text, 1, at - 1) value
		text = substr(text, at + length(placeholder))
	}
	return filled text
}

# A line of a query or of a part, behind the indent of the line that asks for the part.
function put_line(line, indent,    words, part, tail)
{
	if (line !~ /^[ \t]*@part .*@,?$/) {
		print indent line
		return
	}
	match(line, /^[ \t]*/)
	indent = indent substr(line, 1, RLENGTH)
	tail = line ~ /,$/ ? "," : ""
	words = substr(line, RLENGTH + length("@part ") + 1)
	sub(/@,?$/, "", words)
	part = words
	sub(/ .*/, "", part)
	sub(/^[^ ]*( of )?/, "", words)
	put_part(part, words, indent, tail)
}

function put_part(part, words, indent, tail,    file, line, last, n)
{
	file = folder "parts/" part ".sql"
	while ((getline line <file) > 0) {
		if (n++ > 0)
			put_line(last, indent)
		last = fill(fill(line, "@query@", query), "@of@", words)
	}
	close(file)
	if (n == 0) {
		print FILENAME ": there is no part " part >"/dev/stderr"
		exit 1
	}
	put_line(last tail, indent)
}

FNR == 1 {
	folder = query = FILENAME
	sub(/[^\/]*$/, "", folder)
	sub(/.*\//, "", query)
	sub(/\.sql$/, "", query)
}

{ put_line($0, "") }
