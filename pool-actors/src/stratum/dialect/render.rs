//! Work and difficulty as lines: a job is rendered once per form for all sessions; a session that needs another number
//! or another `clean_jobs` gets that line with two splices.

use bytes::Bytes;
use pool_domain::difficulty::Difficulty;

use super::{JobIdForm, NotifyForm, Variant, wire_id};
use crate::{
    messages::job::Job,
    ports::node::HeaderForm,
    stratum::wire::{push_display, push_hex, push_notification},
};

const HEAD: &[u8] = br#"{"id":null,"method":"mining.notify","params":[""#;
const CLEAN: &[u8] = b",true]}\n";
const KEEP: &[u8] = b",false]}\n";

/// The notify line of a job in a variant's form, with the job's first number and its own `clean`. Empty when the job's
/// header has no such form (a listener with the wrong dialect for its chain).
#[must_use]
pub fn notify<'a>(variant: &Variant, job: &'a Job) -> &'a Bytes {
    job.rendered.get_or_render(variant.render, || Bytes::from(render(variant, job)))
}

fn render(variant: &Variant, job: &Job) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(HEAD);
    wire_id::push(&mut out, variant.job_id, wire_id::first(job.id));
    out.extend_from_slice(b"\",");
    match (variant.notify, job.header()) {
        (
            NotifyForm::Coinbase,
            HeaderForm::Coinbase { version, previous, coinbase1, coinbase2, branches, bits, time, .. },
        ) => {
            out.push(b'"');
            for word in previous.chunks(4) {
                let mut word = [word[0], word[1], word[2], word[3]];
                word.reverse();
                push_hex(&mut out, &word);
            }
            out.extend_from_slice(b"\",\"");
            push_hex(&mut out, coinbase1);
            out.extend_from_slice(b"\",\"");
            push_hex(&mut out, coinbase2);
            out.extend_from_slice(b"\",[");
            for (index, branch) in branches.iter().enumerate() {
                out.extend_from_slice(if index == 0 { b"\"".as_slice() } else { b",\"" });
                push_hex(&mut out, branch);
                out.push(b'"');
            }
            push_display(&mut out, format_args!("],\"{version:08x}\",\"{bits:08x}\",\"{time:08x}\""));
            out.extend_from_slice(if job.clean { CLEAN } else { KEEP });
        }
        (NotifyForm::Bdag, HeaderForm::BdagMining { version, previous, bits, time }) => {
            for (index, field) in [previous.as_slice(), version, bits, time].into_iter().enumerate() {
                out.extend_from_slice(if index == 0 { b"\"".as_slice() } else { b"\",\"" });
                push_hex(&mut out, field);
            }
            out.push(b'"');
            out.extend_from_slice(if job.clean { CLEAN } else { KEEP });
        }
        (NotifyForm::KaspaWords, HeaderForm::PrePow { pre_pow_hash, timestamp_ms }) => {
            let (words, _) = pre_pow_hash.as_chunks::<8>();
            for (index, word) in words.iter().enumerate() {
                out.push(if index == 0 { b'[' } else { b',' });
                push_display(&mut out, u64::from_le_bytes(*word));
            }
            push_display(&mut out, format_args!("],{timestamp_ms}]}}\n"));
        }
        (NotifyForm::KaspaHex, HeaderForm::PrePow { pre_pow_hash, timestamp_ms }) => {
            out.push(b'"');
            push_hex(&mut out, pre_pow_hash);
            push_hex(&mut out, &timestamp_ms.to_le_bytes());
            out.extend_from_slice(b"\"]}\n");
        }
        _ => out.clear(),
    }
    out
}

/// Appends a rendered notify with another job number and `clean_jobs` (where the form has it).
pub fn push_renumbered(out: &mut Vec<u8>, line: &[u8], form: JobIdForm, wire_id: u64, clean: bool) {
    let Some(rest) = line.strip_prefix(HEAD) else { return };
    let Some(end) = memchr::memchr(b'"', rest) else { return };
    let rest = &rest[end..];
    out.extend_from_slice(HEAD);
    wire_id::push(out, form, wire_id);
    match rest.strip_suffix(CLEAN).or_else(|| rest.strip_suffix(KEEP)) {
        Some(body) => {
            out.extend_from_slice(body);
            out.extend_from_slice(if clean { CLEAN } else { KEEP });
        }
        None => out.extend_from_slice(rest),
    }
}

/// Appends `mining.set_difficulty`; the number is exact in a miner's double, because difficulties are quantised.
pub fn push_set_difficulty(out: &mut Vec<u8>, difficulty: Difficulty) {
    push_notification(out, "mining.set_difficulty", format!("[{difficulty}]").as_bytes());
}
