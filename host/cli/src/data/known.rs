//! What a provider knows about its exporters, from the command line and its table of neighbours.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use iog_import::columns::address;
use iog_import::netflow::{AsRole, ExportOptions, WhenUnknown};

use crate::args::NeighbourArgs;

/// Bytes a table of neighbours may have: about 30 bytes a line, some 500,000 interfaces.
const TABLE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Neighbour AS by exporter (`None` for every one) and interface.
type Neighbours = BTreeMap<(Option<[u8; 16]>, u32), u32>;

/// How to make rows of flows that were skipped because nothing says through which AS they entered. They are not written
/// with a guess: AS 0 is a statement, that the source is inside.
pub(super) const NEIGHBOURS_HINT: &str = "name the neighbours of such flows with --neighbours FILE, --peer-as or \
                                          --ingress-as ASN (0: they come from inside)";

/// How exports become rows.
pub(super) fn export_options(args: &NeighbourArgs) -> Result<ExportOptions> {
    let neighbours = match &args.neighbours {
        Some(path) => table(path).with_context(|| format!("cannot use `{}`", path.display()))?,
        None => Neighbours::new(),
    };
    let as_role = if args.peer_as { AsRole::Peer } else { AsRole::Origin };
    let (unknown_ingress, ingress_as) = match args.ingress_as {
        Some(asn) => (WhenUnknown::Approximate, asn),
        None => (WhenUnknown::Skip, 0),
    };
    Ok(ExportOptions { as_role, neighbours, unknown_ingress, ingress_as, ..ExportOptions::default() })
}

fn table(path: &Path) -> Result<Neighbours> {
    let mut text = String::new();
    File::open(path)?.take(TABLE_BYTES_MAX + 1).read_to_string(&mut text)?;
    ensure!(text.len() as u64 <= TABLE_BYTES_MAX, "it has more than {TABLE_BYTES_MAX} bytes");
    parse(&text)
}

/// Reads lines of `exporter,interface,asn`; blank lines, lines that begin with `#` and a first line of names are passed
/// over.
fn parse(text: &str) -> Result<Neighbours> {
    let mut neighbours = Neighbours::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || (index == 0 && line.starts_with("exporter")) {
            continue;
        }
        let (interface, asn) = row(line).with_context(|| format!("line {}", index + 1))?;
        if neighbours.insert(interface, asn).is_some_and(|before| before != asn) {
            bail!("line {}: the interface has another neighbour in a line before", index + 1);
        }
    }
    Ok(neighbours)
}

/// An interface by its number, of one exporter or of all.
type Interface = (Option<[u8; 16]>, u32);

fn row(line: &str) -> Result<(Interface, u32)> {
    let mut fields = line.split(',').map(str::trim);
    let (Some(exporter), Some(interface), Some(asn), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        bail!("expected are three fields, `exporter,interface,asn`");
    };
    let exporter = match exporter {
        "*" => None,
        text => Some(address(text.parse::<IpAddr>().context("the exporter is neither an address nor `*`")?)),
    };
    let interface = interface.parse().context("the interface is not an SNMP index")?;
    let digits = asn.strip_prefix("AS").unwrap_or(asn);
    Ok(((exporter, interface), digits.parse().context("the AS is not a number")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_have_neighbours() {
        let read = parse("exporter,interface,asn\n# the core\n192.0.2.1, 3, AS64500\n\n*,4,64501\n").unwrap();
        let exporter = Some(address("192.0.2.1".parse().unwrap()));
        assert_eq!(read, Neighbours::from([((exporter, 3), 64500), ((None, 4), 64501)]));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let said = |text| format!("{:#}", parse(text).unwrap_err());
        assert_eq!(said("*,1,2\n*,1\n"), "line 2: expected are three fields, `exporter,interface,asn`");
        assert!(said("router,1,2").starts_with("line 1: the exporter is neither an address nor `*`"));
        assert_eq!(said("*,1,2\n*,1,3"), "line 2: the interface has another neighbour in a line before");
    }
}
