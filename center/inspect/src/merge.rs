//! Whether a `merge` fits the entry whose answers it joins: `func(parts: list<part>) -> M` with
//! `record part { domain: string, asn: option<u32>, outcome: result<R, string> }`, where R is what the entry returns, or
//! its success where it returns `result<R, string>`. The record's own name does not matter, nor do the names that a world
//! gives to primitive types.

use crate::facts::ExportFact;
use crate::types::WitTypeFact;
use crate::wit::reference;

impl ExportFact {
    /// Whether this is a `merge` for the answers of `entry`.
    ///
    /// # Errors
    /// What does not fit, in words.
    pub fn merges(&self, entry: &Self) -> Result<(), String> {
        check(self, entry)
    }
}

fn check(merge: &ExportFact, entry: &ExportFact) -> Result<(), String> {
    let answer = answer(entry);
    let [(_, WitTypeFact::List { item })] = merge.params.as_slice() else {
        return Err("it must take one parameter, a list of parts".to_owned());
    };
    let WitTypeFact::Record { fields, .. } = item.as_ref() else {
        return Err("its list must hold a record of domain, asn and outcome".to_owned());
    };
    let expected = [
        ("domain", WitTypeFact::String),
        ("asn", WitTypeFact::Option { some: Box::new(WitTypeFact::U32) }),
        ("outcome", WitTypeFact::Result { ok: answer.map(Box::new), err: Some(Box::new(WitTypeFact::String)) }),
    ];
    if fields.len() != expected.len() {
        return Err(format!("its part must have the fields domain, asn and outcome, it has {}", fields.len()));
    }
    for ((name, ty), (expected_name, expected_ty)) in fields.iter().zip(&expected) {
        if name != expected_name || ty.unnamed() != expected_ty.unnamed() {
            let expected = reference(expected_ty);
            return Err(format!("field `{name}: {}` of its part must be `{expected_name}: {expected}`", reference(ty)));
        }
    }
    match &merge.result {
        Some(_) => Ok(()),
        None => Err("it must return the joined answer".to_owned()),
    }
}

/// What one provider contributes.
fn answer(entry: &ExportFact) -> Option<WitTypeFact> {
    match &entry.result {
        Some(WitTypeFact::Result { ok, err })
            if err.as_deref().map(WitTypeFact::bare) == Some(&WitTypeFact::String) =>
        {
            ok.as_deref().cloned()
        }
        other => other.clone(),
    }
}
