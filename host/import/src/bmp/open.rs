//! What the two OPEN messages of a session agreed on about path identifiers (RFC 7911 §4).

use crate::bgp::cursor::{Cursor, Malformed};
use crate::bgp::update::{AddPath, Message, read_message};

/// Reads the part of a Peer Up after the per-peer header: local address and ports, then the OPEN that the router sent
/// and the one that it received.
pub(super) fn read_add_path(cursor: &mut Cursor<'_>) -> Result<AddPath, Malformed> {
    cursor.take(20, "a peer up message is cut short")?;
    let (Message::Open(sent), Message::Open(received)) = (read_message(cursor)?, read_message(cursor)?) else {
        return Err(Malformed("a peer up message holds no OPEN"));
    };
    let (sent, received) = (read_modes(sent)?, read_modes(received)?);
    let agreed = |ours: u8, theirs: u8| ours & RECEIVE != 0 && theirs & SEND != 0;
    Ok(AddPath { v4: agreed(sent.v4, received.v4), v6: agreed(sent.v6, received.v6) })
}

/// Bit of the mode: able to receive several paths.
const RECEIVE: u8 = 1;
/// Bit of the mode: able to send several paths.
const SEND: u8 = 2;

/// Modes of the unicast families; 0 without the capability.
#[derive(Debug, Default, Clone, Copy)]
struct Modes {
    v4: u8,
    v6: u8,
}

/// The ADD-PATH capability (69) of an OPEN (RFC 4271 §4.2, RFC 5492, RFC 9072).
fn read_modes(open: &[u8]) -> Result<Modes, Malformed> {
    let mut cursor = Cursor::new(open);
    cursor.take(9, "an OPEN is cut short")?;
    let mut len = usize::from(cursor.u8()?);
    let extended = len == 255 && cursor.rest().first() == Some(&255);
    if extended {
        cursor.u8()?;
        len = usize::from(cursor.u16()?);
    }
    let mut parameters = Cursor::new(cursor.take(len, "the parameters of an OPEN are cut short")?);
    let mut modes = Modes::default();
    while !parameters.is_empty() {
        let kind = parameters.u8()?;
        let len = if extended { usize::from(parameters.u16()?) } else { usize::from(parameters.u8()?) };
        let value = parameters.take(len, "a parameter of an OPEN is cut short")?;
        if kind == 2 {
            read_capabilities(value, &mut modes)?;
        }
    }
    Ok(modes)
}

fn read_capabilities(bytes: &[u8], modes: &mut Modes) -> Result<(), Malformed> {
    let mut cursor = Cursor::new(bytes);
    while !cursor.is_empty() {
        let (code, len) = (cursor.u8()?, usize::from(cursor.u8()?));
        let value = cursor.take(len, "a capability of an OPEN is cut short")?;
        if code != 69 {
            continue;
        }
        for [afi_high, afi_low, safi, mode] in value.as_chunks::<4>().0 {
            match (u16::from_be_bytes([*afi_high, *afi_low]), safi) {
                (1, 1) => modes.v4 = *mode,
                (2, 1) => modes.v6 = *mode,
                _ => {}
            }
        }
    }
    Ok(())
}
