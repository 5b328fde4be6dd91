//! One column of one batch, already copied into the module: values, and which of them are null. It never calls the
//! host.

use crate::{Address, Error};

/// Values of one column of a batch, one a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Column<T> {
    values: Vec<T>,
    nulls: Nulls,
}

impl<T: Copy> Column<T> {
    pub(crate) fn new(values: Vec<T>, nulls: Nulls) -> Self {
        Self { values, nulls }
    }

    /// All values, one a row; a null reads as zero.
    #[must_use]
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// Which rows are null.
    #[must_use]
    pub fn nulls(&self) -> &Nulls {
        &self.nulls
    }

    /// The value of a row, `None` where it is null or there is no such row.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<T> {
        if self.nulls.is_null(row) { None } else { self.values.get(row).copied() }
    }

    /// Every row's value, `None` where it is null.
    pub fn iter(&self) -> impl Iterator<Item = Option<T>> + '_ {
        self.values.iter().enumerate().map(|(row, &value)| if self.nulls.is_null(row) { None } else { Some(value) })
    }
}

/// Which rows of a column are null.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Nulls {
    /// One bit a row, least significant first; empty where no row is null.
    bits: Vec<u8>,
}

impl Nulls {
    pub(crate) fn new(bits: Vec<u8>) -> Self {
        Self { bits }
    }

    /// Whether any row may be null.
    #[must_use]
    pub fn any(&self) -> bool {
        !self.bits.is_empty()
    }

    /// Whether this row is null.
    #[inline]
    #[must_use]
    pub fn is_null(&self, row: usize) -> bool {
        self.bits.get(row / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 1)
    }
}

/// Text or bytes of one column of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    offsets: Vec<u32>,
    bytes: Vec<u8>,
    nulls: Nulls,
}

impl Texts {
    pub(crate) fn new(offsets: Vec<u32>, bytes: Vec<u8>, nulls: Nulls) -> Self {
        Self { offsets, bytes, nulls }
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Whether the batch has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text of a row; `None` where it is null, holds other bytes than UTF-8, or there is no such row.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&str> {
        self.bytes(row).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// The bytes of a row; `None` where it is null or there is no such row.
    #[must_use]
    pub fn bytes(&self, row: usize) -> Option<&[u8]> {
        if self.nulls.is_null(row) {
            return None;
        }
        let (&start, &end) = (self.offsets.get(row)?, self.offsets.get(row + 1)?);
        self.bytes.get(start as usize..end as usize)
    }

    /// Every row's text, as `get` gives it.
    pub fn iter(&self) -> impl Iterator<Item = Option<&str>> + '_ {
        (0..self.len()).map(|row| self.get(row))
    }
}

/// Addresses out of 16 bytes each.
pub(crate) fn addresses(bytes: &[u8]) -> Result<Vec<Address>, Error> {
    let (chunks, rest) = bytes.as_chunks::<16>();
    if !rest.is_empty() {
        return Err(Error::Host(format!("addresses of {} bytes, which is not a multiple of 16", bytes.len())));
    }
    Ok(chunks.iter().map(|&chunk| Address::from_bytes(chunk)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_are_read_least_significant_bit_first() {
        let column = Column::new((0..10u64).collect(), Nulls::new(vec![0b0000_0010, 0b0000_0010]));
        let seen: Vec<_> = column.iter().collect();
        assert_eq!(seen[..3], [Some(0), None, Some(2)]);
        assert_eq!((column.get(8), column.get(9), column.get(10)), (Some(8), None, None));
        assert!(column.nulls().any());
    }

    #[test]
    fn texts_are_cut_at_their_offsets() {
        let texts = Texts::new(vec![0, 2, 2, 5], b"abcde".to_vec(), Nulls::new(vec![0b010]));
        assert_eq!(texts.iter().collect::<Vec<_>>(), [Some("ab"), None, Some("cde")]);
        assert_eq!(texts.get(3), None);
        let broken = Texts::new(vec![0, 9], b"ab".to_vec(), Nulls::default());
        assert_eq!(broken.bytes(0), None);
    }

    #[test]
    fn addresses_need_sixteen_bytes_each() {
        assert_eq!(addresses(&[0; 32]).unwrap().len(), 2);
        assert!(matches!(addresses(&[0; 17]), Err(Error::Host(_))));
    }
}
