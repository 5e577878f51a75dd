#!/bin/sh
# Writes the open sessions of a PostgreSQL database to a CSV file, in the form that masked-pairs.toml reads:
#
#     feed-postgresql.sh DATABASE sessions.csv
#
# A single query makes all rows consistent. A new file and a rename let the service see either the old file or the complete new
# one. If the query fails, the old file stays. Run the script as often as you like:
# `while sleep 1; do feed-postgresql.sh …; done`, or from the program that opens and ends sessions. DATABASE is a name or a
# connection string.
#
# The table is: CREATE TABLE sessions (number text, rider text, driver text, until timestamptz), `until` NULL for no end.
set -eu

database=$1
file=$2
new=$(mktemp "$file.XXXXXX")
trap 'rm -f "$new"' EXIT

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --dbname "$database" --output "$new" --command "
    COPY (
        WITH live AS (
            SELECT number, rider, driver, to_char(until AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS until
            FROM sessions WHERE until IS NULL OR until > now()
        )
        SELECT number, rider AS party, driver AS other, until FROM live
        UNION ALL SELECT number, driver, rider, until FROM live
    ) TO STDOUT WITH (FORMAT csv, HEADER)"

chmod 0640 "$new"       # the service's user must be in your group, or own the file
mv -f "$new" "$file"
