//! One spelling for a JSON value, so that a hash of it means the value: members sorted by their UTF-8 bytes, no spaces,
//! whole numbers only (RFC 8785 without its rules for fractions, which no receipt has).

use serde_json::Value;

/// Deepest nesting written, against stack exhaustion.
const DEPTH_MAX: usize = 32;

/// Why a value has no canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// A number with a fraction or exponent, or outside the range of 64-bit integers.
    #[error("value has a number that is not a 64-bit integer")]
    Number,
    /// Nested deeper than any value of the protocol.
    #[error("value is nested too deeply")]
    Depth,
    /// Longer than allowed.
    #[error("value is too long")]
    TooLong,
    /// A type without JSON form.
    #[error("value has no JSON form")]
    NotJson,
}

/// The canonical JSON text of a value.
///
/// # Errors
/// [`CanonicalError`] if it holds a fraction or nests deeper than 32.
pub fn canonical_json(value: &Value) -> Result<String, CanonicalError> {
    let mut text = String::new();
    write(value, 0, &mut text)?;
    Ok(text)
}

fn write(value: &Value, depth: usize, text: &mut String) -> Result<(), CanonicalError> {
    if depth > DEPTH_MAX {
        return Err(CanonicalError::Depth);
    }
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => text.push_str(&value.to_string()),
        Value::Number(number) if number.is_i64() || number.is_u64() => text.push_str(&number.to_string()),
        Value::Number(_) => return Err(CanonicalError::Number),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(index, text);
                write(item, depth + 1, text)?;
            }
            text.push(']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| name.as_bytes());
            text.push('{');
            for (index, (name, member)) in sorted.into_iter().enumerate() {
                separate(index, text);
                text.push_str(&Value::String(name.clone()).to_string());
                text.push(':');
                write(member, depth + 1, text)?;
            }
            text.push('}');
        }
    }
    Ok(())
}

fn separate(index: usize, text: &mut String) {
    if index > 0 {
        text.push(',');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_are_sorted_and_nothing_is_padded() {
        let value = json!({"b": [1, {"z": null, "é": true, "a": "\"\u{1}"}], "a": -5, "": 18446744073709551615_u64});
        let expected = "{\"\":18446744073709551615,\"a\":-5,\"b\":[1,{\"a\":\"\\\"\\u0001\",\"z\":null,\"é\":true}]}";
        assert_eq!(canonical_json(&value).unwrap(), expected);
    }

    #[test]
    fn fractions_and_towers_have_no_canonical_form() {
        assert_eq!(canonical_json(&json!({"a": 1.5})), Err(CanonicalError::Number));
        let tower = (0..40).fold(json!(1), |inner, _| json!([inner]));
        assert_eq!(canonical_json(&tower), Err(CanonicalError::Depth));
    }
}
