DELETE FROM temp.entries_staged
