//! BGP4MP and BGP4MP_ET records (RFC 6396 §4.4, RFC 8050 §3): messages as a collector received them.

use super::decoder::{Decoder, Record, Stop};
use crate::bgp::cursor::{AsWidth, Cursor, Family, Malformed};
use crate::bgp::update::{AddPath, Message, Session, read_message};
use crate::columns::Sink;
use crate::rows::Said;
use crate::tally::Why;

/// What a subtype says about its record.
enum Subtype {
    Message(Session),
    NoRoutes(&'static str),
}

const fn session(as_width: AsWidth, add_path: bool) -> Subtype {
    Subtype::Message(Session { as_width, add_path: AddPath { v4: add_path, v6: add_path } })
}

const fn subtype_of(code: u16) -> Subtype {
    match code {
        1 => session(AsWidth::Two, false),
        4 => session(AsWidth::Four, false),
        8 => session(AsWidth::Two, true),
        9 => session(AsWidth::Four, true),
        0 | 5 => Subtype::NoRoutes("a change of a session's state"),
        6 | 7 | 10 | 11 => Subtype::NoRoutes("a message that the collector sent"),
        2 | 3 => Subtype::NoRoutes("a record of a deprecated type"),
        _ => Subtype::NoRoutes("a BGP record of unknown subtype"),
    }
}

impl Decoder<'_> {
    /// Decodes one record.
    pub(super) fn bgp4mp(&mut self, subtype: u16, record: Record<'_>, sink: &mut dyn Sink) -> Result<(), Stop> {
        let session = match subtype_of(subtype) {
            Subtype::Message(session) => session,
            Subtype::NoRoutes(reason) => {
                self.tally.skip(Why::NotApplicable(reason));
                return Ok(());
            }
        };
        let mut body = record.body;
        let (peer, peer_as) = read_peers(&mut body, session.as_width)?;
        let update = match read_message(&mut body)? {
            Message::Update(update) => update,
            Message::Open(_) => return self.no_routes("open"),
            Message::Other(name) => return self.no_routes(name),
        };
        self.update.read(update, session)?;
        if !body.is_empty() {
            self.tally.malformed(record.offset, "bytes follow the BGP message of a record");
        }
        let said = Said { time: record.time, peer: &peer, peer_as, collector: self.collector };
        self.tally.update(&self.update);
        Ok(self.builder.push_update(&said, &self.update, sink)?)
    }

    fn no_routes(&mut self, reason: &'static str) -> Result<(), Stop> {
        self.tally.skip(Why::NotApplicable(reason));
        Ok(())
    }
}

/// The peer's address and AS, before the message. The numbers are of the width that the record's type says, unless only
/// with the other one a message follows.
fn read_peers(body: &mut Cursor<'_>, width: AsWidth) -> Result<([u8; 16], u32), Malformed> {
    let attempt = |width| {
        let mut cursor = *body;
        read_peer(&mut cursor, width).map(|peer| (peer, cursor))
    };
    let said = attempt(width);
    let other = || attempt(width.other()).ok().filter(|(_, rest)| is_message(rest));
    let (peer, rest) = match said {
        Ok(said) if is_message(&said.1) => said,
        said => other().map_or(said, Ok)?,
    };
    *body = rest;
    Ok(peer)
}

/// Whether a BGP message begins here, by its marker (RFC 4271 §4.1).
fn is_message(cursor: &Cursor<'_>) -> bool {
    cursor.rest().starts_with(&[0xff; 16])
}

fn read_peer(body: &mut Cursor<'_>, width: AsWidth) -> Result<([u8; 16], u32), Malformed> {
    let asn = body.asn(width)?;
    body.asn(width)?;
    body.u16()?;
    let family = Family::of(body.u16()?).ok_or(Malformed("a peer's address is of an unknown family"))?;
    let peer = body.address(family)?;
    body.address(family)?;
    Ok((peer, asn))
}
