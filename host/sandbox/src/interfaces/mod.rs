//! The interfaces of `iog:guest`, each a file of its own: its name, what it links, what it asks the host, what it keeps
//! during a run and its tests. An interface is a file here, its `mod` line and a row of the table below; everything else
//! in this crate speaks of interfaces only through what the table makes. No interface knows another or the table.
//!
//! The messages between a run and the host that serves it are plain data, so that a run can later live in a process of its
//! own: they may know neither wasmtime's store nor people, keys or the network.

mod context;
mod data;
mod log;
mod progress;

use std::sync::Arc;

use async_trait::async_trait;
use wasmtime::component::Linker;

use crate::limits::Limits;
use crate::meter::Stop;
use crate::state::{Asks, Keeps, Run};

/// An interface a guest may import.
pub(crate) struct Interface {
    /// Its full name, as a component imports it.
    pub(crate) name: &'static str,
    /// Adds its functions to a linker.
    pub(crate) link: fn(&mut Linker<RunState>) -> wasmtime::Result<()>,
}

/// The data of a run's store.
pub(crate) type RunState = Run<States>;

/// Serves one run. One value per run; dropping it ends every query that is still open.
#[async_trait]
pub trait HostPort: Send + Sync {
    /// Answers one request with the variant of the same interface. The sandbox sends the next one only after the answer;
    /// it drops the returned future when the run is cancelled or its time is up, so an implementation must be safe to
    /// drop at every `await`.
    async fn call(&self, request: HostRequest) -> HostAnswer;
}

/// A host that grants nothing: every query answers `not-granted`; log and progress go nowhere. What `merge` runs with.
#[derive(Clone, Copy, Debug, Default)]
pub struct NothingGranted;

#[async_trait]
impl HostPort for NothingGranted {
    async fn call(&self, request: HostRequest) -> HostAnswer {
        request.unserved()
    }
}

/// Makes everything that grows with the interfaces. A row is the interface's file; `asks` and the variant of its messages
/// with the types of request and answer, where it asks the host anything; `keeps` and what it keeps during a run, where
/// it keeps anything. A file has `NAME` and `link`, a request `unserved` (the answer of a host that grants nothing), a
/// state `new`.
macro_rules! interfaces {
    ($($file:ident $(asks $variant:ident($request:ty, $answer:ty))? $(keeps $state:ty)?;)+) => {
        /// Every interface, in the order of their names.
        pub(crate) const TABLE: &[Interface] = &[$(Interface { name: $file::NAME, link: $file::link }),+];

        /// What each interface keeps during a run, and the run's host.
        pub(crate) struct States {
            host: Arc<dyn HostPort>,
            $($(pub(crate) $file: $state,)?)+
        }

        impl States {
            /// The states at the start of a run.
            pub(crate) fn new(limits: &Limits, host: Arc<dyn HostPort>) -> Self {
                Self { host, $($($file: <$state>::new(limits),)?)+ }
            }
        }

        /// What a run asks of its host: the messages of each interface.
        #[derive(Clone, Debug, PartialEq)]
        pub enum HostRequest {
            $($(
                #[doc = concat!("Of `iog:guest/", stringify!($file), "`; answered by the variant of the same name.")]
                $variant($request),
            )?)+
        }

        impl HostRequest {
            /// The answer of a host that grants nothing.
            pub fn unserved(&self) -> HostAnswer {
                match self {
                    $($(Self::$variant(request) => HostAnswer::$variant(request.unserved()),)?)+
                }
            }
        }

        /// What the host answers.
        #[derive(Clone, Debug, PartialEq)]
        pub enum HostAnswer {
            $($(
                #[doc = concat!("To `iog:guest/", stringify!($file), "`.")]
                $variant($answer),
            )?)+
        }

        $($(
            impl Keeps<$state> for States {
                fn kept(&mut self) -> &mut $state {
                    &mut self.$file
                }
            }
        )?)+

        $($(
            // The messages and what they are made of are this crate's interface: what is `pub` in the file.
            pub use $file::*;

            impl Asks<$request> for States {
                type Answer = $answer;

                fn ask(&self, request: $request) -> impl Future<Output = Result<$answer, Stop>> + Send + 'static {
                    let host = self.host.clone();
                    async move {
                        match host.call(HostRequest::$variant(request)).await {
                            HostAnswer::$variant(answer) => Ok(answer),
                            _ => Err(Stop::Host(format!("`{}` was answered as another interface", $file::NAME))),
                        }
                    }
                }
            }
        )?)+
    };
}

interfaces! {
    context;
    data asks Data(DataRequest, DataAnswer) keeps data::State;
    log asks Log(LogRequest, ()) keeps log::State;
    progress asks Progress(ProgressRequest, ()) keeps progress::State;
}

#[cfg(test)]
mod tests {
    use super::TABLE;

    #[test]
    fn the_table_is_in_order_and_names_each_interface_once() {
        assert!(TABLE.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(TABLE.iter().all(|interface| interface.name.starts_with("iog:guest/")));
    }
}
