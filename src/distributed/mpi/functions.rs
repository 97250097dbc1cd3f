//! The functions of MPI that are used, by their types in the MPI standard for handles of type `H`.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

/// A handle of MPI, such as a communicator: an `int` or a pointer.
pub trait Handle: Copy + 'static {
    /// A place for a handle that MPI sets.
    const UNSET: Self;
}

impl Handle for c_int {
    const UNSET: Self = 0;
}

impl Handle for *mut c_void {
    const UNSET: Self = ptr::null_mut();
}

/// Type of `MPI_Init_thread`.
pub type InitThread =
    unsafe extern "C" fn(*mut c_int, *mut *mut *mut c_char, c_int, *mut c_int) -> c_int;
/// Type of `MPI_Comm_rank` and `MPI_Comm_size`.
pub type GetNumber<H> = unsafe extern "C" fn(H, *mut c_int) -> c_int;
/// Type of `MPI_Ialltoallv`.
pub type AllToAll<H> = unsafe extern "C" fn(
    *const c_void,
    *const c_int,
    *const c_int,
    H,
    *mut c_void,
    *const c_int,
    *const c_int,
    H,
    H,
    *mut H,
) -> c_int;
/// Type of `MPI_Iallgatherv`.
pub type AllGather<H> = unsafe extern "C" fn(
    *const c_void,
    c_int,
    H,
    *mut c_void,
    *const c_int,
    *const c_int,
    H,
    H,
    *mut H,
) -> c_int;
/// Type of `MPI_Ibcast`.
pub type Broadcast<H> = unsafe extern "C" fn(*mut c_void, c_int, H, c_int, H, *mut H) -> c_int;
/// Type of `MPI_Ibarrier`.
pub type Barrier<H> = unsafe extern "C" fn(H, *mut H) -> c_int;
/// Type of `MPI_Isend`.
pub type SendMessage<H> =
    unsafe extern "C" fn(*const c_void, c_int, H, c_int, c_int, H, *mut H) -> c_int;
/// Type of `MPI_Iprobe`.
pub type Probe<H> = unsafe extern "C" fn(c_int, c_int, H, *mut c_int, *mut c_void) -> c_int;
/// Type of `MPI_Recv`.
pub type ReceiveMessage<H> =
    unsafe extern "C" fn(*mut c_void, c_int, H, c_int, c_int, H, *mut c_void) -> c_int;
/// Type of `MPI_Test`.
pub type Test<H> = unsafe extern "C" fn(*mut H, *mut c_int, *mut c_void) -> c_int;
/// Type of `MPI_Abort`.
pub type Abort<H> = unsafe extern "C" fn(H, c_int) -> c_int;
/// Type of `MPI_Finalize`.
pub type Finalize = unsafe extern "C" fn() -> c_int;

/// The constants of an MPI library.
pub struct Constants<H> {
    /// `MPI_COMM_WORLD`.
    pub world: H,
    /// `MPI_BYTE`.
    pub byte: H,
    /// `MPI_STATUS_IGNORE`.
    pub status_ignore: *mut c_void,
    /// `MPI_THREAD_SERIALIZED`.
    pub serialized: c_int,
    /// `MPI_ANY_SOURCE`.
    pub any_source: c_int,
}

/// The functions and constants of an MPI library.
pub struct Functions<H> {
    pub constants: Constants<H>,
    pub init_thread: InitThread,
    pub comm_rank: GetNumber<H>,
    pub comm_size: GetNumber<H>,
    pub all_to_all: AllToAll<H>,
    pub all_gather: AllGather<H>,
    pub broadcast: Broadcast<H>,
    pub barrier: Barrier<H>,
    pub send: SendMessage<H>,
    pub probe: Probe<H>,
    pub receive: ReceiveMessage<H>,
    pub test: Test<H>,
    pub abort: Abort<H>,
    pub finalize: Finalize,
}
