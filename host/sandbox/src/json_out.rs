//! Component values to canonical JSON: declared order, no spaces, one form for each value. The inverse of
//! [`crate::json_in`]. Stops as soon as the text is longer than it may be.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wasmtime::component::Val;

use crate::wit_type::WitType;

/// Largest integer that every JSON reader holds exactly.
const EXACT_MAX: u64 = (1 << 53) - 1;

/// Why a value was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteError {
    /// The text is longer than it may be.
    TooLong,
    /// The value is not of the type: a fault of ours.
    Mismatch,
}

/// Canonical JSON of `val`, at most `bytes_max` bytes.
pub(crate) fn canonical(ty: &WitType, val: &Val, bytes_max: usize) -> Result<String, WriteError> {
    let mut out = Out { text: String::with_capacity(bytes_max.min(256)), bytes_max };
    out.value(ty, val)?;
    Ok(out.text)
}

struct Out {
    text: String,
    bytes_max: usize,
}

type Written = Result<(), WriteError>;

impl Out {
    fn push(&mut self, text: &str) -> Written {
        if text.len() > self.bytes_max - self.text.len() {
            return Err(WriteError::TooLong);
        }
        self.text.push_str(text);
        Ok(())
    }

    fn value(&mut self, ty: &WitType, val: &Val) -> Written {
        match (ty, val) {
            (WitType::Bool, Val::Bool(b)) => self.push(if *b { "true" } else { "false" }),
            (WitType::S8, Val::S8(v)) => self.int((*v).into()),
            (WitType::S16, Val::S16(v)) => self.int((*v).into()),
            (WitType::S32, Val::S32(v)) => self.int((*v).into()),
            (WitType::S64, Val::S64(v)) => self.int(*v),
            (WitType::U8, Val::U8(v)) => self.uint((*v).into()),
            (WitType::U16, Val::U16(v)) => self.uint((*v).into()),
            (WitType::U32, Val::U32(v)) => self.uint((*v).into()),
            (WitType::U64, Val::U64(v)) => self.uint(*v),
            (WitType::F32, Val::Float32(v)) => self.float(f64::from(*v), v),
            (WitType::F64, Val::Float64(v)) => self.float(*v, v),
            (WitType::Char, Val::Char(c)) => self.string(c.encode_utf8(&mut [0; 4])),
            (WitType::String, Val::String(s)) => self.string(s),
            (WitType::Enum(_), Val::Enum(name)) => self.string(name),
            _ => self.composite(ty, val),
        }
    }

    fn composite(&mut self, ty: &WitType, val: &Val) -> Written {
        match (ty, val) {
            (WitType::List(inner), Val::List(items)) if **inner == WitType::U8 => self.bytes(items),
            (WitType::List(inner), Val::List(items)) => {
                self.listed('[', ']', items.iter(), |out, item| out.value(inner, item))
            }
            (WitType::Tuple(types), Val::Tuple(items)) if types.len() == items.len() => {
                self.listed('[', ']', types.iter().zip(items), |out, (ty, item)| out.value(ty, item))
            }
            (WitType::Record(types), Val::Record(fields)) if types.len() == fields.len() => {
                self.listed('{', '}', types.iter().zip(fields), |out, ((name, ty), (_, val))| out.member(name, ty, val))
            }
            (WitType::Flags(_), Val::Flags(names)) => self.listed('[', ']', names.iter(), |out, name| out.string(name)),
            (WitType::Variant(cases), Val::Variant(name, payload)) => {
                let case = cases.iter().find(|(n, _)| n == name).ok_or(WriteError::Mismatch)?;
                match (&case.1, payload) {
                    (None, None) => self.string(name),
                    (Some(ty), Some(val)) => self.object(name, ty, val),
                    _ => Err(WriteError::Mismatch),
                }
            }
            (WitType::Option(_), Val::Option(None)) => self.push("null"),
            (WitType::Option(inner), Val::Option(Some(val))) if inner.nullable() => self.object("some", inner, val),
            (WitType::Option(inner), Val::Option(Some(val))) => self.value(inner, val),
            (WitType::Result { ok, .. }, Val::Result(Ok(val))) => self.side("ok", ok.as_deref(), val.as_deref()),
            (WitType::Result { err, .. }, Val::Result(Err(val))) => self.side("err", err.as_deref(), val.as_deref()),
            _ => Err(WriteError::Mismatch),
        }
    }

    fn int(&mut self, v: i64) -> Written {
        if v.unsigned_abs() <= EXACT_MAX { self.push(&v.to_string()) } else { self.push(&format!("\"{v}\"")) }
    }

    fn uint(&mut self, v: u64) -> Written {
        if v <= EXACT_MAX { self.push(&v.to_string()) } else { self.push(&format!("\"{v}\"")) }
    }

    fn float(&mut self, wide: f64, v: &impl serde::Serialize) -> Written {
        if wide.is_nan() {
            self.push("\"NaN\"")
        } else if wide.is_infinite() {
            self.push(if wide > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" })
        } else {
            self.push(&serde_json::to_string(v).map_err(|_| WriteError::Mismatch)?)
        }
    }

    fn string(&mut self, text: &str) -> Written {
        // Escapes only make a text longer, so a text that is too long already need not be written first.
        if text.len() + 2 > self.bytes_max - self.text.len() {
            return Err(WriteError::TooLong);
        }
        self.push(&serde_json::to_string(text).map_err(|_| WriteError::Mismatch)?)
    }

    fn bytes(&mut self, items: &[Val]) -> Written {
        if items.len() / 3 * 4 > self.bytes_max - self.text.len() {
            return Err(WriteError::TooLong);
        }
        let bytes: Option<Vec<u8>> = items.iter().map(|v| if let Val::U8(b) = v { Some(*b) } else { None }).collect();
        self.push("\"")?;
        self.push(&STANDARD.encode(bytes.ok_or(WriteError::Mismatch)?))?;
        self.push("\"")
    }

    fn listed<I: Iterator>(
        &mut self,
        open: char,
        close: char,
        items: I,
        each: impl Fn(&mut Self, I::Item) -> Written,
    ) -> Written {
        self.push(open.encode_utf8(&mut [0; 4]))?;
        for (i, item) in items.enumerate() {
            if i > 0 {
                self.push(",")?;
            }
            each(self, item)?;
        }
        self.push(close.encode_utf8(&mut [0; 4]))
    }

    fn member(&mut self, name: &str, ty: &WitType, val: &Val) -> Written {
        self.string(name)?;
        self.push(":")?;
        self.value(ty, val)
    }

    fn object(&mut self, name: &str, ty: &WitType, val: &Val) -> Written {
        self.push("{")?;
        self.member(name, ty, val)?;
        self.push("}")
    }

    fn side(&mut self, name: &str, ty: Option<&WitType>, val: Option<&Val>) -> Written {
        match (ty, val) {
            (Some(ty), Some(val)) => self.object(name, ty, val),
            (None, None) => self.push(&format!("{{\"{name}\":null}}")),
            _ => Err(WriteError::Mismatch),
        }
    }
}
