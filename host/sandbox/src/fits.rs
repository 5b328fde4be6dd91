//! Whether a text is the canonical JSON of a value of a type, for who was given one by somebody else. Nothing is run.

use wasmtime::component::Val;

use crate::allowance::{Allowance, NoMore};
use crate::json_in::{self, Unread};
use crate::json_out;
use crate::spec::{TooLarge, ValueError};
use crate::wit_type::WitType;

/// Bytes of values for each byte of canonical JSON. The worst are options in tuples in options …, where each pair of brackets is
/// a list of one value and a box, 144 bytes.
pub const VALUE_BYTES_A_BYTE: usize = 80;
/// Bytes of values that even the shortest text may make.
const VALUE_BYTES_MIN: usize = 4 << 10;

/// Bytes of values that parameters may make where they are only looked at: as much as a run's memory by default.
const PARAMS_BYTES_MAX: usize = 64 << 20;

/// Why a text is not the canonical JSON of a value of the type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// It is not JSON.
    #[error("it is not JSON: {0}")]
    NotJson(String),
    /// It is not of the type.
    #[error("{0}")]
    Type(ValueError),
    /// It makes more values than canonical JSON of its length can.
    #[error("as values {0}")]
    Large(TooLarge),
    /// It is of the type, but written in another way than the one that a sandbox writes.
    #[error("it is not in canonical form")]
    NotCanonical,
}

/// Whether `text` is what a sandbox would write for a value of `ty`; without a type, `null`.
///
/// # Errors
/// [`Misfit`]: the first thing that does not hold.
pub fn fits(ty: Option<&WitType>, text: &str) -> Result<(), Misfit> {
    let Some(ty) = ty else {
        return if text == "null" { Ok(()) } else { Err(Misfit::NotCanonical) };
    };
    let json = serde_json::from_str(text).map_err(|e| Misfit::NotJson(e.to_string()))?;
    let bytes_max = text.len().saturating_mul(VALUE_BYTES_A_BYTE).max(VALUE_BYTES_MIN);
    let never = || None;
    let mut room = Allowance::new(bytes_max, u64::MAX, &never);
    let val: Val = json_in::value(ty, &json, &mut room).map_err(misfit)?;
    match json_out::canonical(ty, &val, text.len()) {
        Ok(canonical) if canonical == text => Ok(()),
        Ok(_) | Err(_) => Err(Misfit::NotCanonical),
    }
}

/// Whether `params` are parameters of an entry that takes `types`, for who is about to ask somebody else: an object with one
/// member a parameter.
///
/// # Errors
/// [`Misfit`]: the first thing that does not hold.
pub fn params_fit(types: &[(String, WitType)], params: &serde_json::Value) -> Result<(), Misfit> {
    let never = || None;
    let mut room = Allowance::new(PARAMS_BYTES_MAX, u64::MAX, &never);
    json_in::params(types, params, &mut room).map(drop).map_err(misfit)
}

fn misfit(unread: Unread) -> Misfit {
    match unread {
        Unread::Misfit(error) => Misfit::Type(error),
        Unread::NoMore(NoMore::TooLarge(too_large)) => Misfit::Large(too_large),
        Unread::NoMore(NoMore::Stopped(stop)) => Misfit::NotJson(stop.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> WitType {
        let fields =
            vec![("flows".to_owned(), WitType::U64), ("who".to_owned(), WitType::Option(Box::new(WitType::String)))];
        let (ok, err) = (Some(Box::new(WitType::Record(fields))), Some(Box::new(WitType::String)));
        WitType::Result { ok, err }
    }

    #[test]
    fn parameters_are_judged_as_a_run_would() {
        let types = [("n".to_owned(), WitType::U32), ("who".to_owned(), WitType::Option(Box::new(WitType::String)))];
        let judged = |params| params_fit(&types, &params).map_err(|misfit| misfit.to_string());
        assert_eq!(judged(serde_json::json!({"n": 5})), Ok(()));
        assert_eq!(judged(serde_json::json!({"n": "5"})).unwrap_err(), "`$.n`: expected u32, found the string `5`");
        assert!(judged(serde_json::json!({"n": 5, "m": 1})).unwrap_err().contains("an unknown name"));
    }

    #[test]
    fn what_a_sandbox_writes_fits() {
        for text in [r#"{"ok":{"flows":3,"who":null}}"#, r#"{"ok":{"flows":3,"who":"a"}}"#, r#"{"err":"no data"}"#] {
            assert_eq!(fits(Some(&report()), text), Ok(()), "{text}");
        }
        assert_eq!(fits(None, "null"), Ok(()));
        let worst = WitType::List(Box::new(WitType::Option(Box::new(WitType::U8))));
        let text = format!("[{}1]", "1,".repeat(100_000));
        assert_eq!(fits(Some(&worst), &text), Ok(()), "many values in a short text");
        let mut deep = WitType::Option(Box::new(WitType::U8));
        for _ in 0..7 {
            deep = WitType::Option(Box::new(WitType::Tuple(vec![deep])));
        }
        let one = format!("{}1{}", "[".repeat(7), "]".repeat(7));
        let text = format!("[{}{one}]", format!("{one},").repeat(1_000));
        assert_eq!(fits(Some(&WitType::List(Box::new(deep))), &text), Ok(()), "the most bytes that a text can make");
    }

    #[test]
    fn another_type_is_named_with_its_place() {
        let error = fits(Some(&report()), r#"{"ok":{"flows":"many","who":null}}"#).unwrap_err();
        assert!(error.to_string().starts_with("`$.ok.flows`: expected u64"), "{error}");
        assert!(matches!(fits(Some(&report()), "[1,"), Err(Misfit::NotJson(_))));
        assert_eq!(fits(None, "1"), Err(Misfit::NotCanonical));
    }

    #[test]
    fn another_form_of_the_same_value_does_not_fit() {
        for text in [r#"{"ok":{"flows":3}}"#, r#"{"ok":{"who":null,"flows":3}}"#, r#"{"ok": {"flows":3,"who":null}}"#] {
            assert_eq!(fits(Some(&report()), text), Err(Misfit::NotCanonical), "{text}");
        }
    }

    #[test]
    fn a_short_text_of_many_absent_fields_is_too_large() {
        let field = |n| (format!("field-{n}"), WitType::Option(Box::new(WitType::Bool)));
        let wide = WitType::List(Box::new(WitType::Record((0..256).map(field).collect())));
        let text = format!("[{}{{}}]", "{},".repeat(40_000));
        assert!(matches!(fits(Some(&wide), &text), Err(Misfit::Large(_))));
    }
}
