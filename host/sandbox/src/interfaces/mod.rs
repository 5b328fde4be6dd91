//! The interfaces of `iog:guest`, each a file of its own: its name, what it links, what it asks the host, what it keeps
//! during a run and its tests. An interface is a file here and a row of the table below; everything else in this crate
//! speaks of interfaces only through what the table makes.

mod context;
mod data;
mod log;
mod progress;

use wasmtime::component::Linker;

use crate::spec::Limits;
use crate::state::RunState;

pub use context::Provider;
pub use data::{ColumnInfo, ColumnKind, DataAnswer, DataRequest, Fault, Param, QUERY_NAME_BYTES_MAX};
pub use log::{LogLevel, LogRequest};
pub use progress::ProgressRequest;

/// An interface a guest may import.
pub(crate) struct Interface {
    /// Its full name, as a component imports it.
    pub(crate) name: &'static str,
    /// Adds its functions to a linker.
    pub(crate) link: fn(&mut Linker<RunState>) -> wasmtime::Result<()>,
}

/// A request of one interface to the host.
pub(crate) trait Ask: Sized {
    /// What the host answers to it.
    type Answer;
    /// The interface, for messages.
    const INTERFACE: &'static str;
    /// The request as a message of the port.
    fn message(self) -> HostRequest;
    /// The answer in a message of the port; `None` where it is another interface's.
    fn answer(message: HostAnswer) -> Option<Self::Answer>;
}

/// Makes everything that grows with the interfaces. A row is the interface's file; `asks` and the variant of its messages
/// with the types of request and answer, where it asks the host anything; `keeps` and what it keeps during a run, where
/// it keeps anything. A file has `NAME` and `link`, a request `unserved` (the answer of a host that grants nothing), a
/// state `new`.
macro_rules! interfaces {
    ($($file:ident $(asks $variant:ident($request:ty, $answer:ty))? $(keeps $state:ty)?;)+) => {
        /// Every interface, in the order of their names.
        pub(crate) const TABLE: &[Interface] = &[$(Interface { name: $file::NAME, link: $file::link }),+];

        /// What each interface keeps during a run.
        pub(crate) struct States {
            $($(pub(crate) $file: $state,)?)+
        }

        impl States {
            /// The states at the start of a run.
            pub(crate) fn new(limits: &Limits) -> Self {
                Self { $($($file: <$state>::new(limits),)?)+ }
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
            impl Ask for $request {
                type Answer = $answer;
                const INTERFACE: &'static str = $file::NAME;

                fn message(self) -> HostRequest {
                    HostRequest::$variant(self)
                }

                fn answer(message: HostAnswer) -> Option<$answer> {
                    if let HostAnswer::$variant(answer) = message { Some(answer) } else { None }
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
