//! Which interfaces a run gets: what the module's signed capabilities name and the provider gives, and nothing else. Pure.

use iog_protocol::capabilities::Capabilities;
use iog_sandbox::Grants;

/// What a provider gives to the modules it admits: every interface that this version knows.
pub const GIVEN: Grants = Grants::ALL;

/// The interfaces that a run of a module with these capabilities gets. An import that is not in `given` is not linked,
/// and the run ends with `not-granted` before it starts.
#[must_use]
pub fn granted(capabilities: &Capabilities, given: Grants) -> Grants {
    given.narrow(capabilities.imports.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use iog_protocol::manifest::{LimitsDecl, ReleaseClass};

    use super::*;

    const CONTEXT: &str = "iog:guest/context@0.1.0";
    const DATA: &str = "iog:guest/data@0.1.0";
    const LOG: &str = "iog:guest/log@0.1.0";

    fn capabilities(imports: &[&str]) -> Capabilities {
        Capabilities {
            imports: imports.iter().map(|&import| import.to_owned()).collect(),
            datasets: BTreeMap::new(),
            release: ReleaseClass::Reviewed,
            limits: LimitsDecl::default(),
        }
    }

    fn names(grants: Grants) -> Vec<&'static str> {
        grants.names().collect()
    }

    #[test]
    fn a_run_gets_what_was_signed_and_no_more() {
        assert_eq!(names(granted(&capabilities(&[DATA]), GIVEN)), [CONTEXT, DATA]);
        assert_eq!(names(granted(&capabilities(&[DATA, LOG]), GIVEN)), [CONTEXT, DATA, LOG]);
        assert_eq!(names(granted(&capabilities(&[]), GIVEN)), [CONTEXT], "it says nothing the caller does not know");
    }

    #[test]
    fn a_run_gets_what_the_provider_gives_and_no_more() {
        let log = Grants::of([LOG]).unwrap();
        assert_eq!(names(granted(&capabilities(&[DATA, LOG]), log)), [CONTEXT, LOG]);
        assert_eq!(names(granted(&capabilities(&[DATA]), log)), [CONTEXT]);
    }

    #[test]
    fn inspection_admits_the_interfaces_that_the_sandbox_has() {
        let admitted: Vec<_> = iog_inspect::INTERFACES.iter().map(|name| format!("iog:guest/{name}@0.1.0")).collect();
        assert_eq!(admitted, names(Grants::ALL));
    }

    #[test]
    fn what_nobody_knows_is_not_granted() {
        let asked = capabilities(&["iog:guest/data@0.2.0", "wasi:clocks/wall-clock@0.2.0", "data"]);
        assert_eq!(names(granted(&asked, GIVEN)), [CONTEXT]);
    }
}
