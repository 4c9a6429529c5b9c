//! A native library's table, checked, behind safe methods.
#![allow(unsafe_code)]

use super::{
    error::LoadError,
    failure,
    remote::{Transport, answered, outcome},
};
use plugin_sdk::{
    AlgorithmError, HASH_SIZE, Hash, Header,
    abi::{Description, MAGIC, MAJOR, NATIVE_SYMBOL, Table, status},
};
use std::{ffi::c_void, path::Path};

/// Bytes of an answer.
const ANSWER_BYTES: usize = 32 << 10;
/// Bytes of an error.
const ERROR_BYTES: usize = 1 << 10;
/// Headers of one call, so that every count fits.
const BATCH: usize = 1 << 16;
/// Where the table's functions begin, and how many there are.
const FUNCTIONS: (usize, usize) = (24, 6);

/// An algorithm of a library that stays mapped for ever.
pub(super) struct Plugin {
    table: Table,
    context: *mut c_void,
}

// SAFETY: the interface demands that a context may be used from any thread, several at once.
unsafe impl Send for Plugin {}
// SAFETY: as above.
unsafe impl Sync for Plugin {}

impl Plugin {
    /// Maps a library, for ever: unmapping native code is not safe (threads, destructors, pointers into it).
    ///
    /// Its constructors run before this returns.
    pub(super) fn open(path: &Path) -> Result<Self, LoadError> {
        let why = |e: &libloading::Error| {
            std::error::Error::source(e).map_or_else(|| e.to_string(), |source| format!("{e}: {source}"))
        };
        let unloadable =
            |e: libloading::Error| LoadError::Unloadable { what: "native library", reason: why(&e) };
        // SAFETY: constructors may do anything: this is why a library is only opened in a confined child, or in the pool
        // after it was seen to behave there and its maker is trusted.
        let library = unsafe { libloading::Library::new(path) }.map_err(unloadable)?;
        // SAFETY: only the symbol's address is taken; `check` looks at what is there.
        let symbol = unsafe { library.get::<*const Table>(NATIVE_SYMBOL) };
        let table = symbol
            .map(|symbol| *symbol)
            .map_err(|e| LoadError::MissingExport { name: NATIVE_SYMBOL.to_owned(), reason: e.to_string() });
        std::mem::forget(library);
        // SAFETY: the address of a symbol of a library that stays mapped.
        unsafe { Self::check(table?) }
    }

    /// # Safety
    /// `table` points to at least the first 24 readable bytes of a table that is there for ever, and to as many as its
    /// `size` says.
    unsafe fn check(table: *const Table) -> Result<Self, LoadError> {
        let wrong = |reason: String| LoadError::Contradiction { what: "table", reason };
        if !table.is_aligned() {
            return Err(wrong("it is not aligned".to_owned()));
        }
        // SAFETY: the caller's promise; the version is read before anything that could differ by version.
        let (magic, major, minor, size) = unsafe {
            let table = table.cast::<u8>();
            let (major, minor) = (table.add(8).cast::<u16>(), table.add(10).cast::<u16>());
            (table.cast::<[u8; 8]>().read(), major.read(), minor.read(), table.add(12).cast::<u32>().read())
        };
        if magic != MAGIC {
            return Err(wrong(format!("it begins with {magic:02x?}")));
        }
        if major != MAJOR {
            return Err(LoadError::Version { major, minor });
        }
        if (size as usize) < size_of::<Table>() {
            return Err(wrong(format!("{size} bytes, {} are needed", size_of::<Table>())));
        }
        // SAFETY: as above. Addresses are read as numbers, for a null is no function.
        let functions = unsafe { table.cast::<u8>().add(FUNCTIONS.0).cast::<[usize; FUNCTIONS.1]>().read() };
        if functions.contains(&0) {
            return Err(wrong("one of its functions is null".to_owned()));
        }
        // SAFETY: as above, and no function is null. That they have these types is the maker's word.
        let table = unsafe { table.read() };
        // SAFETY: takes nothing.
        let context = unsafe { (table.create)() };
        if context.is_null() {
            return Err(LoadError::Setup {
                failure: failure::TRAP,
                reason: "create gave nothing".to_owned(),
            });
        }
        Ok(Self { table, context })
    }

    pub(super) const fn capabilities(&self) -> u32 {
        self.table.capabilities
    }

    pub(super) fn description(&self) -> Result<Description, LoadError> {
        let mut text = vec![0; ANSWER_BYTES];
        let returned = self.info(&mut text);
        let length = usize::try_from(returned).ok().filter(|length| *length <= ANSWER_BYTES);
        let wrong = |reason| LoadError::Contradiction { what: "description", reason };
        let length = length.ok_or_else(|| wrong(format!("info returned {returned}")))?;
        Description::parse(&text[..length]).map_err(wrong)
    }

    // The table's functions, with slices for pointers. Slices longer than 2^32 do not reach them.

    pub(super) fn info(&self, out: &mut [u8]) -> i32 {
        // SAFETY: the context lives as long as `self`; pointer and length are those of one slice.
        unsafe { (self.table.info)(self.context, out.as_mut_ptr(), size(out)) }
    }

    pub(super) fn hash_into(&self, input: &[u8], hash: &mut Hash, error: &mut [u8]) -> i32 {
        let (bytes, length) = (input.as_ptr(), size(input));
        // SAFETY: as above; a hash has 32 bytes.
        unsafe {
            let (error, room) = (error.as_mut_ptr(), size(error));
            (self.table.hash)(self.context, bytes, length, hash.as_mut_ptr(), error, room)
        }
    }

    pub(super) fn batch_into(&self, inputs: &[Header], out: &mut [Hash], error: &mut [u8]) -> i32 {
        if inputs.len() != out.len() || inputs.len() > BATCH {
            return status::TOO_LONG;
        }
        let (headers, hashes) = (inputs.as_ptr().cast(), out.as_mut_ptr().cast());
        // SAFETY: as above; there are as many hashes as headers.
        unsafe {
            let count = size(inputs);
            let (error, room) = (error.as_mut_ptr(), size(error));
            (self.table.hash_batch)(self.context, headers, count, hashes, error, room)
        }
    }

    pub(super) fn call_into(&self, capability: u32, method: u32, request: &[u8], out: &mut [u8]) -> i32 {
        let (bytes, length) = (request.as_ptr(), size(request));
        // SAFETY: as above.
        unsafe {
            let (out, room) = (out.as_mut_ptr(), size(out));
            (self.table.call)(self.context, capability, method, bytes, length, out, room)
        }
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        // SAFETY: what `create` gave, ended once, with nobody left who uses it.
        unsafe { (self.table.destroy)(self.context) }
    }
}

fn size<T>(slice: &[T]) -> u32 {
    u32::try_from(slice.len()).unwrap_or(u32::MAX)
}

/// The error in a buffer, up to its zero byte.
pub(super) fn read_error(buffer: &[u8]) -> Result<AlgorithmError, String> {
    AlgorithmError::from_json(buffer.split(|byte| *byte == 0).next().unwrap_or_default())
}

impl Transport for Plugin {
    fn hash(&self, input: &[u8]) -> Result<Hash, AlgorithmError> {
        let (mut hash, mut error) = ([0; HASH_SIZE], [0; ERROR_BYTES]);
        let returned = self.hash_into(input, &mut hash, &mut error);
        outcome(returned, 0, 0, || read_error(&error))?;
        Ok(hash)
    }

    fn hash_batch(&self, inputs: &[Header], out: &mut [Hash]) -> Result<(), AlgorithmError> {
        for (chunk, (inputs, out)) in inputs.chunks(BATCH).zip(out.chunks_mut(BATCH)).enumerate() {
            let mut error = [0; ERROR_BYTES];
            let returned = self.batch_into(inputs, out, &mut error);
            outcome(returned, inputs.len(), chunk * BATCH, || read_error(&error))?;
        }
        Ok(())
    }

    fn call(&self, capability: u32, method: u32, request: &str) -> Result<Option<Vec<u8>>, AlgorithmError> {
        let mut out = vec![0; ANSWER_BYTES];
        let returned = self.call_into(capability, method, request.as_bytes(), &mut out);
        let length = answered(returned, ANSWER_BYTES, || read_error(&out))?;
        Ok(length.map(|length| {
            out.truncate(length);
            out
        }))
    }
}
