# The paths of examples/nginx: the real nginx in front of a stub.
set -eu
# The interpreter of Debian, as for the lints.
exec /usr/bin/python3 test/nginx/routes.py
