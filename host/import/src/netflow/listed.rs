//! The templates that a set lists (RFC 3954 §5.2 and §6.1, RFC 7011 §3.4). One that breaks its format is refused alone:
//! the next one is found behind its fields, unless these do not end within the set.

use super::raw::{u16_at, u32_at};
use super::template::{Field, Kind, Template};

/// What a set of templates says.
pub(super) enum Listed {
    /// A template, with its id and the fields it has.
    Template(u16, Template, usize),
    /// The template of this id holds no longer (RFC 7011 §8.1).
    Withdrawn(u16),
    /// All templates of its kind hold no longer; the flag says whether options templates are meant.
    WithdrawnAll(bool),
    /// A template of this id that breaks its format. What held under the id before holds no longer.
    Refused(u16),
}

/// Reads the templates of the body of a set. The rest of a set that is too short for a template is padding.
pub(super) struct Templates<'a> {
    body: &'a [u8],
    kind: Kind,
}

/// What stands in front of the fields.
struct Head {
    id: u16,
    /// What stands behind the id: how many fields there are, in v9 bytes of scopes if it is about options.
    count: u16,
    fields: usize,
    scopes: usize,
    /// Bytes of the head.
    len: usize,
    /// Where the next template begins, when the counts cannot be those of fields; none when they can.
    odd: Option<usize>,
}

impl<'a> Templates<'a> {
    pub(super) const fn new(body: &'a [u8], kind: Kind) -> Self {
        Self { body, kind }
    }

    fn head(&self) -> Option<Head> {
        let Kind { ipfix, options } = self.kind;
        let (id, count) = (u16_at(self.body.get(..4)?, 0), u16_at(self.body, 2));
        if !options || ipfix && count == 0 {
            return Some(Head { id, count, fields: usize::from(count), scopes: 0, len: 4, odd: None });
        }
        let second = u16_at(self.body.get(..6)?, 4);
        if ipfix {
            return Some(Head {
                id,
                count,
                fields: usize::from(count),
                scopes: usize::from(second),
                len: 6,
                odd: None,
            });
        }
        let (scopes, fields) = (usize::from(count), usize::from(second));
        let odd = (!scopes.is_multiple_of(4) || !fields.is_multiple_of(4)).then_some(6 + scopes + fields);
        Some(Head { id, count, fields: (scopes + fields) / 4, scopes: scopes / 4, len: 6, odd })
    }

    /// The fields behind a head, and how many bytes they take; none when they do not end within the set.
    fn fields(&self, head: &Head) -> Option<(Vec<Field>, usize)> {
        let mut at = head.len;
        let mut fields = Vec::with_capacity(head.fields.min(self.body.len() / 4));
        for index in 0..head.fields {
            let specifier = self.body.get(at..at + 4)?;
            let (id, len, scope) = (u16_at(specifier, 0), u16_at(specifier, 2), index < head.scopes);
            at += 4;
            if !self.kind.ipfix || id & 0x8000 == 0 {
                fields.push(Field { enterprise: 0, id, len, scope });
                continue;
            }
            let enterprise = u32_at(self.body.get(at..at + 4)?, 0);
            at += 4;
            fields.push(Field { enterprise, id: id & 0x7fff, len, scope });
        }
        Some((fields, at))
    }
}

impl Iterator for Templates<'_> {
    type Item = Listed;

    fn next(&mut self) -> Option<Listed> {
        if self.body.len() < 4 || self.body.iter().all(|byte| *byte == 0) {
            return None;
        }
        let Some(head) = self.head() else {
            return Some(Listed::Refused(u16_at(std::mem::take(&mut self.body), 0)));
        };
        let id = head.id;
        if self.kind.ipfix && head.count == 0 {
            self.body = &self.body[head.len..];
            let all = id == if self.kind.options { 3 } else { 2 };
            return Some(if all { Listed::WithdrawnAll(self.kind.options) } else { Listed::Withdrawn(id) });
        }
        if let Some(next) = head.odd {
            self.body = self.body.get(next..).unwrap_or_default();
            return Some(Listed::Refused(id));
        }
        let Some((fields, len)) = self.fields(&head) else {
            self.body = &[];
            return Some(Listed::Refused(id));
        };
        self.body = &self.body[len..];
        let template = Template::of(&fields, self.kind);
        // RFC 7011 §3.4.2.2: an options template has a scope, and it is among its fields.
        let scoped = !self.kind.ipfix || !self.kind.options || (1..=fields.len()).contains(&head.scopes);
        if !scoped || id < 256 || template.shortest() == 0 {
            return Some(Listed::Refused(id));
        }
        Some(Listed::Template(id, template, fields.len()))
    }
}
