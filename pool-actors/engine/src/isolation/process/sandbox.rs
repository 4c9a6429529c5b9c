//! What a child may still do: before a library's constructors run, and after.

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus, Scope,
};
use rustix::process::{Resource, Rlimit, getpid, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};
use std::collections::BTreeMap;

/// Where the system's own libraries lie, which a library may need in turn; to be read only.
const LIBRARIES: [&str; 5] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache"];
const PAGE_BYTES: u64 = 4096;
/// `PROT_EXEC`.
const EXECUTABLE: u64 = 4;
/// `EPERM`.
const NOT_PERMITTED: u32 = 1;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// No core files, few open files, and addresses for `memory_bytes` beyond what is mapped now and what the library takes.
pub(super) fn limit(memory_bytes: u64) -> Result<(), String> {
    let library = std::fs::metadata("/proc/self/fd/0").map_or(0, |file| file.len());
    let mapped = std::fs::read_to_string("/proc/self/statm").map_err(|e| format!("/proc/self/statm: {e}"))?;
    let pages = mapped.split_whitespace().next().and_then(|pages| pages.parse::<u64>().ok());
    let mapped = pages.ok_or("/proc/self/statm has no number")? * PAGE_BYTES;
    // Twice the library: its file is mapped in parts, with room between them; and the buffers of this child.
    let most = mapped + 2 * library + (1 << 20) + memory_bytes;
    for (resource, most) in [(Resource::As, most), (Resource::Core, 0), (Resource::Nofile, 64)] {
        let both = Rlimit { current: Some(most), maximum: Some(most) };
        setrlimit(resource, both).map_err(|e| format!("limit of {resource:?}: {e}"))?;
    }
    Ok(())
}

/// No files but the system's libraries, no network, no other processes, no new programs.
pub(super) fn before_loading() -> Result<(), String> {
    landlock()?;
    kill_for(&[
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_kill,
        libc::SYS_tkill,
        libc::SYS_rt_sigqueueinfo,
        libc::SYS_rt_tgsigqueueinfo,
        libc::SYS_pidfd_open,
        libc::SYS_pidfd_send_signal,
        libc::SYS_pidfd_getfd,
        libc::SYS_socket,
        libc::SYS_socketpair,
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_listen,
        libc::SYS_io_uring_setup,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_mount,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_fork,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_vfork,
    ])?;
    let mut allowed = always();
    for call in [
        libc::SYS_openat,
        libc::SYS_read,
        libc::SYS_pread64,
        libc::SYS_close,
        libc::SYS_fstat,
        libc::SYS_newfstatat,
        libc::SYS_statx,
        libc::SYS_lseek,
        libc::SYS_mmap,
        libc::SYS_mprotect,
        libc::SYS_readlinkat,
        libc::SYS_faccessat,
        libc::SYS_sched_getaffinity,
        libc::SYS_uname,
        libc::SYS_getcwd,
        libc::SYS_fcntl,
        libc::SYS_sysinfo,
        libc::SYS_prlimit64,
        // The filter of the second stage.
        libc::SYS_seccomp,
        libc::SYS_prctl,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_open,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_access,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_readlink,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_stat,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_arch_prctl,
    ] {
        allowed.insert(call, Vec::new());
    }
    filter(allowed, SeccompAction::Errno(NOT_PERMITTED), SeccompAction::Allow)
}

/// Nothing but memory that is not executable, the clock, sleeping, and ending itself.
pub(super) fn after_loading() -> Result<(), String> {
    let mut allowed = always();
    let mapped = || rule(2, SeccompCmpOp::MaskedEq(EXECUTABLE), 0);
    allowed.insert(libc::SYS_mmap, vec![mapped()?]);
    allowed.insert(libc::SYS_mprotect, vec![mapped()?]);
    filter(allowed, SeccompAction::Errno(NOT_PERMITTED), SeccompAction::Allow)
}

fn landlock() -> Result<(), String> {
    let failed = |e: &dyn std::fmt::Display| format!("Landlock: {e}");
    let abi = ABI::V6;
    let ruleset = Ruleset::default()
        // The first version must be there, what came later is used where it is.
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1))
        .and_then(|ruleset| {
            ruleset
                .set_compatibility(CompatLevel::BestEffort)
                .handle_access(AccessFs::from_all(abi))?
                .handle_access(AccessNet::from_all(abi))?
                .scope(Scope::from_all(abi))
        })
        .and_then(Ruleset::create)
        .map_err(|e| failed(&e))?;
    let readable = AccessFs::ReadFile | AccessFs::Execute;
    let folders = LIBRARIES.iter().filter_map(|path| PathFd::new(path).ok());
    let rules = folders.map(|folder| Ok(PathBeneath::new(folder, readable)));
    let status = ruleset
        .add_rules(rules.collect::<Vec<Result<_, landlock::RulesetError>>>())
        .and_then(landlock::RulesetCreated::restrict_self)
        .map_err(|e| failed(&e))?;
    if status.ruleset == RulesetStatus::NotEnforced {
        return Err("this kernel has no Landlock, or it is switched off".to_owned());
    }
    Ok(())
}

/// What both stages need.
fn always() -> Rules {
    let mut allowed: Rules = [
        libc::SYS_futex,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_brk,
        libc::SYS_exit,
        libc::SYS_exit_group,
        libc::SYS_rt_sigreturn,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigaction,
        libc::SYS_sigaltstack,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_getppid,
        libc::SYS_clock_gettime,
        libc::SYS_clock_nanosleep,
        libc::SYS_restart_syscall,
        libc::SYS_sched_yield,
        libc::SYS_getrandom,
        libc::SYS_set_robust_list,
        libc::SYS_rseq,
    ]
    .into_iter()
    .map(|call| (call, Vec::new()))
    .collect();
    // Only itself: how `abort` ends a process.
    let own = u64::from(getpid().as_raw_nonzero().get().unsigned_abs());
    if let Ok(own) = rule(0, SeccompCmpOp::Eq, own) {
        allowed.insert(libc::SYS_tgkill, vec![own]);
    }
    allowed
}

fn rule(argument: u8, is: SeccompCmpOp, value: u64) -> Result<SeccompRule, String> {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, is, value);
    condition.and_then(|condition| SeccompRule::new(vec![condition])).map_err(|e| format!("seccomp: {e}"))
}

fn kill_for(calls: &[i64]) -> Result<(), String> {
    let rules = calls.iter().map(|call| (*call, Vec::new())).collect();
    filter(rules, SeccompAction::Allow, SeccompAction::KillProcess)
}

fn filter(rules: Rules, others: SeccompAction, these: SeccompAction) -> Result<(), String> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|e| format!("seccomp: {e}"))?;
    let filter = SeccompFilter::new(rules, others, these, arch).map_err(|e| format!("seccomp: {e}"))?;
    let program = BpfProgram::try_from(filter).map_err(|e| format!("seccomp: {e}"))?;
    apply_filter(&program).map_err(|e| format!("seccomp: {e}"))
}
