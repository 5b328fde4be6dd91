//! Hello, analysis: how many packets went to a target? One query, one column, one number.

iog_guest::analysis!("hello");

struct Hello;

impl Guest for Hello {
    fn packets_to(target: String) -> Result<u64, String> {
        let mut rows = iog_guest::query("to-target").bind(target).open()?;
        let mut packets = 0;
        while let Some(batch) = rows.next()? {
            packets += batch.u64s("packets")?.values().iter().sum::<u64>();
        }
        Ok(packets)
    }
}

export!(Hello);
