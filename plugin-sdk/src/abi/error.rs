//! Errors as they cross the interface: `{"code", "message", "suggested_action", ...}`, and what belongs to the code.

use super::json::Object;
use crate::AlgorithmError;
use alloc::{
    format,
    string::{String, ToString},
};

/// The longest code of an algorithm's own error.
const CODE_MAX: usize = 64;

impl AlgorithmError {
    /// As JSON, as it crosses the interface.
    #[must_use]
    pub fn to_json(&self) -> String {
        let object = Object::new()
            .with("code", self.code())
            .with("message", self.to_string())
            .with("suggested_action", self.suggested_action());
        match self {
            Self::BadLength { expected, got } => {
                object.with("expected", *expected as u64).with("got", *got as u64)
            }
            Self::BatchLength { inputs, outputs } => {
                object.with("inputs", *inputs as u64).with("outputs", *outputs as u64)
            }
            Self::Refused { index, reason } => {
                object.with("index", *index as u64).with("reason", reason.as_ref())
            }
            Self::BadCompactTarget(bits) => object.with("bits", u64::from(*bits)),
            Self::MigrationUnsupported { from } => object.with("from", from.as_str()),
            _ => object,
        }
        .to_json()
    }

    /// From JSON that an algorithm gave. A code that is none of the interface's own becomes [`Self::Custom`], so that
    /// an algorithm cannot say what only its host can.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn from_json(json: &[u8]) -> Result<Self, String> {
        let object = Object::parse(json)?;
        let size =
            |key| object.number(key).and_then(|size| usize::try_from(size).map_err(|e| format!("{e}")));
        Ok(match object.text("code")? {
            "BAD_LENGTH" => Self::BadLength { expected: size("expected")?, got: size("got")? },
            "BATCH_LENGTH" => Self::BatchLength { inputs: size("inputs")?, outputs: size("outputs")? },
            "INPUT_REFUSED" => Self::Refused {
                index: if object.get("index").is_some() { size("index")? } else { 0 },
                reason: object.text("reason")?.to_string().into(),
            },
            "ZERO_TIME" => Self::ZeroTime,
            "ZERO_DIFFICULTY" => Self::ZeroDifficulty,
            "DIFFICULTY_OVERFLOW" => Self::DifficultyOverflow,
            "BAD_COMPACT_TARGET" => {
                let bits = u32::try_from(object.number("bits")?).map_err(|e| format!("bits: {e}"))?;
                Self::BadCompactTarget(bits)
            }
            "MIGRATION_UNSUPPORTED" => Self::MigrationUnsupported { from: object.text("from")?.into() },
            "NOTHING_MEASURED" => Self::NothingMeasured,
            code => custom(code, &object)?,
        })
    }
}

fn custom(code: &str, object: &Object) -> Result<AlgorithmError, String> {
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if code.is_empty() || code.len() > CODE_MAX || !code.chars().all(plain) {
        return Err(format!(
            "{code:?} is no code of up to {CODE_MAX} upper case letters, digits and underscores"
        ));
    }
    let advice = if object.get("suggested_action").is_some() {
        object.text("suggested_action")?.to_string().into()
    } else {
        "ask the algorithm's author".into()
    };
    Ok(AlgorithmError::Custom {
        code: code.to_string().into(),
        message: object.text("message")?.into(),
        suggested_action: advice,
    })
}
