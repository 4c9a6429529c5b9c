SELECT payout FROM personal_told WHERE id = 1
