//! What a process costs, from `/proc`.

use pool_actors::error::{Code, Failure};

/// `/proc/PID/stat` counts in USER_HZ, which the kernel's interface fixes at 100 on all architectures in use.
const MICROS_PER_TICK: u64 = 10_000;

/// CPU time that a process has used so far, user and system, microseconds (in steps of 10,000).
///
/// # Errors
/// When there is no such process.
pub(super) fn cpu_micros(pid: u32) -> Result<u64, Failure> {
    let text = read(pid, "stat")?;
    // The name in parentheses may hold anything; the fields behind it are state, ppid... utime is the 12th, stime the 13th.
    let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
    let mut ticks = fields.split_ascii_whitespace().skip(11).map_while(|field| field.parse::<u64>().ok());
    match (ticks.next(), ticks.next()) {
        (Some(user), Some(system)) => Ok((user + system) * MICROS_PER_TICK),
        _ => Err(unreadable(pid, "stat", "it has another form than expected")),
    }
}

/// Memory of a process, KiB.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub(super) struct Memory {
    /// Resident.
    pub(super) rss_kib: u64,
    /// Resident and backed by no file: heap and stacks.
    pub(super) anonymous_kib: u64,
}

/// What memory a process holds now.
///
/// # Errors
/// When there is no such process, or it is another user's.
pub(super) fn memory(pid: u32) -> Result<Memory, Failure> {
    let text = read(pid, "smaps_rollup")?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches(':').split_ascii_whitespace().next()?.parse().ok()
    };
    match (field("Rss"), field("Anonymous")) {
        (Some(rss_kib), Some(anonymous_kib)) => Ok(Memory { rss_kib, anonymous_kib }),
        _ => Err(unreadable(pid, "smaps_rollup", "Rss or Anonymous is missing")),
    }
}

/// How many threads a process has.
///
/// # Errors
/// When there is no such process.
pub(super) fn threads(pid: u32) -> Result<u64, Failure> {
    let text = read(pid, "status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Threads:"));
    let count = line.and_then(|rest| rest.trim().parse().ok());
    count.ok_or_else(|| unreadable(pid, "status", "it names no threads"))
}

fn read(pid: u32, file: &str) -> Result<String, Failure> {
    std::fs::read_to_string(format!("/proc/{pid}/{file}"))
        .map_err(|error| unreadable(pid, file, &error.to_string()))
}

fn unreadable(pid: u32, file: &str, why: &str) -> Failure {
    Failure::new(
        Code::SystemRefused,
        format!("/proc/{pid}/{file}: {why}"),
        "give the number of a running process of your own, on Linux",
    )
}

/// Raises the soft limit of open files to the hard one, and says what it is.
///
/// # Errors
/// When the system refuses, or the limit is below what is needed.
pub(super) fn raise_file_limit(needed: u64) -> Result<u64, Failure> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit).map_err(|error| {
            let what = format!("the limit of open files could not be raised: {error}");
            Failure::new(Code::SystemRefused, what, "raise it by hand: ulimit -n")
        })?;
    }
    let limit = limit.current.unwrap_or(u64::MAX);
    if limit < needed {
        return Err(Failure::new(
            Code::SystemRefused,
            format!("{needed} open files are needed, {limit} are allowed"),
            "raise the hard limit (ulimit -Hn, or LimitNOFILE of the service), or use fewer connections",
        ));
    }
    Ok(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_a_cost() {
        let pid = std::process::id();
        let memory = memory(pid).unwrap();
        assert!(memory.rss_kib >= memory.anonymous_kib && memory.anonymous_kib > 0);
        cpu_micros(pid).unwrap();
        assert!(threads(pid).unwrap() > 0);
        assert!(cpu_micros(u32::MAX).unwrap_err().to_string().contains("/proc/4294967295/stat"));
    }
}
