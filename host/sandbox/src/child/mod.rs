//! Work that may go wrong in every way, done in a process of its own that can be killed: started from a program that is
//! already here, confined before it reads a byte, spoken to through two pipes, gone when its answer is there, its time is
//! over or nobody waits for it. It knows nothing of what is worked on; compiling (`compile/`) is its first client.
//!
//! ```text
//! parent                                    child (the same program, started with the word of its role)
//! Worker::start(program, role, bounds) ───▶ enter(args): die with the parent, bounds, no network, no files
//! Worker::ask(question) ──── frames ──────▶ read, work
//!         answer or how it ended ◀─frames── write, exit
//! drop: the whole process group is killed
//! ```
//!
//! `reach.rs` is the other kind: a program of the machine's, such as a compiler, that is shown a part of the file system and no
//! network, and is otherwise started, spoken to and waited for like any other.

mod confine;
mod frames;
mod program;
mod reach;
mod seccomp;
mod sys;
mod worker;

pub use confine::Confined;
pub(crate) use confine::{Bounds, enter};
pub(crate) use frames::{Message, read_message, write_message};
pub use program::Program;
pub use reach::Reach;
pub(crate) use reach::{ROLE as REACH_ROLE, become_within_reach};
pub(crate) use worker::{Ended, Reply, Worker};
