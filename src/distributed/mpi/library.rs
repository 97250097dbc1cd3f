//! An MPI library that is loaded at run time: nothing is needed to build this, nor to run it in one process.
//!
//! C programs are compiled for one MPI, whose header defines its handles. Three such binary interfaces are in use, and [`load`]
//! finds which one a library has:
//!
//! | | MPI 5 standard | MPICH | Open MPI |
//! |---|---|---|---|
//! | library | `libmpi_abi.so.1` | `libmpi.so.12` | `libmpi.so.40` |
//! | of | MPICH, Intel MPI, Open MPI from 6 | MPICH, Intel MPI, Cray MPICH, MVAPICH | Open MPI to 5 |
//! | handles | pointers | `int` | addresses of variables |
//! | `MPI_COMM_WORLD` | `0x101` | `0x44000000` | `ompi_mpi_comm_world` |
//! | `MPI_BYTE` | `0x247` | `0x4c00010d` | `ompi_mpi_byte` |
//! | `MPI_STATUS_IGNORE` | 0 | 1 | 0 |
//! | `MPI_THREAD_SERIALIZED` | 2048 | 2 | 2 |
//! | `MPI_ANY_SOURCE` | -1 | -2 | -1 |
#![expect(
    unsafe_code,
    reason = "the functions of a C library are called through pointers"
)]

mod connected;

use super::functions::{Constants, Functions, Handle};
use super::world::{World, check};
use anyhow::{Context, Result, ensure};
use connected::Connected;
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use std::ffi::{OsStr, c_char, c_int, c_void};
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes of `MPI_MAX_LIBRARY_VERSION_STRING`, the largest of all libraries.
const VERSION_BYTES: usize = 8192;

type GetVersion = unsafe extern "C" fn(*mut c_char, *mut c_int) -> c_int;
type GetAbiVersion = unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int;
/// Initializes a library.
type Start = Box<dyn FnOnce(bool) -> Result<Box<dyn World>>>;

/// An MPI library that is not initialized.
pub struct Loaded {
    /// Name and version, such as `MPICH 5.0.2`.
    pub version: String,
    start: Start,
}

/// Loads the MPI library `file`, a path or a name that the system's loader finds.
///
/// # Errors
/// If it cannot be loaded or is not an MPI library.
pub fn load(file: &OsStr) -> Result<Loaded> {
    // SAFETY: the initializers of a library that the user has for this purpose run. RTLD_GLOBAL: the plug-ins of Open MPI look
    // for its symbols.
    let library = unsafe { Library::open(Some(file), RTLD_NOW | RTLD_GLOBAL) }?;
    // It is not unloaded: MPI leaves threads and handlers behind.
    let library = ManuallyDrop::new(library);
    let version = version(&library).context("it is not an MPI library")?;
    let pointer = |value: usize| ptr::without_provenance_mut::<c_void>(value);
    let start: Start = if is_standard(&library) {
        let constants = Constants {
            world: pointer(0x101),
            byte: pointer(0x247),
            status_ignore: pointer(0),
            serialized: 2048,
            any_source: -1,
        };
        let functions = Functions::find(&library, constants)?;
        Box::new(|here| start(functions, here))
    } else if let Ok(world) = variable(&library, "ompi_mpi_comm_world") {
        let constants = Constants {
            world,
            byte: variable(&library, "ompi_mpi_byte")?,
            status_ignore: pointer(0),
            serialized: 2,
            any_source: -1,
        };
        let functions = Functions::find(&library, constants)?;
        Box::new(|here| start(functions, here))
    } else {
        let constants: Constants<c_int> = Constants {
            world: 0x4400_0000,
            byte: 0x4c00_010d,
            status_ignore: pointer(1),
            serialized: 2,
            any_source: -2,
        };
        let functions = Functions::find(&library, constants)?;
        Box::new(|here| start(functions, here))
    };
    Ok(Loaded { version, start })
}

impl Loaded {
    /// Initializes MPI; `is_on_one_machine` tells whether all processes are. The thread that calls it must also drop the result, once, or MPI is not finalized.
    ///
    /// # Errors
    /// If MPI cannot be initialized or was before. Most libraries end the process instead.
    pub fn initialize(self, is_on_one_machine: bool) -> Result<Box<dyn World>> {
        static INITIALIZED: AtomicBool = AtomicBool::new(false);
        let before = INITIALIZED.swap(true, Ordering::SeqCst);
        ensure!(!before, "MPI can be initialized once in a process");
        (self.start)(is_on_one_machine)
    }
}

/// Returns the address of a variable of the library.
fn variable(library: &Library, name: &str) -> Result<*mut c_void> {
    // SAFETY: a symbol of any type has an address, and it is not dereferenced.
    Ok(unsafe { library.get::<*mut c_void>(name.as_bytes()) }?.as_raw_ptr())
}

/// Returns name and version of an MPI library, such as `MPICH 5.0.2`.
fn version(library: &Library) -> Result<String> {
    // SAFETY: the type is the one that the MPI standard gives this function.
    let get = unsafe { library.get::<GetVersion>(b"MPI_Get_library_version") }?;
    let (mut text, mut length) = ([0_u8; VERSION_BYTES], 0);
    // SAFETY: the text is as long as that of any library, and the function may be called before initialization.
    ensure!(unsafe { get(text.as_mut_ptr().cast(), &raw mut length) } == 0);
    let end = text
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(VERSION_BYTES);
    let text = String::from_utf8_lossy(&text[..end]);
    // `MPICH Version:      5.0.2` and `Open MPI v5.0.11, package: ...`.
    let first = text.split(['\n', ',']).next().unwrap_or_default();
    let words = first.split_whitespace().filter(|word| *word != "Version:");
    Ok(words.collect::<Vec<_>>().join(" "))
}

/// Returns true if a library has the binary interface of the MPI standard.
fn is_standard(library: &Library) -> bool {
    // SAFETY: the type is the one that the MPI standard gives this function.
    let Ok(get) = (unsafe { library.get::<GetAbiVersion>(b"MPI_Abi_get_version") }) else {
        return false;
    };
    let (mut major, mut minor) = (0, 0);
    // SAFETY: the function sets two numbers, and may be called before initialization. It sets -1 if it has another interface.
    unsafe { get(&raw mut major, &raw mut minor) == 0 && major >= 1 }
}

impl<H: Handle> Functions<H> {
    /// Finds all functions in a library that has these `constants`.
    fn find(library: &Library, constants: Constants<H>) -> Result<Self> {
        /// Returns the function `name`.
        ///
        /// # Safety
        /// `F` is the type of the function.
        unsafe fn function<F: Copy>(library: &Library, name: &str) -> Result<F> {
            // SAFETY: as the caller says.
            Ok(*unsafe { library.get::<F>(name.as_bytes()) }?)
        }
        // SAFETY: the types are those of the MPI standard for handles of type `H`, and `load` takes from the library which type
        // it has.
        unsafe {
            Ok(Self {
                constants,
                init_thread: function(library, "MPI_Init_thread")?,
                comm_rank: function(library, "MPI_Comm_rank")?,
                comm_size: function(library, "MPI_Comm_size")?,
                all_to_all: function(library, "MPI_Ialltoallv")?,
                all_gather: function(library, "MPI_Iallgatherv")?,
                broadcast: function(library, "MPI_Ibcast")?,
                barrier: function(library, "MPI_Ibarrier")?,
                send: function(library, "MPI_Isend")?,
                probe: function(library, "MPI_Iprobe")?,
                receive: function(library, "MPI_Recv")?,
                test: function(library, "MPI_Test")?,
                abort: function(library, "MPI_Abort")?,
                finalize: function(library, "MPI_Finalize")?,
            })
        }
    }
}

/// Initializes MPI for calls by one thread at a time.
fn start<H: Handle>(functions: Functions<H>, is_on_one_machine: bool) -> Result<Box<dyn World>> {
    let mut threads = 0;
    // SAFETY: MPI allows null in place of the program's arguments, and `Loaded::initialize` runs this once.
    let status = unsafe {
        (functions.init_thread)(
            ptr::null_mut(),
            ptr::null_mut(),
            functions.constants.serialized,
            &raw mut threads,
        )
    };
    check(status, "MPI_Init_thread")?;
    ensure!(
        threads >= functions.constants.serialized,
        "this MPI library serves no program with threads"
    );
    let mut numbers = [0; 2];
    for (get, number) in [functions.comm_rank, functions.comm_size]
        .into_iter()
        .zip(&mut numbers)
    {
        // SAFETY: MPI is initialized, and each function sets one number.
        let status = unsafe { get(functions.constants.world, number) };
        check(status, "MPI_COMM_WORLD")?;
    }
    let [rank, size] = numbers;
    let (rank, size) = (usize::try_from(rank)?, usize::try_from(size)?);
    Ok(Box::new(Connected::new(
        functions,
        rank,
        size,
        is_on_one_machine,
    )))
}
