COPY stage_shares (worker_id, algorithm, accepted, work, last_share_at) FROM STDIN (FORMAT binary)
