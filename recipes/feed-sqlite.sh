#!/bin/sh
# Writes the open sessions of a SQLite database to a CSV file, in the form that masked-pairs.toml reads:
#
#     feed-sqlite.sh DATABASE sessions.csv
#
# A single query makes all rows consistent. A new file and a rename let the service see either the old file or the complete new
# one. If the query fails, the old file stays. Run the script as often as you like: `while sleep 1; do feed-sqlite.sh …; done`,
# or from the program that opens and ends sessions.
#
# The table is: CREATE TABLE sessions (number TEXT, rider TEXT, driver TEXT, until TEXT), `until` in UTC as SQLite's
# datetime() writes it, NULL for no end.
set -eu

database=$1
file=$2
new=$(mktemp "$file.XXXXXX")
trap 'rm -f "$new"' EXIT

# sqlite3 prints no header if there are no rows, so write it here.
echo 'number,party,other,until' >"$new"
sqlite3 -readonly -bail -csv "$database" "
    WITH live AS (
        SELECT number, rider, driver, strftime('%Y-%m-%dT%H:%M:%SZ', until) AS until
        FROM sessions WHERE until IS NULL OR until > datetime('now')
    )
    SELECT number, rider, driver, until FROM live
    UNION ALL SELECT number, driver, rider, until FROM live" >>"$new"

chmod 0640 "$new"       # the service's user must be in your group, or own the file
mv -f "$new" "$file"
