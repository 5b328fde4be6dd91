//! How many datagrams the kernel dropped because the collector did not keep up, from Linux's tables of UDP sockets.
//! Elsewhere nothing is known.

use std::fs::File;
use std::io::Read as _;

/// Bytes read of a table: some 40,000 sockets.
const TABLE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Datagrams dropped so far by the sockets that listen on a port; `None` where the system does not say.
pub(super) fn dropped(port: u16) -> Option<u64> {
    let tables = ["/proc/net/udp", "/proc/net/udp6"];
    tables.iter().filter_map(|path| dropped_in(&read(path)?, port)).reduce(|one, other| one + other)
}

fn read(path: &str) -> Option<String> {
    let mut text = String::new();
    File::open(path).ok()?.take(TABLE_BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The sum over the lines of a port: the local address is the second column, `address:port` in hexadecimal digits, and
/// the count is the last.
fn dropped_in(table: &str, port: u16) -> Option<u64> {
    let line = |line: &str| {
        let (_, local) = line.split_whitespace().nth(1)?.rsplit_once(':')?;
        if u16::from_str_radix(local, 16).ok()? != port {
            return None;
        }
        line.split_whitespace().next_back()?.parse::<u64>().ok()
    };
    table.lines().filter_map(line).reduce(|one, other| one + other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_a_port_are_summed() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
                     1: 0100007F:0807 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 1 2 0 17\n\
                     2: 00000000:0807 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 2 2 0 4\n\
                     3: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 3 2 0 9\n";
        assert_eq!(dropped_in(table, 2055), Some(21));
        assert_eq!(dropped_in(table, 2056), None);
    }
}
