-- A day by its number since 1970-01-01.
SELECT share_hours_day(date '1970-01-01' + $1::integer, $2::integer)
