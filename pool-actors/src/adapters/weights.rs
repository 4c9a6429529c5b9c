//! A split's weights as one value: count, then for each account (by rising key) the distance to the previous key and
//! the work, all as LEB128. Some ten bytes an account, where a row each would be sixty.

use pool_domain::units::Work;

/// Packs weights sorted by account key.
pub(super) fn pack(weights: &[(i64, Work)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + weights.len() * 12);
    put(&mut out, weights.len() as u128);
    let mut previous = 0;
    for &(account, work) in weights {
        put(&mut out, (account - previous).unsigned_abs().into());
        put(&mut out, work.0);
        previous = account;
    }
    out
}

/// Unpacks what [`pack`] made; `None` if it was not.
pub(super) fn unpack(mut bytes: &[u8]) -> Option<Vec<(i64, Work)>> {
    let count = usize::try_from(take(&mut bytes)?).ok()?;
    if count > bytes.len() {
        return None;
    }
    let mut weights = Vec::with_capacity(count);
    let mut account = 0_i64;
    for _ in 0..count {
        account = account.checked_add(i64::try_from(take(&mut bytes)?).ok()?)?;
        weights.push((account, Work(take(&mut bytes)?)));
    }
    bytes.is_empty().then_some(weights)
}

fn put(out: &mut Vec<u8>, mut value: u128) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

fn take(bytes: &mut &[u8]) -> Option<u128> {
    let mut value = 0_u128;
    for shift in (0..).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u128::from(byte & 0x7f);
        if shift > 126 || (shift == 126 && part > 3) {
            return None;
        }
        value |= part << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn weights_come_back(weights: BTreeMap<u32, u128>) {
            let weights: Vec<_> = weights.into_iter().map(|(id, work)| (i64::from(id), Work(work))).collect();
            prop_assert_eq!(unpack(&pack(&weights)), Some(weights));
        }

        #[test]
        fn rubbish_is_refused_without_panic(bytes: Vec<u8>) {
            if let Some(weights) = unpack(&bytes) {
                prop_assert!(weights.len() <= bytes.len());
            }
        }
    }
}
