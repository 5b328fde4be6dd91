//! What scans read and what they were spared, counted. Pure.

/// What scans of files with statistics read, and what they were spared. The same for the same data and parameters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScanCounts {
    /// Row groups of all files.
    pub row_groups: u64,
    /// Row groups that were not read: by their statistics no row fulfils the condition.
    pub row_groups_skipped: u64,
    /// Row groups whose every row fulfils the condition by the statistics, so that it was not evaluated.
    pub row_groups_whole: u64,
    /// Row groups in which the condition was evaluated and no row fulfilled it, so that no other column was read.
    pub row_groups_without_match: u64,
    /// Rows that were not read: by the statistics of their pages no row fulfils the condition.
    pub rows_in_skipped_pages: u64,
    /// Rows on which the condition was evaluated.
    pub rows_tested: u64,
    /// Rows given on.
    pub rows_given: u64,
}

impl ScanCounts {
    pub(crate) fn add(&mut self, more: &Self) {
        self.row_groups += more.row_groups;
        self.row_groups_skipped += more.row_groups_skipped;
        self.row_groups_whole += more.row_groups_whole;
        self.row_groups_without_match += more.row_groups_without_match;
        self.rows_in_skipped_pages += more.rows_in_skipped_pages;
        self.rows_tested += more.rows_tested;
        self.rows_given += more.rows_given;
    }
}
