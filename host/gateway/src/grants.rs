//! Which interfaces a run gets: what the module's signed capabilities name and the provider gives, and nothing else. Pure.

use iog_protocol::capabilities::Capabilities;
use iog_sandbox::Grants;
use serde::Deserialize;

/// The interfaces that a provider gives to a module, written `data`, `log`, …; where nothing is written, every one that this
/// version knows. `context` is always among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Given(Grants);

/// A name that no interface has; the provider's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no interface `{name}`; the interfaces are {}", known())]
pub struct NoInterface {
    /// The name.
    name: String,
}

impl Given {
    /// The interfaces that a run of a module with these capabilities gets. What is not among them is not linked.
    #[must_use]
    pub fn granted(self, capabilities: &Capabilities) -> Grants {
        self.0.narrow(imports(capabilities))
    }

    /// The first interface that a module with these capabilities imports and the provider does not give.
    #[must_use]
    pub fn lacking(self, capabilities: &Capabilities) -> Option<&str> {
        imports(capabilities).find(|import| !self.0.has(import))
    }
}

impl Default for Given {
    fn default() -> Self {
        Self(Grants::ALL)
    }
}

impl TryFrom<Vec<String>> for Given {
    type Error = NoInterface;

    fn try_from(names: Vec<String>) -> Result<Self, NoInterface> {
        let full = |name: &String| {
            let found = Grants::ALL.names().find(|full| short(full) == name);
            found.ok_or_else(|| NoInterface { name: name.clone() })
        };
        let full: Vec<&str> = names.iter().map(full).collect::<Result<_, _>>()?;
        Ok(Self(Grants::ALL.narrow(full)))
    }
}

fn imports(capabilities: &Capabilities) -> impl Iterator<Item = &str> {
    capabilities.imports.iter().map(String::as_str)
}

/// `data` of `iog:guest/data@0.1.0`.
fn short(full: &str) -> &str {
    let name = full.rsplit('/').next().unwrap_or(full);
    name.split('@').next().unwrap_or(name)
}

fn known() -> String {
    Grants::ALL.names().map(|full| format!("`{}`", short(full))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use iog_protocol::interfaces::INTERFACES;
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
        let granted = |imports| names(Given::default().granted(&capabilities(imports)));
        assert_eq!(granted(&[DATA]), [CONTEXT, DATA]);
        assert_eq!(granted(&[DATA, LOG]), [CONTEXT, DATA, LOG]);
        assert_eq!(granted(&[]), [CONTEXT], "it says nothing the caller does not know");
    }

    #[test]
    fn a_run_gets_what_the_provider_gives_and_no_more() {
        let log = Given::try_from(vec!["log".to_owned()]).unwrap();
        assert_eq!(names(log.granted(&capabilities(&[DATA, LOG]))), [CONTEXT, LOG]);
        assert_eq!(names(log.granted(&capabilities(&[DATA]))), [CONTEXT]);
        assert_eq!(log.lacking(&capabilities(&[CONTEXT, LOG, DATA])), Some(DATA));
        assert_eq!(log.lacking(&capabilities(&[CONTEXT, LOG])), None);
    }

    #[test]
    fn a_provider_writes_interfaces_by_their_names() {
        let all = INTERFACES.iter().map(|known| known.name.to_owned()).collect::<Vec<_>>();
        assert_eq!(Given::try_from(all), Ok(Given::default()));
        assert_eq!(names(Given::try_from(Vec::new()).unwrap().0), [CONTEXT]);
        let error = Given::try_from(vec!["clock".to_owned()]).unwrap_err().to_string();
        assert!(
            error.starts_with("there is no interface `clock`; the interfaces are `context`, `data`, `log`"),
            "{error}"
        );
    }

    #[test]
    fn inspection_admits_the_interfaces_that_the_sandbox_has() {
        let admitted: Vec<_> = INTERFACES.iter().map(|known| format!("iog:guest/{}@0.1.0", known.name)).collect();
        assert_eq!(admitted, names(Grants::ALL));
    }

    #[test]
    fn the_specification_says_which_interfaces_need_no_further_review() {
        let inward = INTERFACES.iter().filter(|known| known.inward).map(|known| format!("`{}`", known.name));
        let row = format!("only {} of `iog:guest`", inward.collect::<Vec<_>>().join(", "));
        assert!(include_str!("../../../docs/spec/registry.md").contains(&row), "{row}");
    }

    #[test]
    fn what_nobody_knows_is_not_granted() {
        let asked = capabilities(&["iog:guest/data@0.2.0", "wasi:clocks/wall-clock@0.2.0", "data"]);
        assert_eq!(names(Given::default().granted(&asked)), [CONTEXT]);
    }
}
