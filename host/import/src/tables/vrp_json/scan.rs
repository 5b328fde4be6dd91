//! Finds the payloads of a JSON object by its brackets, a byte at a time.

use std::borrow::Cow;

/// Bytes one payload may have. Routinator writes some 500 about each of its sources, of which real payloads have a few.
const PAYLOAD_BYTES_MAX: usize = 16 * 1024;

/// Bytes of a key that are remembered; those that are looked for are shorter.
const KEY_BYTES_MAX: usize = 40;

const ROUTER_KEYS: &str = "router keys (BGPsec)";
const ASPAS: &str = "authorisations of providers (ASPA)";

/// What a byte completes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// A payload, which is captured.
    Payload,
    /// An entry of a list that holds something else.
    Other(&'static str),
    /// A list of unknown name begins.
    UnknownList,
}

/// Where the scan is.
#[derive(Debug, Default)]
pub(super) struct Scan {
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// The last strings at the level of the outer object and of those in it, cut off.
    keys: [Vec<u8>; 2],
    list: Option<List>,
    /// Whether a list of payloads was found.
    found: bool,
    /// Values of such a list that are not objects, and whether the scan is in one.
    others: u64,
    in_other: bool,
    capturing: bool,
    captured: Vec<u8>,
}

/// A list that the scan is in.
#[derive(Debug, Clone, Copy)]
struct List {
    /// Where its entries are.
    depth: usize,
    holds: Holds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Payloads,
    Other(&'static str),
    Unknown,
}

impl Scan {
    /// The payload that is complete.
    pub(super) fn captured(&self) -> &[u8] {
        &self.captured
    }

    /// The key of the list that begins.
    pub(super) fn key(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.keys[usize::from(self.depth > 2)])
    }

    /// Whether the file is whole; how many values of its list are not objects.
    pub(super) fn end(&self) -> Result<u64, &'static str> {
        match (self.depth, self.found) {
            (0, true) => Ok(self.others),
            (0, false) => Err("the object has no array `roas`"),
            _ => Err("the file ends inside its object"),
        }
    }

    /// Takes a byte; tells what is complete with it.
    pub(super) fn take(&mut self, byte: u8) -> Result<Option<Event>, &'static str> {
        if self.capturing {
            if self.captured.len() >= PAYLOAD_BYTES_MAX {
                return Err("a payload is longer than 16 KiB");
            }
            self.captured.push(byte);
        }
        if self.in_string {
            self.take_in_string(byte);
            return Ok(None);
        }
        let in_array = self.list.is_some_and(|list| list.holds == Holds::Payloads && list.depth == self.depth);
        if in_array && !matches!(byte, b'{' | b',' | b']') && !byte.is_ascii_whitespace() {
            self.others += u64::from(!std::mem::replace(&mut self.in_other, true));
        } else if in_array && byte == b',' {
            self.in_other = false;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                if let Some(key) = self.key_here() {
                    key.clear();
                }
                Ok(None)
            }
            b'{' | b'[' => Ok(self.open(byte)),
            b'}' | b']' => self.close(),
            _ => Ok(None),
        }
    }

    /// Where a key at this level is kept.
    fn key_here(&mut self) -> Option<&mut Vec<u8>> {
        self.keys.get_mut(self.depth.checked_sub(1)?)
    }

    fn take_in_string(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            b'"' => {
                self.in_string = false;
                return;
            }
            _ => {}
        }
        if let Some(key) = self.key_here().filter(|key| key.len() < KEY_BYTES_MAX) {
            key.push(byte);
        }
    }

    fn open(&mut self, byte: u8) -> Option<Event> {
        let (depth, list) = (self.depth, self.list);
        self.depth += 1;
        let Some(list) = list else {
            let holds = self.holds(depth, byte == b'[')?;
            self.list = Some(List { depth: self.depth, holds });
            self.found |= holds == Holds::Payloads;
            self.in_other = false;
            return (holds == Holds::Unknown).then_some(Event::UnknownList);
        };
        match list.holds {
            Holds::Payloads if depth == list.depth && byte == b'{' => {
                self.capturing = true;
                self.captured.clear();
                self.captured.push(byte);
                None
            }
            Holds::Other(what) if depth == list.depth => Some(Event::Other(what)),
            _ => None,
        }
    }

    /// What a value of the outer object, or of one in it, holds by its key; none where it is looked into or means nothing.
    fn holds(&self, depth: usize, is_array: bool) -> Option<Holds> {
        let [outer, inner] = self.keys.each_ref().map(Vec::as_slice);
        match (depth, outer, inner) {
            (1, b"roas", _) if is_array => Some(Holds::Payloads),
            (1, b"routerKeys" | b"bgpsec_keys" | b"router-keys", _) if is_array => Some(Holds::Other(ROUTER_KEYS)),
            (1, b"aspas", _) if is_array => Some(Holds::Other(ASPAS)),
            (1, ..) => is_array.then_some(Holds::Unknown),
            (2, b"locallyAddedAssertions", b"prefixAssertions") if is_array => Some(Holds::Payloads),
            (2, b"locallyAddedAssertions", b"bgpsecAssertions") => Some(Holds::Other(ROUTER_KEYS)),
            (2, b"locallyAddedAssertions", b"aspaAssertions") | (2, b"provider_authorizations", _) => {
                Some(Holds::Other(ASPAS))
            }
            (2, b"validationOutputFilters", _) => {
                Some(Holds::Other("filters of SLURM, which take payloads of others away"))
            }
            (2, b"locallyAddedAssertions", _) => Some(Holds::Unknown),
            _ => None,
        }
    }

    fn close(&mut self) -> Result<Option<Event>, &'static str> {
        self.depth = self.depth.checked_sub(1).ok_or("a bracket closes nothing")?;
        let Some(list) = self.list else { return Ok(None) };
        if self.depth < list.depth {
            self.list = None;
        }
        let complete = self.depth == list.depth && std::mem::take(&mut self.capturing);
        Ok(complete.then_some(Event::Payload))
    }
}
