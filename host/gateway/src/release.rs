//! May this leave? The class of a run is the strictest of the datasets it is bound to; the result goes out only in a class
//! that this gateway can enforce, and only within the size agreed. In `reviewed` the gateway enforces size, type and quotas;
//! that a result discloses nothing is the auditors' judgement.

use iog_protocol::manifest::ReleaseClass;
use iog_protocol::run::ResultJson;

/// The classes that this gateway can enforce.
const ENFORCEABLE: [ReleaseClass; 2] = [ReleaseClass::Reviewed, ReleaseClass::Open];

/// A class that asks for more than this gateway can enforce; nothing runs then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("release class `{class}` of the {of} cannot be enforced here yet; `reviewed` and `open` can")]
pub struct NotEnforceable {
    /// The class.
    pub class: ReleaseClass,
    /// Whose class it is.
    pub of: ClassOf,
}

/// Whose release class is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassOf {
    /// The module's, from its manifest.
    Module,
    /// The datasets', from the provider's configuration.
    Datasets,
}

impl std::fmt::Display for ClassOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Module => "module",
            Self::Datasets => "datasets",
        })
    }
}

/// The class of a run: the strictest of the datasets bound to it; without any dataset there is nothing to hold back.
///
/// # Errors
/// [`NotEnforceable`] where the module's class or the datasets' is one this gateway cannot enforce.
pub fn effective_class(
    module: ReleaseClass,
    datasets: impl IntoIterator<Item = ReleaseClass>,
) -> Result<ReleaseClass, NotEnforceable> {
    let class = datasets.into_iter().min().unwrap_or(ReleaseClass::Open);
    for (class, of) in [(module, ClassOf::Module), (class, ClassOf::Datasets)] {
        if !ENFORCEABLE.contains(&class) {
            return Err(NotEnforceable { class, of });
        }
    }
    Ok(class)
}

/// Why a result stays here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withheld {
    /// It is larger than agreed.
    TooLarge,
    /// It is not JSON; our fault.
    Malformed,
}

/// Checks a result before it leaves; `bytes_max` counts canonical JSON.
///
/// # Errors
/// [`Withheld`]; the result must then not be shown to anybody.
pub fn release(json: String, bytes_max: u64) -> Result<ResultJson, Withheld> {
    if u64::try_from(json.len()).unwrap_or(u64::MAX) > bytes_max {
        return Err(Withheld::TooLarge);
    }
    ResultJson::parse(json).map_err(|_| Withheld::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ReleaseClass::{Aggregate, Dp, Open, Reviewed, SumOnly};

    #[test]
    fn the_strictest_dataset_decides() {
        assert_eq!(effective_class(Reviewed, [Open, Reviewed]), Ok(Reviewed));
        assert_eq!(effective_class(Reviewed, [Open, Open]), Ok(Open));
        assert_eq!(effective_class(Open, []), Ok(Open));
    }

    #[test]
    fn a_class_that_cannot_be_enforced_refuses_the_run() {
        for class in [SumOnly, Dp, Aggregate] {
            let error = effective_class(Reviewed, [Open, class]).unwrap_err();
            assert_eq!(error, NotEnforceable { class, of: ClassOf::Datasets });
            let error = effective_class(class, [Open]).unwrap_err();
            assert_eq!(error, NotEnforceable { class, of: ClassOf::Module });
        }
    }

    #[test]
    fn a_result_leaves_up_to_exactly_the_size_agreed() {
        assert_eq!(release("[1,2]".into(), 5).unwrap().as_str(), "[1,2]");
        assert_eq!(release("[1,2]".into(), 4).unwrap_err(), Withheld::TooLarge);
        assert_eq!(release("[1,".into(), 4).unwrap_err(), Withheld::Malformed);
    }
}
