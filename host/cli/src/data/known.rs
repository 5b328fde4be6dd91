//! What a provider knows about its exporters, from the command line and its table of neighbours.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use iog_import::columns::address;
use iog_import::netflow::{AsRole, ExportOptions, WhenUnknown};
use iog_import::tables::parse_asn;
use iog_import::text::{Comments, Dialect, Fields, Records};

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
    parse(&mut File::open(path)?, path)
}

/// How the table is written: CSV, with comments as people write them.
const DIALECT: Dialect = Dialect { delimiter: b',', comments: Comments::Anywhere(b'#') };

/// Reads lines of `exporter,interface,asn`; a first line of names is passed over.
fn parse(input: &mut dyn Read, path: &Path) -> Result<Neighbours> {
    let mut neighbours = Neighbours::new();
    let mut records = Records::open(input, path, DIALECT)?;
    let mut first = true;
    while let Some(record) = records.advance()? {
        ensure!(record.offset <= TABLE_BYTES_MAX, "it has more than {TABLE_BYTES_MAX} bytes");
        let line = || format!("line {}", record.line);
        let fields = record.fields.map_err(anyhow::Error::msg).with_context(line)?;
        let is_header = std::mem::take(&mut first) && fields.get(0).eq_ignore_ascii_case("exporter");
        if is_header {
            continue;
        }
        let (interface, asn) = row(fields).with_context(line)?;
        if neighbours.insert(interface, asn).is_some_and(|before| before != asn) {
            bail!("{}: the interface has another neighbour in a line before", line());
        }
    }
    Ok(neighbours)
}

/// An interface by its number, of one exporter or of all.
type Interface = (Option<[u8; 16]>, u32);

fn row(fields: Fields<'_>) -> Result<(Interface, u32)> {
    if fields.len() != 3 {
        bail!("expected are three fields, `exporter,interface,asn`");
    }
    let [exporter, interface, asn] = [0, 1, 2].map(|at| fields.get(at));
    let exporter = match exporter {
        "*" => None,
        text => Some(address(text.parse::<IpAddr>().context("the exporter is neither an address nor `*`")?)),
    };
    let interface = interface.parse().context("the interface is not an SNMP index")?;
    Ok(((exporter, interface), parse_asn(asn).context("the AS is not a number")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Neighbours> {
        parse(&mut text.as_bytes(), Path::new("table"))
    }

    #[test]
    fn interfaces_have_neighbours() {
        let exporter = Some(address("192.0.2.1".parse().unwrap()));
        let wanted = Neighbours::from([((exporter, 3), 64500), ((None, 4), 64501)]);
        for text in [
            "exporter,interface,asn\n# the core\n192.0.2.1, 3, AS64500\n\n*,4,64501\n",
            "\u{feff}Exporter,Interface,ASN\r\n192.0.2.1,3,as64500 # the core\r\n*,4,0.64501\r\n",
            "\u{feff}192.0.2.1,3,64500\r*,\"4\",64501",
            "192.0.2.1,3,64500\n  # no more\n*,4,64501 \n*,4,64501\n",
        ] {
            assert_eq!(parsed(text).unwrap(), wanted, "{text:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let said = |text| format!("{:#}", parsed(text).unwrap_err());
        assert_eq!(said("*,1,2\n*,1\n"), "line 2: expected are three fields, `exporter,interface,asn`");
        assert!(said("router,1,2").starts_with("line 1: the exporter is neither an address nor `*`"));
        assert_eq!(said("*,1,2\n*,1,3"), "line 2: the interface has another neighbour in a line before");
        assert_eq!(said("# core\n*,1,\"2\n"), "line 2: a quoted field does not end on its line");
        assert!(said("*\0,\0").ends_with("is text in UTF-16; save it as UTF-8"));
    }
}
