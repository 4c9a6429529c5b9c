//! A wall clock that steps under a running pool, as NTP, a resumed machine or an operator steps it: a library that is loaded
//! into the process moves what it reads of `CLOCK_REALTIME`, and nothing else.

use std::{
    fs,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// The clock of processes that have its [`environment`](Self::environment). They must end before it does.
pub struct WallClock {
    offset: fs::File,
    path: PathBuf,
    library: PathBuf,
    _folder: TempDir,
}

impl WallClock {
    /// A clock that goes right.
    ///
    /// # Panics
    /// When the C compiler is missing: `tests/tools/packages.sh` installs it.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (library, path) = (folder.path().join("wall_clock.so"), folder.path().join("offset"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/wall_clock.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&library).arg(source);
        let done = compiler.output().expect("a C compiler is installed");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        fs::write(&path, 0_i64.to_ne_bytes()).expect("written");
        let offset = fs::File::options().write(true).open(&path).expect("just written");
        Self { offset, path, library, _folder: folder }
    }

    /// Variables of the processes that have this clock.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 2] {
        let text = |path: &Path| path.to_str().expect("a path of text").to_owned();
        [("LD_PRELOAD", text(&self.library)), ("DAGPOOL_TEST_CLOCK", text(&self.path))]
    }

    /// From now on it is off by this, at once.
    ///
    /// # Panics
    /// When the file is gone.
    pub fn set(&self, offset_ms: i64) {
        self.offset.write_all_at(&offset_ms.to_ne_bytes(), 0).expect("eight bytes are written");
    }
}

impl Default for WallClock {
    fn default() -> Self {
        Self::new()
    }
}
