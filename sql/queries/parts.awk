# Writes a query with its parts put in:
#
#	awk -f parts.awk NAME.sql
#
# A line "@part PART of WORDS@" of the query stands for the text of parts/PART.sql,
# in which @query@ is the query's name and @of@ the words.  A comma may follow.
# Parts may have parts.

function fill(text, placeholder, value,    filled, at)
{
	while ((at = index(text, placeholder)) > 0) {
		filled = filled substr(text, 1, at - 1) value
		text = substr(text, at + length(placeholder))
	}
	return filled text
}

function put(part, words, indent, tail,    file, line, last, n)
{
	file = folder "parts/" part ".sql"
	while ((getline line <file) > 0) {
		if (n++ > 0)
			write(last)
		last = indent fill(fill(line, "@query@", query), "@of@", words)
	}
	close(file)
	if (n == 0) {
		print FILENAME ": there is no part " part >"/dev/stderr"
		exit 1
	}
	write(last tail)
}

function write(line,    indent, tail, words, part)
{
	if (line !~ /^[ \t]*@part .*@,?$/) {
		print line
		return
	}
	match(line, /^[ \t]*/)
	indent = substr(line, 1, RLENGTH)
	tail = line ~ /,$/ ? "," : ""
	words = substr(line, RLENGTH + length("@part ") + 1)
	sub(/@,?$/, "", words)
	part = words
	sub(/ .*/, "", part)
	sub(/^[^ ]*( of )?/, "", words)
	put(part, words, indent, tail)
}

FNR == 1 {
	folder = query = FILENAME
	sub(/[^\/]*$/, "", folder)
	sub(/.*\//, "", query)
	sub(/\.sql$/, "", query)
}

{ write($0) }
