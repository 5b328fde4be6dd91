//! Templates: the layout of the data records of an exporter (RFC 3954 §5.2 and §6.1, RFC 7011 §3.4), compiled to the
//! values that a row needs and where they are.

use super::element::Slot;
use super::fault::Fault;
use super::raw::{Raw, u16_at, u32_at};

/// The length that says "variable" (RFC 7011 §7).
const VARIABLE: u16 = 65535;
/// Bytes that a template takes besides its fields: its place in the map of its exporter at the lowest load (three slots of
/// 17 bytes) and the counters of its `Arc`.
const PLACE_BYTES: usize = 3 * 17 + 16;
/// Scope type `interface` of NetFlow v9 (RFC 3954 §6.1).
const SCOPE_INTERFACE: u16 = 2;

/// One value to take from a record of fixed length.
#[derive(Debug, Clone, Copy)]
struct Take {
    at: u32,
    len: u8,
    slot: Slot,
}

/// Where the values are.
#[derive(Debug, Clone)]
enum Layout {
    /// All records have this length; the values to take.
    Fixed(usize, Box<[Take]>),
    /// Every field must be walked: length and slot. Fields without bytes are left out, so that the work is bounded by the
    /// bytes of a record, whose shortest form has this length.
    Walk(usize, Box<[(u16, Option<Slot>)]>),
}

/// A template.
#[derive(Debug, Clone)]
pub(super) struct Template {
    layout: Layout,
    /// Whether its records describe the exporter (options template).
    pub(super) options: bool,
    /// Whether the scope of its records is an interface.
    pub(super) by_interface: bool,
}

/// A field as its template lists it.
#[derive(Debug, Clone, Copy)]
struct Field {
    enterprise: u32,
    id: u16,
    len: u16,
    scope: bool,
}

/// What a set of templates says.
pub(super) enum Listed {
    /// A template, with its id and the fields it has.
    Template(u16, Template, usize),
    /// The template of this id holds no longer (RFC 7011 §8.1).
    Withdrawn(u16),
    /// All templates of its kind hold no longer; the flag says whether options templates are meant.
    WithdrawnAll(bool),
}

/// Which rules a set follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) ipfix: bool,
    pub(super) options: bool,
}

impl Template {
    fn of(fields: &[Field], kind: Kind) -> Self {
        let interface = |field: &&Field| field.scope && (field.id == if kind.ipfix { 10 } else { SCOPE_INTERFACE });
        let by_interface = fields.iter().any(|field| interface(&field));
        let slot = |field: &Field| {
            if field.scope && !kind.ipfix {
                return (field.id == SCOPE_INTERFACE && (1..=8).contains(&field.len)).then_some(Slot::IngressIf);
            }
            Slot::of(field.enterprise, field.id, field.len)
        };
        let variable = kind.ipfix && fields.iter().any(|field| field.len == VARIABLE);
        let layout = if variable {
            let shortest = |field: &Field| if field.len == VARIABLE { 1 } else { usize::from(field.len) };
            let walked = fields.iter().filter(|field| field.len > 0).map(|field| (field.len, slot(field)));
            Layout::Walk(fields.iter().map(shortest).sum(), walked.collect())
        } else {
            let mut at = 0u32;
            let mut takes = Vec::new();
            for field in fields {
                if let (Some(slot), Ok(len)) = (slot(field), u8::try_from(field.len)) {
                    takes.push(Take { at, len, slot });
                }
                at += u32::from(field.len);
            }
            Layout::Fixed(at as usize, takes.into())
        };
        Self { layout, options: kind.options, by_interface }
    }

    /// Bytes that the template holds in memory, about.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + PLACE_BYTES
            + match &self.layout {
                Layout::Fixed(_, takes) => takes.len() * size_of::<Take>(),
                Layout::Walk(_, fields) => fields.len() * size_of::<(u16, Option<Slot>)>(),
            }
    }

    /// Bytes of its shortest record.
    pub(super) fn shortest(&self) -> usize {
        match self.layout {
            Layout::Fixed(len, _) | Layout::Walk(len, _) => len,
        }
    }

    /// Reads the record at the start of `bytes`; its length, or none when the rest is too short for one.
    #[inline]
    pub(super) fn read(&self, bytes: &[u8], raw: &mut Raw) -> Option<usize> {
        raw.clear();
        match &self.layout {
            Layout::Fixed(len, takes) => {
                let record = bytes.get(..*len)?;
                for take in takes {
                    let at = take.at as usize;
                    raw.set(take.slot, &record[at..at + usize::from(take.len)]);
                }
                Some(*len)
            }
            Layout::Walk(_, fields) => walk(fields, bytes, raw),
        }
    }
}

/// Reads a record with fields of variable length (RFC 7011 §7).
fn walk(fields: &[(u16, Option<Slot>)], bytes: &[u8], raw: &mut Raw) -> Option<usize> {
    let mut at = 0;
    for (len, slot) in fields {
        let mut len = usize::from(*len);
        if len == usize::from(VARIABLE) {
            len = usize::from(*bytes.get(at)?);
            at += 1;
            if len == 255 {
                len = usize::from(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
                at += 2;
            }
        }
        let value = bytes.get(at..at + len)?;
        if let Some(slot) = slot {
            raw.set(*slot, value);
        }
        at += len;
    }
    Some(at)
}

/// Lists the templates of a set whose body begins at `at` in its message.
pub(super) fn list(
    body: &[u8],
    at: usize,
    kind: Kind,
    take: &mut dyn FnMut(Listed) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut reader = Fields { body, at: 0, base: at, kind };
    while let Some(listed) = reader.next()? {
        take(listed)?;
    }
    Ok(())
}

/// Reads the templates of a set.
struct Fields<'a> {
    body: &'a [u8],
    at: usize,
    base: usize,
    kind: Kind,
}

impl Fields<'_> {
    fn fault(&self, reason: impl Into<String>) -> Fault {
        Fault { offset: self.base + self.at, reason: reason.into() }
    }

    fn u16(&mut self) -> Result<u16, Fault> {
        if self.at + 2 > self.body.len() {
            return Err(self.fault("the template ends before its last field"));
        }
        self.at += 2;
        Ok(u16_at(self.body, self.at - 2))
    }

    /// The next template; none at the end or before padding.
    fn next(&mut self) -> Result<Option<Listed>, Fault> {
        let rest = &self.body[self.at..];
        if rest.len() < 4 || rest.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let id = self.u16()?;
        let count = self.u16()?;
        if self.kind.ipfix && count == 0 {
            let all = id == if self.kind.options { 3 } else { 2 };
            return Ok(Some(if all { Listed::WithdrawnAll(self.kind.options) } else { Listed::Withdrawn(id) }));
        }
        if id < 256 {
            self.at -= 4;
            return Err(self.fault(format!("the template id {id} is reserved; they begin at 256")));
        }
        let (fields, scopes) = self.counts(count)?;
        let mut list = Vec::with_capacity(fields.min(self.body.len() / 4));
        for index in 0..fields {
            let field = self.field(index < scopes)?;
            list.push(field);
        }
        let template = Template::of(&list, self.kind);
        if template.shortest() == 0 {
            return Err(self.fault(format!("the records of template {id} have no bytes")));
        }
        Ok(Some(Listed::Template(id, template, list.len())))
    }

    /// How many fields follow, and how many of them are scopes. `count` is what stands after the template id.
    fn counts(&mut self, count: u16) -> Result<(usize, usize), Fault> {
        if !self.kind.options {
            return Ok((usize::from(count), 0));
        }
        let second = self.u16()?;
        if self.kind.ipfix {
            if second == 0 || second > count {
                return Err(self.fault(format!("an options template has {second} scopes in {count} fields")));
            }
            return Ok((usize::from(count), usize::from(second)));
        }
        if !count.is_multiple_of(4) || !second.is_multiple_of(4) {
            return Err(self.fault(format!("an options template has {count} and {second} bytes of fields of four")));
        }
        Ok((usize::from(count / 4) + usize::from(second / 4), usize::from(count / 4)))
    }

    fn field(&mut self, scope: bool) -> Result<Field, Fault> {
        let id = self.u16()?;
        let len = self.u16()?;
        if !self.kind.ipfix || id & 0x8000 == 0 {
            return Ok(Field { enterprise: 0, id, len, scope });
        }
        if self.at + 4 > self.body.len() {
            return Err(self.fault("the template ends within an enterprise number"));
        }
        self.at += 4;
        Ok(Field { enterprise: u32_at(self.body, self.at - 4), id: id & 0x7fff, len, scope })
    }
}
