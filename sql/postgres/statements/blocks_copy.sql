COPY stage_blocks (
  line, hash, node, candidate, candidate_seq, anchor_seq, fallback_seq, algorithm, network_work, height, worker_id, found_at,
  status, color, confirmations, reward, income, merging_block, life, income_life, reason, updated_at
) FROM STDIN (FORMAT binary)
