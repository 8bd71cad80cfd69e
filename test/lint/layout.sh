# The sources are laid out by scripts/indent.pl.
scripts/indent.pl --check
