//! [`System`] of Linux: `/proc` of this process, its control group, and the file system of the data folder.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::{
    fs::statvfs,
    process::{Resource, getrlimit},
    time::{ClockId, clock_gettime},
};

use crate::ports::system::{DiskSpace, ProcessFigures, System};

/// `/proc/self/stat` counts in USER_HZ, which the kernel's interface fixes at 100 on all architectures in use.
const TICKS_PER_S: f64 = 100.0;
/// Where control groups are.
const GROUPS: &str = "/sys/fs/cgroup";

/// See the module's documentation.
#[derive(Debug)]
pub struct LinuxSystem {
    data_dir: PathBuf,
    page_bytes: u64,
}

impl LinuxSystem {
    /// The system, with its data folder there.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        let page_bytes = u64::try_from(rustix::param::page_size()).unwrap_or(4_096);
        Self { data_dir: data_dir.to_owned(), page_bytes }
    }
}

fn odd(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} has another form than expected"))
}

/// The figure behind `name:` in a file of lines such as `MemTotal: 5 kB`.
fn line(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

/// Threads, and the moment of the start in ticks since the machine's, from the text of `/proc/self/stat`.
fn threads_and_start(stat: &str) -> Option<(u64, f64)> {
    // The name in parentheses may hold anything; state is the 3rd field, threads the 20th, the start the 22nd.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(17);
    let threads = fields.next()?.parse().ok()?;
    Some((threads, fields.nth(1)?.parse().ok()?))
}

/// Open files: newer kernels say how many as the folder's size, older ones have it counted.
fn open_fds() -> io::Result<u64> {
    let told = fs::metadata("/proc/self/fd")?.len();
    if told > 0 {
        return Ok(told);
    }
    // One of them is the folder being read.
    Ok(u64::try_from(fs::read_dir("/proc/self/fd")?.count()).unwrap_or(u64::MAX).saturating_sub(1))
}

/// The least memory that any control group around this process allows, by `/proc/self/cgroup` (cgroups(7)): a service's own
/// group is below that of its slice, and in a container the root is the container's.
fn group_limit(root: &Path, groups: &str) -> Option<u64> {
    let limits = groups.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        // Version 2 has one line without controllers.
        let (base, file) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            _ if controllers.split(',').any(|one| one == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => return None,
        };
        let around = Path::new(path.trim_start_matches('/')).ancestors().map(|group| base.join(group));
        around.filter_map(|group| fs::read_to_string(group.join(file)).ok()?.trim().parse::<u64>().ok()).min()
    });
    limits.min()
}

impl System for LinuxSystem {
    fn process(&self) -> io::Result<ProcessFigures> {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let cpu_us = u64::try_from(cpu.tv_sec).unwrap_or_default() * 1_000_000
            + u64::try_from(cpu.tv_nsec).unwrap_or_default() / 1_000;
        let statm = fs::read_to_string("/proc/self/statm")?;
        let mut pages = statm.split_ascii_whitespace().map_while(|field| field.parse::<u64>().ok());
        let (Some(virtual_pages), Some(resident_pages)) = (pages.next(), pages.next()) else {
            return Err(odd("/proc/self/statm"));
        };
        let stat = fs::read_to_string("/proc/self/stat")?;
        let (threads, start) = threads_and_start(&stat).ok_or_else(|| odd("/proc/self/stat"))?;
        let booted = line(&fs::read_to_string("/proc/stat")?.replace("btime ", "btime: "), "btime");
        let machine = line(&fs::read_to_string("/proc/meminfo")?, "MemTotal").unwrap_or_default() * 1_024;
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let group = group_limit(Path::new(GROUPS), &groups);
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970, far below 2^52")]
        let booted = booted.unwrap_or_default() as f64;
        Ok(ProcessFigures {
            cpu_us,
            resident_bytes: resident_pages * self.page_bytes,
            virtual_bytes: virtual_pages * self.page_bytes,
            open_fds: open_fds()?,
            max_fds: getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
            threads,
            started_at_s: booted + start / TICKS_PER_S,
            memory_limit_bytes: group.unwrap_or(u64::MAX).min(machine),
        })
    }

    fn space(&self) -> io::Result<DiskSpace> {
        let room = statvfs(&self.data_dir)?;
        Ok(DiskSpace {
            total_bytes: room.f_blocks.saturating_mul(room.f_frsize),
            available_bytes: room.f_bavail.saturating_mul(room.f_frsize),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn this_process_has_figures_that_can_be_right() {
        let system = LinuxSystem::new(Path::new("/"));
        let before = system.process().unwrap();
        assert!(before.resident_bytes > 100_000 && before.virtual_bytes >= before.resident_bytes);
        assert!(before.memory_limit_bytes > before.resident_bytes);
        assert!(before.threads >= 2, "the test's own and the runner's");
        assert!(before.open_fds >= 3 && before.max_fds > before.open_fds);
        // Between the beginning of 2024 and a century later.
        assert!((1.7e9..4.9e9).contains(&before.started_at_s), "{before:?}");
        let open: Vec<File> = (0..50).map(|_| File::open("/dev/null").unwrap()).collect();
        let mut sum = 0_u64;
        while system.process().unwrap().cpu_us < before.cpu_us + 2_000 {
            sum = sum.wrapping_add(std::hint::black_box(1));
        }
        let after = system.process().unwrap();
        // Other tests of this process open and close files as well, if they share it.
        assert!(after.open_fds + 20 >= before.open_fds + 50, "{after:?}");
        assert_eq!(after.started_at_s, before.started_at_s);
        drop(open);
    }

    #[test]
    fn the_least_limit_of_the_groups_around_counts() {
        let root = tempfile::tempdir().unwrap();
        let limit = |group: &str, file: &str, text: &str| {
            let group = root.path().join(group);
            fs::create_dir_all(&group).unwrap();
            fs::write(group.join(file), text).unwrap();
        };
        let of = |groups: &str| group_limit(root.path(), groups);
        assert_eq!(of("0::/system.slice/pool.service\n"), None, "no limits are told");
        limit("system.slice/pool.service", "memory.max", "max\n");
        assert_eq!(of("0::/system.slice/pool.service\n"), None);
        limit("system.slice", "memory.max", "5000000\n");
        limit("system.slice/pool.service", "memory.max", "7000000\n");
        assert_eq!(of("0::/system.slice/pool.service\n"), Some(5_000_000), "that of the slice");
        limit("system.slice/pool.service", "memory.max", "3000000\n");
        assert_eq!(of("0::/system.slice/pool.service\n"), Some(3_000_000), "its own");
        assert_eq!(of("0::/elsewhere\n"), None);
        limit("memory/docker/x", "memory.limit_in_bytes", "2000000\n");
        assert_eq!(of("5:cpu:/docker/x\n4:hugetlb,memory:/docker/x\n"), Some(2_000_000), "version 1");
        limit("", "memory.max", "1000\n");
        assert_eq!(of("0::/\n"), Some(1_000), "a container's root");
    }

    #[test]
    fn the_disk_has_room_and_a_folder_that_is_none_is_an_error() {
        let space = LinuxSystem::new(Path::new("/")).space().unwrap();
        assert!(space.total_bytes > space.available_bytes && space.available_bytes > 0, "{space:?}");
        assert!(LinuxSystem::new(Path::new("/nowhere/at/all")).space().is_err());
    }

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 42 18 900 20";
        assert_eq!(threads_and_start(stat), Some((42, 900.0)));
        assert_eq!(threads_and_start("7 (a) S 1"), None);
    }
}
