# gcc and clang compile without a warning (-Werror), with assertions too.
set -eu
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

for compiler in "gcc" "clang" "gcc -DUSE_ASSERT_CHECKING"
do
	rm -rf "$tmp/src"
	cp -R . "$tmp/src"
	make -s -C "$tmp/src" with_llvm=no PG_CONFIG="$PG_CONFIG" clean
	echo "$compiler:"
	make -s -j2 -C "$tmp/src" with_llvm=no PG_CONFIG="$PG_CONFIG" CC="$compiler" COPT=-Werror
done
