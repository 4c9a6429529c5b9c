//! How a difficulty follows the time that blocks or shares really took.

use crate::{AlgorithmError, Target};

/// Difficulty rules of an algorithm. The defaults are the standard rule on Bitcoin's scale.
pub trait DifficultyAdjuster {
    /// The next difficulty after work meant to take `target_time` took `actual_time` (same unit, any).
    ///
    /// # Errors
    /// [`AlgorithmError::ZeroTime`] and [`AlgorithmError::DifficultyOverflow`].
    fn difficulty_adjustment(
        &self,
        current: u64,
        target_time: u64,
        actual_time: u64,
    ) -> Result<u64, AlgorithmError> {
        standard_adjustment(current, target_time, actual_time)
    }

    /// The target that stands for difficulty 1.
    fn difficulty_one(&self) -> Target {
        Target::BITCOIN_ONE
    }

    /// The target of a whole-numbered difficulty.
    ///
    /// # Errors
    /// [`AlgorithmError::ZeroDifficulty`].
    fn calculate_target(&self, difficulty: u64) -> Result<Target, AlgorithmError> {
        self.difficulty_one().divided_by(difficulty)
    }
}

/// The standard rule: current x target time / actual time, rounded down, at least 1, in exact integers.
///
/// ```
/// use plugin_sdk::standard_adjustment;
/// assert_eq!(standard_adjustment(1000, 30, 15), Ok(2000));
/// assert_eq!(standard_adjustment(1000, 30, 60), Ok(500));
/// assert_eq!(standard_adjustment(1000, 30, 30), Ok(1000));
/// assert!(standard_adjustment(1000, 30, 0).is_err());
/// ```
///
/// # Errors
/// [`AlgorithmError::ZeroDifficulty`], [`AlgorithmError::ZeroTime`] and [`AlgorithmError::DifficultyOverflow`].
pub fn standard_adjustment(current: u64, target_time: u64, actual_time: u64) -> Result<u64, AlgorithmError> {
    if current == 0 {
        return Err(AlgorithmError::ZeroDifficulty);
    }
    if target_time == 0 || actual_time == 0 {
        return Err(AlgorithmError::ZeroTime);
    }
    let adjusted = u128::from(current) * u128::from(target_time) / u128::from(actual_time);
    u64::try_from(adjusted.max(1)).map_err(|_| AlgorithmError::DifficultyOverflow)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Standard;
    impl DifficultyAdjuster for Standard {}

    #[test]
    fn the_standard_rule() {
        assert_eq!(Standard.difficulty_adjustment(1000, 30, 15), Ok(2000));
        assert_eq!(Standard.difficulty_adjustment(1000, 30, 60), Ok(500));
        assert_eq!(Standard.difficulty_adjustment(1000, 30, 30), Ok(1000));
        assert_eq!(standard_adjustment(1, 1, 1000), Ok(1));
        assert_eq!(standard_adjustment(u64::MAX, u64::MAX, u64::MAX), Ok(u64::MAX));
    }

    #[test]
    fn zeros_and_overflow_are_errors() {
        assert_eq!(standard_adjustment(0, 30, 30), Err(AlgorithmError::ZeroDifficulty));
        assert_eq!(standard_adjustment(1000, 0, 30), Err(AlgorithmError::ZeroTime));
        assert_eq!(standard_adjustment(1000, 30, 0), Err(AlgorithmError::ZeroTime));
        assert_eq!(standard_adjustment(u64::MAX, 2, 1), Err(AlgorithmError::DifficultyOverflow));
    }

    #[test]
    fn targets_follow_difficulty_one() {
        assert_eq!(Standard.calculate_target(1), Ok(Target::BITCOIN_ONE));
        assert_eq!(
            Standard.calculate_target(65_536).map(|t| t.to_le_bytes()[24..26].to_vec()),
            Ok(vec![0xff, 0xff])
        );
        assert_eq!(Standard.calculate_target(0), Err(AlgorithmError::ZeroDifficulty));
    }
}
