# The table of currencies has all that Debian's iso-codes has; git's tags, if
# there are any, are those of the project's folder.
sh "$CRM_TOP/test/check_currencies.sh"
