# Lints: each script of test/lint is a test, and says what is wrong if it fails.
# They run in the copy of the sources, $src; $CRM_TOP is the project's folder.
: "${src:?}" "${work:?}"
number=0
for lint in "$src"/test/lint/*
do
	number=$((number + 1))
	name=$(basename "$lint")
	case $lint in
		# The interpreter for which Debian has the modules.
		*.py) set -- /usr/bin/python3 "$lint" ;;
		*) set -- sh "$lint" ;;
	esac
	if (cd "$src" && "$@") >"$work/said" 2>&1
	then
		echo "ok $number - $name"
	else
		echo "not ok $number - $name"
		sed 's/^/# /' "$work/said"
	fi
done
